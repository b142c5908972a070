// The walk over the manifest: it makes folders and hands chunks to the workers of the queue. After a loss it goes on where the next piece says
// that it is.

internal import Platform
internal import Reporting

extension Restorer {
    /// Ends what is open: a piece of the manifest is missing, or there is no more.
    func loseTrack() {
        // Its content is not whole, so it cannot be known.
        if let file = waiting {
            waiting = nil
            self.file = RestoreFile(file.entry, in: file.folder, restorer: self)
            file.folder.release()
        }
        submitJob()
        if let file {
            if file.keepsRest {
                lostFile = file
            } else {
                file.loseRest("a part of its content is missing from the manifest")
            }
        }
        file = nil
        while let last = folders.popLast() { last.folder.release() }
        below = []
        isLost = true
    }

    func walk(_ records: [UInt8], _ chunks: any ChunkProvider) throws {
        var items = RecordReader(records)
        while let item = try items.next() {
            if isStopped { return }
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            if isClearing, passesOver(record) { continue }
            switch record {
            case .position(let position): if isLost { try resume(position) }
            case .source(let path): try begin(path)
            case .enter(let entry): try enter(entry)
            case .leave: try leave()
            case .entry(let entry): try take(entry, chunks)
            case .content(let slices):
                if waiting != nil {
                    waiting?.slices += slices
                    if waiting?.slices.count ?? 0 > KnownEntries.sliceLimit { beginWaiting(chunks) }
                } else {
                    add(slices, chunks)
                }
            case .restart:
                beginWaiting(chunks)
                submitJob()
                waitUntilIdle()
                file?.restart()
            case .finish(let remarks, let size):
                if let file = waiting {
                    if remarks.isEmpty, size == file.entry.size,
                        request.known?.contains(file.entry, file.slices, in: below) == true
                    {
                        waiting = nil
                        countFile(written: false, bytes: 0)
                        file.folder.release()
                        continue
                    }
                    beginWaiting(chunks)
                }
                if remarks.contains(.unreadable) { file?.fail("it could not be read when it was backed up") }
                file?.close(size: size)
                file = nil
            }
        }
    }

    /// Whether a record makes something, which is not done while what is in the way is taken away: a name alone counts.
    private func passesOver(_ record: Record) -> Bool {
        switch record {
        case .entry(let entry):
            if !folders.isEmpty { folders[folders.count - 1].names?.insert(entry.name) }
            return true
        case .content, .restart, .finish: return true
        case .position, .source, .enter, .leave: return false
        }
    }

    /// Goes on after a loss, where the next piece says that it is.
    private func resume(_ position: Position) throws {
        isLost = false
        try enterFolders(of: position)
        try resumeStream(position)
    }

    /// The volume of a disk goes on behind what is lost of it.
    private func resumeStream(_ position: Position) throws {
        let reason = "a part of the image's manifest is lost"
        guard isOfStreams, let name = position.file, let offset = position.offset else { return endLost() }
        if let last = lostFile, last.entry.name == name, last.lose(to: offset, reason) {
            lostFile = nil
            file = last
            return
        }
        endLost()
        guard Entry.isValidName(name), let folder = folders.last else { return }
        let isSelected = isSelected(below + [name], inSelected: folder.isSelected)
        count(isSelected, folder.folder.path.appending(name))
        guard isSelected else { return }
        // How long it is its end says.
        var entry = Entry()
        (entry.name, entry.mode, entry.contentFollows) = (name, 0o600, true)
        let begun = RestoreFile(entry, in: folder.folder, restorer: self, keepsRest: true)
        if begun.lose(to: offset, reason) { file = begun } else { begun.loseRest(reason) }
    }

    /// Ends a volume of a disk that does not go on.
    /// - Parameter isWanted: whether what of it came is worth having.
    func endLost(isWanted: Bool = true) {
        guard let lost = lostFile else { return }
        lostFile = nil
        if !isWanted { lost.fail("the restore ended before it was whole") }
        lost.loseRest("a part of its content is missing from the image")
    }

    /// Whether what comes are the volumes of a disk.
    var isOfStreams: Bool {
        folders.count == 1 && reader.label?.isOfDisk == true && reader.label?.sources.first?.bytes == source
    }

    private func enterFolders(of position: Position) throws {
        guard !position.source.isEmpty || position.depth > 0 else { return }
        if position.source != source { try begin(position.source) }
        guard position.depth > 0 else { return }
        try enter(nil, name: BytePath(source).lastComponent)
        for name in position.path.split(separator: UInt8(ascii: "/")) { try enter(nil, name: Array(name)) }
    }

