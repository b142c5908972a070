// What a restore sets besides content: nodes, names, owners, modes, attributes, times, flags.
//
// Nothing is set by a name: where others may write, it may belong to another file by then. What is to be changed is opened,
// looked at, and changed through its descriptor.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension Restorer {
    // MARK: Nodes

    /// Removes what has the name; a folder only where it is empty, or where the restore is exact.
    func makeRoom(for name: [UInt8], in folder: Descriptor) throws(SystemError) {
        let there: FileStatus
        do throws(SystemError) { there = try folder.status(of: name) } catch {
            if error.isAbsent { return }
            throw error
        }
        if request.isExact, there.kind == .directory {
            if try RestoreFolder.removeTree(name, in: folder, at: BytePath(name), restorer: self) {
                return
            }
        }
        try remove(name, there, in: folder)
    }

    /// Removes what is no folder, or an empty one.
    func remove(_ name: [UInt8], _ there: FileStatus, in folder: Descriptor) throws(SystemError) {
        // Where protection cannot be lifted, the removal fails and says so.
        if there.kind == .file, let file = try? folder.open(name, .nonBlocking),
            let status = try? file.status(), FileIdentity(status) == FileIdentity(there)  // As above.
        {
            _ = try liftProtection(of: file)
        }
        try folder.remove(name, directory: there.kind == .directory)
    }

    func special(_ entry: Entry, in folder: RestoreFolder) {
        guard let above = folder.descriptor() else { return }
        let path = folder.path.appending(entry.name)
        let isDevice = entry.kind == .characterDevice || entry.kind == .blockDevice
        if isDevice && !request.devices {
            return fail(
                Finding(.notRestored, path, "is a device; repeat with --devices if devices are wanted"), entry.name,
                in: folder)
        }
        do {
            var isThere = false
            if let there = try place(entry.name, in: above) {
                isThere = true
                try folder.expectSpelling(of: entry.name)
                let status = try there.status()
                // Under another name it may be somebody else's.
                if try isNode(there, entry), status.linkCount == 1 || isSame(status, entry, on: folder.fileSystem) {
                    return apply(entry, toPlace: there, at: path, on: folder.fileSystem)
                }
            }
            if isThere { try makeRoom(for: entry.name, in: above) }
            do throws(SystemError) {
                try makeNode(entry, in: above)
            } catch {
                guard error.isPresent else { throw error }
                // A file got it just now, by a name in other letters as a rule.
                try folder.expectSpelling(of: entry.name)
                try makeRoom(for: entry.name, in: above)
                try makeNode(entry, in: above)
            }
            // Where others may write, somebody may have put another one in its place.
            guard let made = try place(entry.name, in: above), try isNode(made, entry),
                case let status = try made.status(), try isOwn(status, madeIn: above), status.linkCount <= 1
            else { throw FormatError("somebody put something else in its place while it was restored") }
            folder.noteName(entry.name)
            apply(entry, toPlace: made, at: path, on: folder.fileSystem)
        } catch { fail(Finding(.notRestored, path, "\(error)"), entry.name, in: folder) }
    }

    /// What has a name, whatever it is; nil where nothing has.
    func place(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            return try folder.open(name, .place)
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }

    /// Whether it is the link or node that an entry describes.
    private func isNode(_ there: Descriptor, _ entry: Entry) throws -> Bool {
        let status = try there.status()
        guard status.kind == entry.kind else { return false }
        switch entry.kind {
        case .symbolicLink: return try there.readLinkOfPlace() == entry.target
        case .characterDevice, .blockDevice:
            return status.nodeMajor == entry.nodeMajor && status.nodeMinor == entry.nodeMinor
        default: return true
        }
    }

    private func makeNode(_ entry: Entry, in folder: Descriptor) throws(SystemError) {
        let type: UInt32
        switch entry.kind {
        case .symbolicLink: return try folder.makeSymbolicLink(entry.name, target: entry.target)
        case .characterDevice: type = S_IFCHR
        case .blockDevice: type = S_IFBLK
        case .fifo: type = S_IFIFO
        default: type = S_IFSOCK
        }
        try folder.makeNode(entry.name, mode: type | 0o600, major: entry.nodeMajor, minor: entry.nodeMinor)
    }

    /// An immutable file is not changed, moved nor linked: lifts that, and says what to set again.
    func liftProtection(of file: Descriptor) throws(SystemError) -> UInt32? {
        guard let flags = file.flags, flags & Descriptor.protectingFlags != 0 else { return nil }
        try file.setFlags(flags & ~Descriptor.protectingFlags)
        return flags
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

    /// Tries to set something, and says where the file system does not keep it.
    private func attempt(
        _ aspect: TargetFileSystem.Aspect, _ path: BytePath, on fileSystem: TargetFileSystem?,
        failed: inout [TargetFileSystem.Aspect], _ step: () throws(SystemError) -> Void
    ) {
        do throws(SystemError) {
            try step()
        } catch {
            note(error, aspect, path, on: fileSystem, failed: &failed)
        }
    }

    private func note(
        _ error: SystemError, _ aspect: TargetFileSystem.Aspect, _ path: BytePath, on fileSystem: TargetFileSystem?,
        failed: inout [TargetFileSystem.Aspect]
    ) {
        guard let fileSystem, fileSystem.isRefusal(error, of: aspect) else {
            failed.append(aspect)
            return note(error, path)
        }
        if !failed.contains(aspect) { fileSystem.lose(aspect, path, error) }
        failed.append(aspect)
    }

    /// Sets everything but the protecting flags. The owner comes first, since a change of owner clears set-user-ID and
    /// capabilities.
    /// - Parameter owner: who has it now, where that is known already.
    func apply(
        _ entry: Entry, to file: Descriptor, at path: BytePath, on fileSystem: TargetFileSystem?, fresh: Bool,
        owner: (user: UInt32, group: UInt32)? = nil
    ) {
        var failed: [TargetFileSystem.Aspect] = []
        // Where it cannot be looked at, the owner is set.
        let status = owner ?? (try? file.status()).map { ($0.user, $0.group) }
        if status?.user != entry.user || status?.group != entry.group {
            attempt(.owners, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
                try file.setOwner(user: entry.user, group: entry.group)
            }
        }
        attempt(.permissions, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
            try file.setMode(entry.mode)
        }
        for error in file.setExtendedAttributes(entry.attributes + keptAttributes(of: file, fresh), fresh: fresh) {
            note(error, .attributes, path, on: fileSystem, failed: &failed)
        }
        // A new one may have that of the folder around it; of what was there an earlier image does not know it.
        if entry.project != 0 || fresh, file.project ?? 0 != entry.project {
            attempt(.projects, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
                try file.setProject(entry.project)
            }
        }
        setTime(entry, of: file, at: path, on: fileSystem, failed: &failed)
    }

    /// Attributes that belong to the target and not to what is restored. What cannot be looked at fails when it is set.
    private func keptAttributes(of file: Descriptor, _ fresh: Bool) -> [ExtendedAttribute] {
        guard !fresh, let prefix = request.keptAttributes else { return [] }
        // As it says above.
        return ((try? file.extendedAttributes()) ?? []).filter { $0.name.starts(with: prefix.utf8) }
    }

    /// The last of what is set; then what there is now is compared.
    private func setTime(
        _ entry: Entry, of file: Descriptor, at path: BytePath, on fileSystem: TargetFileSystem?,
        failed: inout [TargetFileSystem.Aspect]
    ) {
        attempt(.times, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
            try file.setModificationTime(
                seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
        }
        do throws(SystemError) {
            try fileSystem?.compare(file, with: entry, at: path, failed: failed)
        } catch { note(error, path) }
    }

    /// Sets the flags, the protecting ones among them: nothing can be changed after it.
    func protect(_ file: Descriptor, _ entry: Entry, at path: BytePath, on fileSystem: TargetFileSystem?) {
        if entry.flags == 0 && (file.flags ?? 0) & Descriptor.protectingFlags == 0 { return }
        var failed: [TargetFileSystem.Aspect] = []
        attempt(.flags, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
            try file.setFlags(entry.flags)
        }
        if failed.isEmpty, let fileSystem, !fileSystem.keepsMetadata, (file.flags ?? 0) != entry.flags {
            fileSystem.lose(.flags, path)
        }
    }

    /// The last step for a folder, or for a file whose content was there.
    func finish(
        _ file: Descriptor, _ entry: Entry, at path: BytePath, on fileSystem: TargetFileSystem?, fresh: Bool
    ) {
        if !fresh { attempt(path) { () throws(SystemError) in _ = try liftProtection(of: file) } }
        apply(entry, to: file, at: path, on: fileSystem, fresh: fresh)
        protect(file, entry, at: path, on: fileSystem)
    }

    private func apply(
        _ entry: Entry, toPlace place: Descriptor, at path: BytePath, on fileSystem: TargetFileSystem?
    ) {
        var failed: [TargetFileSystem.Aspect] = []
        attempt(.owners, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
            try place.setOwner(user: entry.user, group: entry.group)
        }
        if entry.kind != .symbolicLink {
            attempt(.permissions, path, on: fileSystem, failed: &failed) { () throws(SystemError) in
                try place.setModeOfPlace(entry.mode)
            }
        }
        for error in place.setExtendedAttributesOfPlace(entry.attributes) {
            note(error, .attributes, path, on: fileSystem, failed: &failed)
        }
        setTime(entry, of: place, at: path, on: fileSystem, failed: &failed)
    }

    /// Whether owner, mode and time are the entry's, as far as this user may set them and the file system keeps them.
    func isSame(_ status: FileStatus, _ entry: Entry, on fileSystem: TargetFileSystem?) -> Bool {
        func loses(_ aspect: TargetFileSystem.Aspect) -> Bool { fileSystem?.loses(aspect) == true }
        let isOwner =
            status.user == entry.user && status.group == entry.group || !HostFacts.isRoot || loses(.owners)
        return isOwner && (status.mode == entry.mode || entry.kind == .symbolicLink || loses(.permissions))
            && (status.modified == entry.modified || loses(.times))
    }

    /// Whether everything that surrounds the content of an open file is the entry's.
    func isSame(_ file: Descriptor, _ entry: Entry, on fileSystem: TargetFileSystem?) throws -> Bool {
        guard isSame(try file.status(), entry, on: fileSystem) else { return false }
        let wanted = entry.attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        return try file.extendedAttributes() == wanted && (file.flags ?? entry.flags) == entry.flags
    }
}
