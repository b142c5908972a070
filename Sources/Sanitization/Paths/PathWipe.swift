// Wiping files: overwriting them where they are, reading them back from the device, and taking their names away. It is part of a medium only,
// and no sanitization of it (NIST SP 800-88 Rev. 2, 4.2).

internal import Cryptography
internal import Glibc
internal import Machine
public import Platform
public import Reporting

/// What came of wiping files or free space.
public struct PathWipeReport: Sendable {
    public var files: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Bytes that were read back from the device.
    public var verified: UInt64 = 0
    /// Why old content may be left.
    public var reasons: [String] = []
    public var notes: [String] = []

    public var isAchieved: Bool { reasons.isEmpty }

    mutating func add(_ reason: String) {
        if !reasons.contains(reason) { reasons.append(reason) }
    }
}

public struct PathWipe {
    public let path: BytePath
    public let reach: Reach
    /// What there is to wipe.
    public let files: UInt64
    public let bytes: UInt64
    /// Files that have names elsewhere, too: what they hold is gone there as well.
    public let linked: UInt64

    let identity: FileIdentity
    /// Over what is to go, as it is now: another one once an entry was replaced, or something was written.
    let content: UInt64
    private let folder: Descriptor
    private let name: [UInt8]

    /// - Throws: `WipeError` where it is nothing to wipe, or is in use.
    public init(_ path: BytePath) throws {
        do {
            guard path != "/", !path.lastComponent.isEmpty else {
                throw WipeError.notAPath(path: path, reason: "it is everything")
            }
            folder = try Descriptor.open(path.parent, .directory)
            name = path.lastComponent
            // As the kernel calls it: whoever has it open is known by that name.
            let path = BytePath(try folder.pathNow()).appending(name)
            self.path = path
            let status = try folder.status(of: name)
            identity = FileIdentity(status)
            guard status.kind == .file || status.kind == .directory else {
                throw WipeError.notAPath(path: path, reason: "it is neither a file nor a folder")
            }
            guard try folder.status().mount == status.mount else {
                throw WipeError.notAPath(path: path, reason: "something is mounted there")
            }
            guard let mount = try Mount.holding(folder.open(name, .place)) else {
                throw WipeError.notAPath(path: path, reason: "it is on no file system that can be told")
            }
            reach = Reach(mount)
            let users = try TreeUse.all(of: folder.open(name, .place), at: path)
            if !users.isEmpty {
                throw WipeError.inUse(
                    device: path.description,
                    uses: users.map { $0.process == nil ? "\($0)" : "it is in use by \($0)" })
            }
            if let mount = try TreeUse.mounts(in: folder.open(name, .place), at: path).first {
                throw WipeError.inUse(
                    device: path.description, uses: ["\(mount.source) is mounted at \(mount.point)"])
            }
            var (files, bytes, content) = (UInt64(0), UInt64(0), UInt64(0))
            var names: [FileIdentity: (seen: UInt32, all: UInt32)] = [:]
            try Self.walk(folder, name, TreeBorder(status)) { _, _, status in
                files += 1
                content &+= Self.mark(of: status)
                guard status.kind == .file else { return }
                bytes += status.allocated
                if status.linkCount > 1 {
                    names[FileIdentity(status), default: (0, status.linkCount)].seen += 1
                }
            }
            (self.files, self.bytes, self.content) = (files, bytes, content)
            linked = UInt64(names.values.count { $0.seen < $0.all })
        } catch { throw WipeError.wrapping(error) }
    }

    /// The order in which a folder lists its entries plays no part: the marks are added.
    private static func mark(of status: FileStatus) -> UInt64 {
        [
            status.device, status.inode, status.size, UInt64(bitPattern: status.modified.seconds),
            UInt64(status.modified.nanoseconds), UInt64(bitPattern: status.changed.seconds),
            UInt64(status.changed.nanoseconds),
        ].reduce(0) { mark, part in
            var mixed = SplitMix(state: mark ^ part)
            return mixed.next()
        }
    }

    /// Wipes it. A stop leaves whole what was not begun; the same command takes the rest.
    public func run(_ progress: Progress) throws -> PathWipeReport {
        do { return try wipe(progress) } catch { throw WipeError.wrapping(error) }
    }

