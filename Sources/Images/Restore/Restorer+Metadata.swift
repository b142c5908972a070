// What a restore sets besides content: links, nodes, names, owners, modes, attributes, times, flags.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension Restorer {
    // MARK: Links and nodes

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
        if let there = try? above.status(of: entry.name) {
            if let wanted = try? folder.status(of: last), wanted.inode == there.inode, wanted.device == there.device {
                return
            }
            try makeRoom(for: entry.name, in: above)
        }
        let flags = try liftProtection(of: last, in: folder)
        try above.makeLink(entry.name, to: last, in: folder)
        if let flags { try folder.open(last, .nonBlocking).setFlags(flags) }
    }

    /// An immutable file takes no further names: lifts that, and says what to set again.
    func liftProtection(of name: [UInt8], in folder: Descriptor) throws -> UInt32? {
        guard try folder.status(of: name).kind == .file else { return nil }
        let file = try folder.open(name, .nonBlocking)
        guard let flags = file.flags, flags & Descriptor.protectingFlags != 0 else { return nil }
        try file.setFlags(flags & ~Descriptor.protectingFlags)
        return flags
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

    /// Removes what has the name; a folder only where it is empty, or where the restore is exact.
    func makeRoom(for name: [UInt8], in folder: Descriptor) throws(SystemError) {
        guard let there = try? folder.status(of: name) else { return }
        if request.isExact, there.kind == .directory {
            if try RestoreFolder.removeTree(name, in: folder, at: BytePath(name), restorer: self) {
                return
            }
        }
        if there.kind == .file, let file = try? folder.open(name, .nonBlocking), let flags = file.flags,
            flags & Descriptor.protectingFlags != 0
        {
            try file.setFlags(flags & ~Descriptor.protectingFlags)
        }
        try folder.remove(name, directory: there.kind == .directory)
    }

    func special(_ entry: Entry, in folder: RestoreFolder) {
        guard let above = folder.descriptor() else { return }
        let path = folder.path.appending(entry.name)
        let isDevice = entry.kind == .characterDevice || entry.kind == .blockDevice
        if isDevice && !request.devices {
            return findings.add(
                Finding(.notRestored, path, "is a device; repeat with --devices if devices are wanted"))
        }
        do throws(SystemError) {
            if let there = try? above.status(of: entry.name), there.kind == entry.kind,
                there.nodeMajor == entry.nodeMajor, there.nodeMinor == entry.nodeMinor,
                entry.kind != .symbolicLink || (try? above.readLink(entry.name)) == entry.target
            {
                return apply(entry, toNameIn: above, at: path, fresh: false)
            }
            try makeRoom(for: entry.name, in: above)
            let type: UInt32
            switch entry.kind {
            case .symbolicLink:
                try above.makeSymbolicLink(entry.name, target: entry.target)
                return apply(entry, toNameIn: above, at: path, fresh: true)
            case .characterDevice: type = S_IFCHR
            case .blockDevice: type = S_IFBLK
            case .fifo: type = S_IFIFO
            default: type = S_IFSOCK
            }
            try above.makeNode(entry.name, mode: type | 0o600, major: entry.nodeMajor, minor: entry.nodeMinor)
            apply(entry, toNameIn: above, at: path, fresh: true)
        } catch { findings.add(Finding(.notRestored, path, error.description)) }
    }

    // MARK: Owners, modes, attributes, times

    func note(_ error: SystemError, _ path: BytePath) {
        if error.isPermission && !HostFacts.isRoot {
            counting.withLock { notPermitted += 1 }
        } else {
            findings.add(Finding(.notRestored, path, error.description))
        }
    }

    func attempt(_ path: BytePath, _ step: () throws(SystemError) -> Void) {
        do throws(SystemError) { try step() } catch { note(error, path) }
    }

    /// Sets everything but the protecting flags. The owner comes first, since a change of owner clears set-user-ID and
    /// capabilities.
    func apply(_ entry: Entry, to file: Descriptor, at path: BytePath, fresh: Bool) {
        let status = try? file.status()
        if status?.user != entry.user || status?.group != entry.group {
            attempt(path) { () throws(SystemError) in try file.setOwner(user: entry.user, group: entry.group) }
        }
        attempt(path) { () throws(SystemError) in try file.setMode(entry.mode) }
        for error in file.setExtendedAttributes(entry.attributes, fresh: fresh) { note(error, path) }
        attempt(path) { () throws(SystemError) in
            try file.setModificationTime(
                seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
        }
    }

    /// Sets the flags, the protecting ones among them: nothing can be changed after it.
    func protect(_ file: Descriptor, _ entry: Entry, at path: BytePath) {
        if entry.flags == 0 && (file.flags ?? 0) & Descriptor.protectingFlags == 0 { return }
        attempt(path) { () throws(SystemError) in try file.setFlags(entry.flags) }
    }

    /// The last step for a folder, or for a file whose content was there.
    func finish(_ file: Descriptor, _ entry: Entry, at path: BytePath, fresh: Bool) {
        if !fresh, let flags = file.flags, flags & Descriptor.protectingFlags != 0 {
            attempt(path) { () throws(SystemError) in try file.setFlags(flags & ~Descriptor.protectingFlags) }
        }
        apply(entry, to: file, at: path, fresh: fresh)
        protect(file, entry, at: path)
    }

    func apply(_ entry: Entry, toNameIn folder: Descriptor, at path: BytePath, fresh: Bool) {
        attempt(path) { () throws(SystemError) in
            try folder.setOwner(entry.name, user: entry.user, group: entry.group)
        }
        if entry.kind != .symbolicLink {
            attempt(path) { () throws(SystemError) in try folder.setMode(entry.name, entry.mode) }
        }
        for error in folder.setExtendedAttributes(of: entry.name, entry.attributes, fresh: fresh) {
            note(error, path)
        }
        attempt(path) { () throws(SystemError) in
            try folder.setModificationTime(
                entry.name, seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
        }
    }
}
