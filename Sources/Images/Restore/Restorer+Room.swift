// Whether there is room for what is to be written, as far as that is certain before anything is.

internal import Glibc
public import Platform

extension Restorer {
    /// Refuses a restore that cannot come to its end. Holes take no room; what is there already gives its own back. Where the
    /// file system compresses, or the image can be read only once, nothing is certain.
    func checkRoom() throws {
        guard let opened, let label = reader.label else { return }
        let free = try opened.space().free
        // The label counts holes, too.
        guard label.contentBytes > free, !Self.compressing.contains(opened.fileSystemType), reader.rewind() else {
            return
        }
        var needed: UInt64 = 0
        /// What goes when files are replaced.
        var freed: UInt64 = 0
        var below: [[UInt8]] = []
        var selected: [Bool] = []
        var isCounted = false
        func count(_ slices: [Slice]) {
            guard isCounted else { return }
            for slice in slices where slice.chunk != nil { needed = Self.sum(needed, slice.length) }
        }
        while let batch = try reader.nextBatch() {
            try checkStop()
            // What is lost takes no room, and is said later.
            guard let records = batch.records else { break }
            var items = RecordReader(records)
            while let item = try items.next() {
                guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
                switch record {
                case .source(let path):
                    source = path
                    (below, selected) = ([], [])
                case .enter(let entry):
                    if !selected.isEmpty { below.append(entry.name) }
                    let isRootTaken = request.parts?.takes([]) ?? request.only.isEmpty
                    selected.append(below.isEmpty ? isRootTaken : isSelected(below, inSelected: selected.last == true))
                case .leave:
                    if !selected.isEmpty { selected.removeLast() }
                    if !below.isEmpty { below.removeLast() }
                case .entry(let entry):
                    isCounted =
                        entry.kind == .file && isSelected(below + [entry.name], inSelected: selected.last == true)
                    if isCounted, isSingleSource { freed = Self.sum(freed, there(below + [entry.name], in: opened)) }
                    count(entry.slices)
                case .content(let slices): count(slices)
                case .position, .restart, .finish: break
                }
            }
        }
        source = []
        _ = reader.rewind()
        needed -= min(needed, freed)
        if needed > free {
            // It was made a moment ago, and is empty.
            if isTargetNew { request.target.withCString { _ = rmdir($0) } }
            // What takes nothing has no room either.
            if request.target.withCString({ access($0, W_OK) }) != 0, errno == EROFS {
                throw ImageError.readOnly(subject: request.target.description)
            }
            throw ImageError.noRoom(target: request.target.description, free: free, needed: needed)
        }
    }

    /// Where an exact restore may be short of room, what goes is taken away before anything comes. What the image may have lost is left to the
    /// restore itself.
    func clearFirst() throws {
        guard request.isExact, !isDryRun, !isFresh, let opened, let label = reader.label,
            label.contentBytes > (try opened.space().free), reader.rewind()
        else { return }
        isClearing = true
        while let batch = try reader.nextBatch() {
            try checkStop()
            guard let records = batch.records else {
                loseTrack()
                continue
            }
            do { try walk(records, batch.chunks) } catch is FormatError { loseTrack() }
        }
        loseTrack()
        target?.release()
        target = nil
        isClearing = false
        isLost = false
        let removed = report.removed
        report = RestoreReport()
        report.removed = removed
        try opened.synchronizeFileSystem()
        _ = reader.rewind()
    }

    /// Bytes that go when a file is replaced.
    private func there(_ names: [[UInt8]], in target: Descriptor) -> UInt64 {
        if isFresh { return 0 }
        let path = Array(names.joined(separator: [UInt8(ascii: "/")]))
        // What cannot be looked at gives nothing back for certain.
        guard let status = try? target.openBeneath(path, .place).status(), status.kind == .file else { return 0 }
        return status.allocated
    }

    private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let (sum, overflow) = one.addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// btrfs and ZFS.
    private static let compressing: [UInt] = [0x9123_683e, 0x2fc1_2fc1]
}

/// The uppermost entries of an image of one source, at most so many; none where it can be read only once.
public func firstEntries(of reader: any ImageReader, limit: Int) throws -> [(name: [UInt8], kind: FileKind)] {
    guard let reader = reader as? any BatchedImageReader, reader.rewind() else { return [] }
    defer { _ = reader.rewind() }
    var result: [(name: [UInt8], kind: FileKind)] = []
    var depth = 0
    while result.count < limit, let batch = try reader.nextBatch() {
        guard let records = batch.records else { return result }
        var items = RecordReader(records)
        while result.count < limit, let item = try items.next() {
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            switch record {
            case .enter(let entry):
                if depth == 1 { result.append((entry.name, .directory)) }
                depth += 1
            case .leave: depth -= 1
            case .entry(let entry): if depth == 1 { result.append((entry.name, entry.kind)) }
            default: break
            }
        }
    }
    return result
}
