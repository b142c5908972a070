// The content of files: small ones gathered into segments, large ones cut into chunks, each read again if it changed meanwhile.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension TreeReader {
    /// Returns the state of what is in the image with its content; nil where that is not there.
    func file(_ name: [UInt8], _ status: FileStatus, in folder: Descriptor) throws -> FileStatus? {
        counts.files += 1
        let descriptor: Descriptor
        let opened: FileStatus
        do throws(SystemError) {
            descriptor = try folder.open(name, .nonBlocking)
            opened = try descriptor.status()
        } catch {
            if error.code == ENOENT { return nil }
            findings.add(Finding(.unreadable, fullPath(name), error.reason))
            var entry = newEntry(name, status)
            entry.remarks = .unreadable
            if isAllowed(entry) { piece.bytes.append(record: .entry, entry.encoded()) }
            return nil
        }
        guard opened.kind == .file else {
            findings.add(Finding(.inconsistent, fullPath(name), "replaced while it was read"))
            return nil
        }
        counts.filesRead += 1
        var entry = newEntry(name, opened)
        addAttributes(of: descriptor, to: &entry)
        guard isAllowed(entry) else { return nil }
        if opened.size == 0 {
            noteIfWrittenMeanwhile(descriptor, name)
            state(opened)
            piece.bytes.append(record: .entry, entry.encoded())
            return opened
        }
        let hasHoles = opened.allocated < opened.size
        let isRead =
            opened.size < UInt64(Segment.fileLimit) && !hasHoles
            ? try smallFile(descriptor, &entry, opened) : try largeFile(descriptor, &entry, opened)
        noteIfWrittenMeanwhile(descriptor, name)
        return isRead ? opened : nil
    }

    static let attempts = 3

    /// A file that shares a chunk with its neighbours. Returns whether its content is there.
    private func smallFile(_ file: Descriptor, _ entry: inout Entry, _ first: FileStatus) throws -> Bool {
        var before = first
        var attempt = 1
        while true {
            let size = Int(clamping: before.size)
            // One byte more, to see that there is no more.
            let job = try segmentBuffer(room: size + 1)
            let start = job.inputLength
            let room = UnsafeMutableRawBufferPointer(
                rebasing: job.input[start..<min(job.input.count, start + size + 1)])
            let count: Int
            let after: FileStatus
            do throws(SystemError) {
                count = try file.read(into: room, at: 0)
                after = try file.status()
            } catch {
                findings.add(Finding(.unreadable, fullPath(entry.name), error.reason))
                entry.remarks = .unreadable
                piece.bytes.append(record: .entry, entry.encoded())
                return false
            }
            let isWhole = count == size && after.isSameState(as: before)
            if !isWhole, attempt < Self.attempts, after.size < UInt64(Segment.fileLimit) {
                attempt += 1
                before = after
                continue
            }
            if !isWhole {
                entry.remarks = .inconsistent
                findings.add(Finding(.inconsistent, fullPath(entry.name), "changed while it was read"))
            }
            entry.modified = before.modified.possible
            entry.size = UInt64(count)
            appendSmall(entry, before, job: job, start: start, count: count, isWhole: isWhole)
            if Segment.ends(after: entry.name, in: folderName, size: UInt64(count)) { closeSegment() }
            try flushIfLarge()
            return true
        }
    }

    var folderName: [UInt8] {
        path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[($0 + 1)...]) } ?? path
    }

    func appendSmall(
        _ entry: Entry, _ status: FileStatus, job: ChunkJob, start: Int, count: Int, isWhole: Bool
    ) {
        if isWhole { state(status) }
        var payload = entry.encoded()
        var slice: [UInt8] = []
        if count > 0 {
            let place = Slice.append(length: UInt64(count), offset: UInt64(start), to: &slice)
            payload.append(varint: 11)
            payload.append(varint: UInt64(slice.count))
            let inPayload = payload.count + place
            payload += slice
            piece.bytes.append(RecordKind.entry.rawValue)
            piece.bytes.append(varint: UInt64(payload.count))
            piece.patches.append((piece.bytes.count + inPayload, job.ticket))
            piece.bytes += payload
        } else {
            piece.bytes.append(record: .entry, payload)
        }
        job.inputLength = start + count
        pieceContent += count
        counts.contentBytes.add(saturating: UInt64(count))
        progress.add(bytes: UInt64(count))
    }

    func segmentBuffer(room: Int) throws -> ChunkJob {
        if let segment, segment.input.count - segment.inputLength >= room { return segment }
        closeSegment()
        let job = try pipeline.buffer()
        segment = job
        return job
    }

    func closeSegment() {
        guard let job = segment else { return }
        segment = nil
        if job.inputLength == 0 { pipeline.discard(job) } else { pipeline.submit(job) }
    }

    /// A file with chunks of its own; read from data range to data range, so that holes cost nothing. Returns whether its content is
    /// there.
    private func largeFile(_ file: Descriptor, _ entry: inout Entry, _ first: FileStatus) throws -> Bool {
        var before = first
        entry.contentFollows = true
        let stateStart = piece.bytes.count
        state(first)
        let stateLength = piece.bytes.count - stateStart
        piece.bytes.append(record: .entry, entry.encoded())
        var isFlushed = false
        var attempt = 1
        while true {
            var remarks = Remarks()
            var size: UInt64 = 0
            do {
                size = try content(of: file, size: before.size, hasHoles: before.allocated < before.size, &isFlushed)
            } catch let error as SystemError {
                findings.add(Finding(.unreadable, fullPath(entry.name), error.reason))
                remarks = .unreadable
            }
            // What cannot be looked at is not the same.
            let after = try? file.status()
            let isWhole = remarks.isEmpty && size == before.size && after?.isSameState(as: before) == true
            if !isWhole, remarks.isEmpty, attempt < Self.attempts, let after {
                attempt += 1
                before = after
                piece.bytes.append(record: .restart, [])
                continue
            }
            if !isWhole && remarks.isEmpty {
                remarks = .inconsistent
                findings.add(Finding(.inconsistent, fullPath(entry.name), "changed while it was read"))
            }
            var payload: [UInt8] = []
            payload.append(field: 1, integer: remarks.rawValue)
            payload.append(field: 2, integer: remarks == .unreadable ? 0 : size)
            piece.bytes.append(record: .finish, payload)
            counts.contentBytes.add(saturating: size)
            if !isWhole || attempt > 1, !isFlushed, stateLength > 0 {
                // The state in front is not the one that was read. Patches move with the bytes.
                piece.bytes.removeSubrange(stateStart..<stateStart + stateLength)
                for index in piece.patches.indices where piece.patches[index].offset > stateStart {
                    piece.patches[index].offset -= stateLength
                }
            }
            try flushIfLarge()
            return remarks != .unreadable
        }
    }

    /// Reads the content from start to end and returns how much there was.
    func content(
        of file: Descriptor, size: UInt64, hasHoles: Bool, _ isFlushed: inout Bool
    ) throws -> UInt64 {
        guard let size = Int64(exactly: size) else { throw SystemError(EFBIG, "read", "the file") }
        var position: Int64 = 0
        while position < size {
            let data = hasHoles ? try file.nextData(from: position, size: size) : 0..<size
            let start = min(data?.lowerBound ?? size, size)
            if start > position {
                var slice: [UInt8] = []
                Slice.append(hole: UInt64(start - position), to: &slice)
                piece.bytes.append(record: .content, slice)
                progress.add(bytes: UInt64(start - position))
                position = start
            }
            guard let data, position < size else { continue }
            let end = min(data.upperBound, size)
            let reached = try chunks(of: file, position..<end, &isFlushed)
            position = reached
            if reached < end { break }  // the file became shorter
        }
        return UInt64(position)
    }

    static let step = 128 << 10

    /// Cuts one range of data into chunks; returns where reading ended.
    func chunks(of file: Descriptor, _ range: Range<Int64>, _ isFlushed: inout Bool) throws -> Int64 {
        var position = range.lowerBound
        var job = try pipeline.buffer()
        chunker.restart()
        var filled = 0
        while true {
            try progress.checkStop()
            let want = min(Self.step, job.input.count - filled, Int(clamping: range.upperBound - position))
            var count = 0
            if want > 0 {
                do {
                    count = try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: job.input[filled..<filled + want]), at: position)
                } catch {
                    pipeline.discard(job)
                    throw error
                }
            }
            position += Int64(count)
            filled += count
            let isEnd = count < want || position >= range.upperBound
            var cut = chunker.cut(UnsafeRawBufferPointer(rebasing: job.input[..<filled]))
            if cut == nil, isEnd { cut = filled }
            while let length = cut {
                if length == 0 {
                    pipeline.discard(job)
                    return position
                }
                let rest = filled - length
                // The next buffer gets what was read beyond the cut.
                var next: ChunkJob?
                if rest > 0 || !isEnd {
                    let following = try pipeline.buffer()
                    following.input.copyMemory(from: UnsafeRawBufferPointer(rebasing: job.input[length..<filled]))
                    next = following
                }
                submitContent(job, length: length)
                try flushIfLarge(&isFlushed)
                guard let following = next else { return position }
                job = following
                filled = rest
                chunker.restart()
                cut = chunker.cut(UnsafeRawBufferPointer(rebasing: job.input[..<filled]))
                if cut == nil, isEnd { cut = filled }
            }
        }
    }

    func submitContent(_ job: ChunkJob, length: Int) {
        piece.append(contentOf: job, length: length)
        pieceContent += length
        progress.add(bytes: UInt64(length))  // safe: a length in a buffer
        pipeline.submit(job)
    }
}
