// Further names of files: given when the first is in place, and to what was restored under it alone.

internal import Cryptography
internal import Glibc
internal import Platform

extension Restorer {
    /// Links wait until the files that they share an inode with are in place.
    func makeLinks() {
        waitUntilIdle()
        for (folder, entry, path) in links {
            if !isDryRun, let above = folder.descriptor() {
                do {
                    try link(entry, to: path, in: above)
                } catch {
                    findings.add(
                        Finding(
                            .notRestored, folder.path.appending(entry.name),
                            "is a hard link to \(printable(path)), which was not restored"))
                }
            }
            folder.release()
        }
        links = []
    }

    func link(_ entry: Entry, to path: [UInt8], in above: Descriptor) throws {
        let names = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        guard let last = names.last, names.allSatisfy(Entry.isValidName), var folder = try sourceFolder() else {
            throw FormatError("a hard link's target is not allowed")
        }
        for name in names.dropLast() { folder = try folder.open(name, [.directory]) }
        guard let first = try place(last, in: folder), case let status = try first.status(),
            status.kind != .directory
        else { throw SystemError(ENOENT, "link to", printable(last)) }
        // Where others may write, another file may have the first name by now; what the image says of both is the same.
        guard try !Self.isShared(folder) || isSame(status, entry) || isUnknown(entry) else {
            throw FormatError("somebody put something else in place of the first name while it was restored")
        }
        if let there = try place(entry.name, in: above) {
            if FileIdentity(try there.status()) == FileIdentity(status) { return }
            try makeRoom(for: entry.name, in: above)
        }
        var file: Descriptor?
        var flags: UInt32?
        if status.kind == .file {
            let opened = try folder.open(last, .nonBlocking)
            guard FileIdentity(try opened.status()) == FileIdentity(status) else {
                throw SystemError(ENOENT, "link to", printable(last))
            }
            flags = try liftProtection(of: opened)
            file = opened
        }
        defer {
            if let file, let flags { attempt(BytePath(path)) { () throws(SystemError) in try file.setFlags(flags) } }
        }
        try first.giveName(entry.name, in: above)
    }

    /// Archives of other programs say nothing of further names but that they are some.
    private func isUnknown(_ entry: Entry) -> Bool { entry.modified == Timestamp(seconds: 0, nanoseconds: 0) }

    /// Whether others than root and this user may give and take names in a folder.
    static func isShared(_ folder: Descriptor) throws(SystemError) -> Bool {
        let status = try folder.status()
        return status.user != 0 && status.user != geteuid() || status.mode & 0o022 != 0
    }

    func sourceFolder() throws -> Descriptor? {
        if isSingleSource { return opened }
        var folder = opened
        for component in BytePath(source).components {
            let name = Array(component)
            guard Entry.isValidName(name) else { return nil }
            folder = try folder?.open(name, .directory)
        }
        return folder
    }
}