    private func begin(_ path: [UInt8]) throws {
        // Links are within one source: those that wait belong to the one that ends here.
        makeLinks()
        source = path
        while let last = folders.popLast() { last.folder.release() }
        below = []
    }

    /// The folder in which the source is restored: made anew for each source.
    private func base() throws -> RestoreFolder {
        if target == nil {
            target = RestoreFolder(
                parent: nil, name: [], entry: nil, path: request.target, opened: opened,
                isSelected: false, restorer: self)
        }
        guard var folder = target else { throw FormatError("there is no target") }
        if isSingleSource { return folder }
        // Several sources keep their paths below the target; the last component is the source's own.
        for component in BytePath(source).components.dropLast() {
            let name = Array(component)
            guard Entry.isValidName(name) else { throw FormatError("a source's path is not allowed") }
            let next = RestoreFolder(
                parent: folder, name: name, entry: nil, path: folder.path.appending(name), opened: nil,
                isSelected: false, restorer: self)
            if folder !== target { folder.release() }
            folder = next
        }
        return folder
    }

    /// Where things go depends on the source: before one is known, nothing is placed.
    private func checkSource() throws {
        if source.isEmpty { throw FormatError("an entry comes before its source") }
    }

    private func enter(_ entry: Entry) throws { try enter(entry, name: entry.name) }

    private func enter(_ entry: Entry?, name: [UInt8]) throws {
        guard folders.count < Format.maximumDepth else { throw FormatError("a tree is deeper than any can be") }
        let names: Set<[UInt8]>? = request.isExact && entry != nil ? [] : nil
        if !folders.isEmpty { folders[folders.count - 1].names?.insert(name) }
        if let last = folders.last {
            let isSelected = isSelected(below + [name], inSelected: last.isSelected)
            if isSelected { refuse(ifStore: last.folder) }
            below.append(name)
            let folder = RestoreFolder(
                parent: last.folder, name: name, entry: entry, path: last.folder.path.appending(name), opened: nil,
                isSelected: isSelected, restorer: self)
            folders.append((folder, isSelected, names))
        } else {
            try checkSource()
            let isSelected = selectsSource()
            let base = try base()
            if isSelected { refuse(ifStore: base) }
            let own = BytePath(source).lastComponent
            let folder: RestoreFolder
            if isSingleSource || own.isEmpty {
                folder = RestoreFolder(
                    parent: base, name: [], entry: entry, path: base.path, opened: opened,
                    isSelected: isSelected, restorer: self)
            } else {
                guard Entry.isValidName(own) else { throw FormatError("a source's path is not allowed") }
                folder = RestoreFolder(
                    parent: base, name: own, entry: entry, path: base.path.appending(own), opened: nil,
                    isSelected: isSelected, restorer: self)
            }
            if base !== target { base.release() }
            folders.append((folder, isSelected, names))
        }
        count(folders[folders.count - 1].isSelected, folders[folders.count - 1].folder.path)
        if folders[folders.count - 1].isSelected, !isDryRun { _ = folders[folders.count - 1].folder.descriptor() }
    }

    private func leave() throws {
        guard let last = folders.popLast() else { throw FormatError("a directory is left that was not entered") }
        if !below.isEmpty { below.removeLast() }
        if let names = last.names, last.isSelected, !isDryRun { last.folder.removeOthers(than: names) }
        last.folder.release()
    }

    private func take(_ entry: Entry, _ chunks: any ChunkProvider) throws {
        if !folders.isEmpty { folders[folders.count - 1].names?.insert(entry.name) }
        beginWaiting(chunks)
        file?.loseRest("its end is missing")
        file = nil
        let isRoot = folders.isEmpty
        if isRoot { try checkSource() }
        let folder = try folders.last?.folder ?? base()
        defer { if isRoot, folder !== target { folder.release() } }
        let isSelected = isSelected(below + [entry.name], inSelected: folders.last?.isSelected == true)
        count(isSelected, folder.path.appending(entry.name))
        guard isSelected else { return }
        refuse(ifStore: folder)
        switch entry.kind {
        case .file: take(file: entry, in: folder, chunks)
        case .hardLink:
            folder.hold()
            guard isRestored(entry.target) else {
                return orphans.append(OrphanedLink(source: source, folder: folder, entry: entry))
            }
            links.append((folder, entry, entry.target))
            if links.count >= 1000 { makeLinks() }
        case .directory: break
        default: if !isDryRun { special(entry, in: folder) }
        }
    }
}
