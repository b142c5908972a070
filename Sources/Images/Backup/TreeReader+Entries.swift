// The entries of a tree but its folders: what every one of them has, names that share a file, what is as the last run saw it, and links and
// nodes. Files with content are beside this.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension TreeReader {
    func count(_ status: FileStatus) {
        counts.entries += 1
        counts.newestChange = max(counts.newestChange, status.changed.seconds)
        progress.add(items: 1)
    }

    /// What the status says; more comes to it.
    func newEntry(_ name: [UInt8], _ status: FileStatus) -> Entry {
        isWhole = status.modified == status.modified.possible
        if !isWhole {
            findings.add(Finding(.unreadable, fullPath(name), "its time is none; the nearest is kept"))
        }
        return Entry(name: name, status: status, owners: &owners)
    }

    /// Whether a reader takes it. What it would refuse costs this entry alone.
    func isAllowed(_ entry: Entry) -> Bool {
        guard let problem = entry.problem else { return true }
        findings.add(Finding(.unreadable, fullPath(entry.name), "left out: \(problem)"))
        return false
    }

    func addAttributes(of file: Descriptor, to entry: inout Entry) {
        addAttributes(to: &entry) { limit throws(SystemError) in try file.extendedAttributes(limit: limit) }
        entry.flags = file.flags ?? 0
        entry.project = file.project ?? 0
    }

    func addAttributes(to entry: inout Entry, _ read: (_ limit: Int) throws(SystemError) -> [ExtendedAttribute]) {
        do throws(SystemError) {
            entry.attributes = try read(Format.maximumAttributesLength)
        } catch {
            isWhole = false
            let reason =
                error.code == E2BIG
                ? "there are more than the \(Format.maximumAttributesLength >> 20) MiB of them that an image holds"
                : error.reason
            findings.add(Finding(.unreadable, fullPath(entry.name), "its attributes are left out: \(reason)"))
        }
    }

    /// Notes the state by which the next run knows the file, unless it may change again within the same tick or is not whole.
    func state(_ status: FileStatus) {
        guard isWhole, status.changed < trustedBefore else { return }
        piece.bytes.append(record: .state, FileState(status).encoded())
    }

    // MARK: Entries that are no directories

    func entry(
        _ name: [UInt8], _ status: FileStatus, in folder: Descriptor, cached: WalkCacheReader.Item?
    ) throws {
        count(status)
        if status.kind != .directory, status.linkCount > 1, let first = firstLink(status) {
            if let cached { cache?.pass(cached) }
            var entry = newEntry(name, status)
            entry.kind = .hardLink
            entry.size = 0
            entry.target = first
            piece.bytes.append(record: .entry, entry.encoded())
            return try flushIfLarge()
        }
        if status.kind != .directory, status.linkCount > 1 { noteSplit(name, status) }
        if let cached {
            wasPassed = false
            if !cached.isDirectory, cached.state == FileState(status), try reuse(cached, status) {
                return remember(name, status)
            }
            if cached.isDirectory || !wasPassed { cache?.pass(cached) }
        }
        switch status.kind {
        case .file: if let read = try file(name, status, in: folder) { remember(name, read) }
        case .symbolicLink, .characterDevice, .blockDevice, .fifo, .socket:
            if special(name, status, in: folder) { remember(name, status) }
        case .directory, .hardLink: break
        }
        try flushIfLarge()
    }

    /// The path of the entry that shares this inode and is in the image, if one is.
    private func firstLink(_ status: FileStatus) -> [UInt8]? {
        let identity = FileIdentity(status)
        guard let known = links[identity] else { return nil }
        // When all have been seen nobody asks again: the table holds only groups that are open.
        links[identity] = known.left > 1 ? (known.path, known.left - 1) : nil
        return known.path
    }

    /// Notes an entry that is in the image with all that it has, so that other names of it can lead there. One that vanished, or could not
    /// be read, is none: the next name is read for itself.
    private func remember(_ name: [UInt8], _ status: FileStatus) {
        guard status.linkCount > 1 else { return }
        let full = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        links[FileIdentity(status)] = (full, status.linkCount - 1)
    }

    /// Takes over an unchanged entry, if everything that it cites is still in the store.
    func reuse(_ item: WalkCacheReader.Item, _ status: FileStatus) throws -> Bool {
        // A hard link's first path is the walk's affair, not the cache's.
        var reader = item.payload
        var slices: WireReader?
        while var field = try reader.field() {
            if field.tag == 2, try field.value.varint() == UInt64(FileKind.hardLink.rawValue) { return false }
            if field.tag == 11 { slices = field.value }
            if field.tag == 18 { return false }  // it was inconsistent or unreadable: look again
        }
        if let slices, !(try areStored(slices)) { return false }
        if let slices, !item.contentFollows { try noteUse(slices) }
        let start = piece.bytes.count
        piece.bytes += item.records
        if item.contentFollows {
            var (isComplete, isFinished) = (true, false)
            try cache?.content { record, payload in
                piece.bytes += record
                if record.first == RecordKind.content.rawValue, isComplete { isComplete = try areStored(payload) }
                if record.first == RecordKind.finish.rawValue {
                    isFinished = true
                    var reader = payload
                    while var field = try reader.field() {
                        if field.tag == 1, try field.value.varint() != 0 { isComplete = false }
                    }
                }
            }
            wasPassed = true
            if !isComplete || !isFinished {
                piece.bytes.removeSubrange(start...)
                return false
            }
        }
        if status.kind == .file {
            counts.files += 1
            counts.contentBytes.add(saturating: status.size)
            progress.add(bytes: status.size)
        }
        try flushIfLarge()
        return true
    }

    /// A file of one slice may share its chunk with others.
    func noteUse(_ payload: WireReader) throws {
        var reader = payload
        let head = try reader.varint()
        guard head & 1 == 0 else { return }
        let id = try reader.digest()
        let offset = try reader.varint()
        if reader.isAtEnd { segmentUse.add(id, offset: offset, length: head >> 1) }
    }

    func areStored(_ payload: WireReader) throws -> Bool {
        var reader = payload
        while !reader.isAtEnd {
            if try reader.varint() & 1 == 1 { continue }
            let id = try reader.digest()
            _ = try reader.varint()
            // Neighbours share segments: most questions are the one before.
            if let last = lastChecked, last.id == id {
                if last.isStored { continue }
                return false
            }
            let answer = try !sparse.contains(id) && isStored(id)
            lastChecked = (id, answer)
            if !answer { return false }
        }
        return true
    }

    /// Returns whether it is in the image.
    private func special(_ name: [UInt8], _ status: FileStatus, in folder: Descriptor) -> Bool {
        var entry = newEntry(name, status)
        do throws(SystemError) {
            if status.kind == .symbolicLink { entry.target = try folder.readLink(name) }
        } catch {
            if error.code != ENOENT { findings.add(Finding(.unreadable, fullPath(name), error.reason)) }
            return false
        }
        addAttributes(to: &entry) { limit throws(SystemError) in try folder.extendedAttributes(of: name, limit: limit) }
        guard isAllowed(entry) else { return false }
        state(status)
        piece.bytes.append(record: .entry, entry.encoded())
        return true
    }
}