    /// First all content and the names below go; then, once that has come to its place on the medium, the entries. Up to the very last
    /// step it is found by its name: whatever ends this, the same command takes the rest.
    private func wipe(_ progress: Progress) throws -> PathWipeReport {
        try self.check(isStill: { try PathWipe(path) }, unless: WipeError.self)
        var report = PathWipeReport(reasons: reach.reasons, notes: reach.notes)
        progress.expect(bytes: bytes, items: 0)
        if linked > 0 { report.notes.append("\(linked) files had names elsewhere, too, and hold nothing there now") }
        let overwrite = try FileOverwrite(reach, progress)
        let border = TreeBorder(try folder.status(of: name))
        var kept: Set<FileIdentity> = []
        var besides: UInt64 = 0
        try Self.walk(folder, name, border) { folder, name, status in
            report.files += 1
            if try Self.isBeside(folder, name, status) { besides += 1 }
            if status.kind == .file {
                report.bytes += status.size
                do {
                    try Self.content(folder, name, overwrite, &report)
                } catch let error as SystemError {
                    report.add("\(printable(name)): \(error)")
                    kept.insert(FileIdentity(status))
                }
            }
        }
        if besides > 0 {
            report.add("what \(besides) of them had in extended attributes or as the target of a long link may be left")
        }
        let top = FileIdentity(try folder.status(of: name))
        try Self.walk(folder, name, border) { folder, name, status in
            if try Self.holdsAny(of: kept, folder, name, status) {
                kept.insert(FileIdentity(status))
            } else if FileIdentity(status) != top {
                try Self.conceal(folder, name)
            }
        }
        var isCleared = folder.clearJournal()
        try folder.synchronizeFileSystem()
        try Self.walk(folder, name, border) { folder, name, status in
            if kept.contains(FileIdentity(status)) { return }
            try folder.remove(name, directory: status.kind == .directory)
        }
        try folder.synchronize()
        isCleared = folder.clearJournal() && isCleared
        if reach.hasJournal, !isCleared {
            report.notes.append("names may be left in the journal of the file system")
        }
        report.verified = overwrite.verified
        return report
    }

    /// - Throws: where it is still there, whether it was begun or not, as the sentence says.
    private static func content(
        _ folder: Descriptor, _ name: [UInt8], _ overwrite: FileOverwrite, _ report: inout PathWipeReport
    ) throws {
        let file: Descriptor
        do throws(SystemError) {
            file = try folder.open(name, [.readWrite, .nonBlocking])
        } catch {
            throw SystemError(error.code, "open, and it is as it was,", printable(name))
        }
        do {
            if let reason = try overwrite.overwrite(file) { report.add(reason) }
            try file.truncate(to: 0)
        } catch let error as SystemError {
            throw SystemError(error.code, "finish, and it may be overwritten in part,", printable(name))
        }
    }

    private static func holdsAny(
        of kept: Set<FileIdentity>, _ folder: Descriptor, _ name: [UInt8], _ status: FileStatus
    ) throws -> Bool {
        if kept.isEmpty || kept.contains(FileIdentity(status)) { return !kept.isEmpty }
        guard status.kind == .directory else { return false }
        let opened = try folder.open(name, .directory)
        let names = try DirectoryListing(of: opened)
        return try (0..<names.count).contains { kept.contains(FileIdentity(try opened.status(of: names[$0]))) }
    }

    /// Another name of the same length takes the place of this one. Where all of them are taken, a short name stays as it is.
    private static func conceal(_ folder: Descriptor, _ name: [UInt8]) throws {
        for _ in 0..<100 {
            let other = name.map { _ in UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "z")) }
            let moved = Result { () throws(SystemError) in try folder.move(name, to: other, in: folder) }
            if case .failure(let error) = moved, error.code == EEXIST { continue }
            return try moved.get()
        }
    }

    /// Everything below, what is in a folder before the folder, without leaving the file system, at any depth.
    private static func walk(
        _ folder: Descriptor, _ name: [UInt8], _ border: TreeBorder,
        _ body: (_ folder: Descriptor, _ name: [UInt8], _ status: FileStatus) throws -> Void
    ) throws {
        let status = try folder.status(of: name)
        func refuse(_ name: [UInt8]) -> WipeError {
            .notAPath(path: BytePath(name), reason: "something is mounted there, or it is a subvolume")
        }
        if border.isCrossed(by: status) { throw refuse(name) }
        if status.kind == .directory {
            var rules = TreeWalk.Rules()
            rules.isBorder = { border.isCrossed(by: $0) }
            let walk = try TreeWalk(folder.open(name, .directory), rules: rules)
            var above: [(name: [UInt8], status: FileStatus)] = []
            while let step = walk.next() {
                switch step {
                case .entry(let entry):
                    if entry.isBorder { throw refuse(entry.name) }
                    // One that cannot be entered is said by the step that follows.
                    if entry.status.kind != .directory { try body(entry.folder, entry.name, entry.status) }
                case .enter(let entry, _): above.append((entry.name, entry.status))
                case .leave:
                    if let entry = above.popLast(), let folder = walk.current {
                        try body(folder, entry.name, entry.status)
                    }
                case .unreadable(let path, let error):
                    throw SystemError(error.code, error.operation, printable(path))
                }
            }
        }
        try body(folder, name, status)
    }

    /// What a file or link holds outside of its content, and no overwrite reaches.
    private static func isBeside(_ folder: Descriptor, _ name: [UInt8], _ status: FileStatus) throws -> Bool {
        // Longer ones have a block of their own.
        if status.kind == .symbolicLink { return status.size >= 60 }
        return try folder.extendedAttributes(of: name).contains { attribute in
            !["security.", "system.posix_acl_"].contains { attribute.name.starts(with: $0.utf8) }
        }
    }
}
