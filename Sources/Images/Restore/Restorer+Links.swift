// Further names of files: given when the first is in place, and to what was restored under it alone.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension Restorer {
    /// Links wait until the files that they share an inode with are in place.
    func makeLinks() {
        waitUntilIdle()
        for (folder, entry, path) in links {
            if !isDryRun, let above = folder.descriptor() {
                do {
                    try link(entry, to: path, in: folder, above)
                } catch {
                    let isMissing = (error as? SystemError)?.isAbsent == true
                    let reason = isMissing ? ", which was not restored" : ": \(error)"
                    stop(ifFatal: error)
                    fail(
                        Finding(
                            .notRestored, folder.path.appending(entry.name),
                            "is a hard link to \(printable(path))\(reason)"), entry.name, in: folder)
                }
            }
            folder.release()
        }
        links = []
    }

    private func link(_ entry: Entry, to path: [UInt8], in into: RestoreFolder, _ above: Descriptor) throws {
        let names = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        guard let last = names.last, names.allSatisfy(Entry.isValidName), var folder = try sourceFolder() else {
            throw FormatError("a hard link's target is not allowed")
        }
        if hasFailed(names) { throw SystemError(ENOENT, "link to", printable(last)) }
        for name in names.dropLast() { folder = try folder.open(name, [.directory]) }
        try link(entry, to: last, in: folder, from: into, above)
    }

    private func link(
        _ entry: Entry, to last: [UInt8], in folder: Descriptor, from into: RestoreFolder, _ above: Descriptor
    ) throws {
        guard let first = try place(last, in: folder), case let status = try first.status(),
            status.kind != .directory
        else { throw SystemError(ENOENT, "link to", printable(last)) }
        // Where others may write, another file may have the first name by now; what the image says of both is the same.
        let isShared = Self.isShared(try folder.status())
        guard !isShared || isSame(status, entry, on: into.fileSystem) || isUnknown(entry) else {
            throw FormatError("somebody put something else in place of the first name while it was restored")
        }
        let there = try place(entry.name, in: above)
        let temporary = try partialNames.name(inode: status.inode)
        if let there {
            try into.expectSpelling(of: entry.name)
            if FileIdentity(try there.status()) == FileIdentity(status) { return }
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
            if let file, let flags {
                attempt(into.path.appending(entry.name)) { () throws(SystemError) in try file.setFlags(flags) }
            }
        }
        do throws(SystemError) {
            if there == nil {
                try first.giveName(entry.name, in: above)
            } else {
                try replace(entry.name, in: above, with: first, as: temporary)
            }
        } catch {
            guard Self.hasNoLinks(error) else { throw error }
            try copy(file ?? first, status, flags, to: entry.name, in: into, above, isThere: there != nil)
            into.fileSystem?.lose(.hardLinks, into.path.appending(entry.name), error)
        }
        into.noteName(entry.name)
    }

    /// Whether there are no links here, none to there, or no more of this file.
    private static func hasNoLinks(_ error: SystemError) -> Bool {
        [EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV].contains(error.code)
    }

    /// Makes an entry of its own that is what the first name leads to.
    private func copy(
        _ first: Descriptor, _ status: FileStatus, _ flags: UInt32?, to name: [UInt8], in folder: RestoreFolder,
        _ above: Descriptor, isThere: Bool
    ) throws {
        var entry = Entry(name: name, status: status)
        let path = folder.path.appending(name)
        guard status.kind == .file else {
            if status.kind == .symbolicLink { entry.target = try first.readLinkOfPlace() }
            entry.attributes = try first.extendedAttributesOfPlace()
            return special(entry, in: folder)
        }
        entry.attributes = try first.extendedAttributes()
        entry.flags = flags ?? first.flags ?? 0
        let output = try PartialFile(in: above, partialNames)
        do {
            guard try first.copyContent(to: output.file, size: status.size, step: checkStop) else {
                throw FormatError("the first name's content became shorter")
            }
            apply(entry, to: output.file, at: path, on: folder.fileSystem, fresh: false)
            try folder.give(name, to: output, isThere: isThere, in: above)
        } catch {
            output.discard()
            throw error
        }
        if entry.flags != 0 { protect(output.file, entry, at: path, on: folder.fileSystem) }
        countFile(written: true, isReplaced: isThere, bytes: status.size)
    }

    /// Puts a further name in place of what has it: at no time has nothing the name. A crash leaves a second name for a while, which the
    /// next restore into the folder clears.
    private func replace(
        _ name: [UInt8], in folder: Descriptor, with file: Descriptor, as temporary: [UInt8]
    ) throws(SystemError) {
        try file.giveName(temporary, in: folder)
        do throws(SystemError) {
            do throws(SystemError) {
                try folder.rename(temporary, to: name)
            } catch {
                guard [EPERM, EISDIR, EEXIST, ENOTEMPTY].contains(error.code) else { throw error }
                try makeRoom(for: name, in: folder)
                try folder.rename(temporary, to: name)
            }
        } catch {
            // It was given a moment ago; where it stays, the next restore clears it.
            try? folder.remove(temporary)
            throw error
        }
        // Of two names of one file, a rename takes none away: they may have looked like two files, whose numbers go by the name.
        try? folder.remove(temporary)  // As a rule it is gone.
    }

    /// Archives of other programs say nothing of further names but that they are some.
    private func isUnknown(_ entry: Entry) -> Bool { entry.modified == Timestamp(seconds: 0, nanoseconds: 0) }

    /// Whether others than root and this user may give and take names in a folder.
    static func isShared(_ status: FileStatus) -> Bool {
        status.user != 0 && status.user != geteuid() || status.mode & 0o022 != 0
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

    // MARK: Names whose first name is not selected

    /// Goes over the image once more for the content of names that are selected, and whose first name is not: the content is
    /// the image's and never that of whatever has the first name in the target.
    func restoreOrphans() throws {
        if orphans.isEmpty || isDryRun { return }
        waitUntilIdle()
        var wanted: [OrphanedLink.Key: [OrphanedLink]] = [:]
        for orphan in orphans { wanted[orphan.key, default: []].append(orphan) }
        let groups = wanted
        if reader.rewind() {
            var place = OrphanedLink.Key(source: [], path: [])
            while !wanted.isEmpty, let batch = try reader.nextBatch() {
                try checkStop()
                guard let records = batch.records else {
                    closeOrphan()
                    continue
                }
                var items = RecordReader(records)
                while let item = try items.next() {
                    guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
                    restoreOrphan(record, at: &place, &wanted, batch.chunks)
                }
            }
            closeOrphan()
            waitUntilIdle()
        }
        for (key, group) in groups {
            let isLost = wanted[key] != nil
            for orphan in isLost ? group[...] : group.dropFirst() {
                let path = orphan.folder.path.appending(orphan.entry.name)
                do {
                    guard !isLost, let first = group.first, let folder = first.folder.descriptor(),
                        let above = orphan.folder.descriptor()
                    else { throw FormatError("it could not be had") }
                    try link(orphan.entry, to: first.entry.name, in: folder, from: orphan.folder, above)
                } catch {
                    let reason = "is a hard link to \(printable(key.path)), which is not selected; select both"
                    fail(Finding(.notRestored, path, reason), orphan.entry.name, in: orphan.folder)
                }
            }
        }
    }

    private func closeOrphan() {
        submitJob()
        guard let file else { return }
        file.fail("a part of its content is missing from the manifest")
        file.close(size: file.entry.size)
        self.file = nil
    }

    private func restoreOrphan(
        _ record: Record, at place: inout OrphanedLink.Key, _ wanted: inout [OrphanedLink.Key: [OrphanedLink]],
        _ chunks: any ChunkProvider
    ) {
        switch record {
        case .position(let position):
            place = OrphanedLink.Key(
                source: position.source,
                path: position.path.split(separator: UInt8(ascii: "/")).map(Array.init))
            place.isInside = position.depth > 0
        case .source(let path): place = OrphanedLink.Key(source: path, path: [])
        case .enter(let entry):
            if place.isInside { place.names.append(entry.name) } else { place.isInside = true }
        case .leave:
            if place.names.isEmpty { place.isInside = false } else { place.names.removeLast() }
        case .entry(let entry):
            closeOrphan()
            let key = OrphanedLink.Key(source: place.source, path: place.names + [entry.name])
            guard entry.kind != .hardLink, let first = wanted.removeValue(forKey: key)?.first else { return }
            var renamed = entry
            renamed.name = first.entry.name
            if entry.kind == .file {
                begin(file: renamed, in: first.folder, chunks)
            } else {
                special(renamed, in: first.folder)
            }
        case .content(let slices): add(slices, chunks)
        case .restart:
            submitJob()
            waitUntilIdle()
            file?.restart()
        case .finish(let remarks, let size):
            if remarks.contains(.unreadable) { file?.fail("it could not be read when it was backed up") }
            file?.close(size: size)
            file = nil
        }
    }
}

/// A selected name of a file whose first name is not selected.
struct OrphanedLink {
    struct Key: Hashable {
        var source: [UInt8]
        var names: [[UInt8]]
        /// Whether the source itself has been entered.
        var isInside = false
        var path: [UInt8] { Array(names.joined(separator: [UInt8(ascii: "/")])) }

        init(source: [UInt8], path: [[UInt8]]) {
            self.source = source
            names = path
        }

        static func == (left: Key, right: Key) -> Bool { left.source == right.source && left.names == right.names }
        func hash(into hasher: inout Hasher) {
            hasher.combine(source)
            hasher.combine(names)
        }
    }
    let source: [UInt8]
    let folder: RestoreFolder
    let entry: Entry
    var key: Key { Key(source: source, path: entry.target.split(separator: UInt8(ascii: "/")).map(Array.init)) }
}
