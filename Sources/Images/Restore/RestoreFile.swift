// A file that is being restored by several threads: written beside its name, and given it when it is whole.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class RestoreFile: @unchecked Sendable {
    var entry: Entry
    let folder: RestoreFolder
    private let restorer: Restorer
    private let monitor = Monitor()
    /// Parts under way, and one for the walk until all parts are known.
    private var holds = 1
    private var output: PartialFile?
    /// Whether something had the name when that was looked at.
    private var isThere = true
    /// A file that is there already and may turn out to have the content.
    private var existing: Descriptor?
    private var isPrepared = false
    private var differs = false
    /// What is there has other names, too: it is left as it is, or the file is made anew.
    private var isLinked = false
    /// The content was written in one part as soon as it was seen to differ.
    private var isWritten = false
    private var failure: String?
    /// Of a disk's volume: what of it is lost is a hole in it, and named, and all else of it is worth having.
    let keepsRest: Bool
    private var lost = LostParts()
    /// What is there already has stayed, since nothing else of it differs.
    private var isKept = false
    /// Where the content is, kept only while a file that is there is compared.
    private var slices: [(offset: UInt64, slice: Slice)] = []
    private var position: UInt64 = 0
    private var chunks: (any ChunkProvider)?

    init(_ entry: Entry, in folder: RestoreFolder, restorer: Restorer, keepsRest: Bool = false) {
        self.entry = entry
        self.keepsRest = keepsRest
        self.folder = folder
        self.restorer = restorer
        folder.hold()
    }

    var path: BytePath { folder.path.appending(entry.name) }

    func hold() { monitor.withLock { holds += 1 } }

    func fail(_ reason: String) { monitor.withLock { if failure == nil { failure = reason } } }

    func fail(_ reason: String, _ range: Range<UInt64>) {
        if !keepsRest { return fail(reason) }
        monitor.withLock { lost.add(range, reason) }
    }

    var isStopped: Bool { restorer.isStopped }

    func stop(_ error: ImageError) { restorer.stop(error) }

    // MARK: The walk adds parts

    /// Notes the next slice and returns where in the file it belongs; nil where no file can be that long.
    func place(_ slice: Slice, from chunks: any ChunkProvider) -> UInt64? {
        monitor.withLock {
            // One record's slices add up to no more; those of many records may.
            guard slice.length <= UInt64(Int64.max) - position else {
                if failure == nil { failure = "its content is longer than a file can be" }
                return nil
            }
            defer { position += slice.length }
            self.chunks = chunks
            if chunks.isRandomAccess { slices.append((position, slice)) }
            return position
        }
    }

    /// Goes on behind what is lost; false where that is no place in it.
    func lose(to offset: UInt64, _ reason: String) -> Bool {
        monitor.withLock {
            guard offset >= position, offset <= UInt64(Int64.max) else { return false }
            if offset > position { lost.add(position..<offset, reason) }
            position = offset
            return true
        }
    }

    /// Nothing more of it comes.
    func loseRest(_ reason: String) {
        let end = monitor.withLock { max(position, entry.size) }
        if keepsRest { _ = lose(to: end, reason) } else { fail(reason) }
        close(size: keepsRest ? end : entry.size)
    }

    /// What came so far is void.
    func restart() {
        monitor.withLock {
            position = 0
            slices = []
            differs = true
            // What was written may be where a hole belongs now.
            output?.discard()
            output = nil
            isWritten = false
        }
    }

    /// All parts are known.
    func close(size: UInt64) {
        monitor.withLock {
            if entry.size != size { isWritten = false }
            entry.size = size
            if position != size, failure == nil { failure = "its content does not add up to its size" }
        }
        release()
    }

    // MARK: Workers fill them in

    /// Writes or compares one part.
    func take(_ content: UnsafeRawBufferPointer, at offset: UInt64, isWhole: Bool) {
        if restorer.isDryRun { return }
        monitor.withLock {
            guard failure == nil else { return }
            do {
                try prepare(canCompare: isWhole || chunks?.isRandomAccess == true)
                if let existing, !differs {
                    differs = !(try isEqual(existing, content, at: offset))
                    // A file in one part is written at once; of others the parts before are read again at the end.
                    if !differs || !isWhole { return }
                }
                if output == nil, existing == nil || isWhole { output = try makeOutput() }
                if isWhole { isWritten = true }
                if let output {
                    try output.file.write(content, at: Int64(offset))  // safe: placed where a file can be
                    restorer.earlySync?.add(content.count)
                }
            } catch {
                restorer.stop(ifFatal: error)
                failure = "\(error)"
            }
        }
    }

    private func prepare(canCompare: Bool) throws {
        if isPrepared { return }
        isPrepared = true
        guard let above = folder.descriptor() else { return }
        if folder.isFresh {
            isThere = false
            return
        }
        let status: FileStatus
        do throws(SystemError) {
            status = try above.status(of: entry.name)
        } catch {
            guard error.isAbsent else { throw error }
            isThere = false
            return
        }
        try folder.expectSpelling(of: entry.name)
        // A size that differs is known only where the entry has it: content of a running file may end elsewhere.
        guard canCompare, status.kind == .file, status.size == entry.size else { return }
        if status.linkCount > 1 {
            // A file with several names is made anew by an exact restore: the image says which names share one.
            if restorer.request.isExact || chunks?.isRandomAccess == false { return }
            isLinked = true
        }
        // Where others may write, another file may have the name by now: this one is not to be touched. One that cannot be opened is made
        // anew.
        guard let file = try? above.open(entry.name, .nonBlocking),  // It is replaced, or that fails and is said.
            FileIdentity(try file.status()) == FileIdentity(status)
        else { return }
        existing = file
    }

    private func isEqual(
        _ file: Descriptor, _ content: UnsafeRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
        defer { buffer.deallocate() }
        // safe: placed where a file can be
        guard try file.read(into: buffer, at: Int64(offset)) == content.count, let start = buffer.baseAddress,
            let other = content.baseAddress
        else { return content.isEmpty }
        return memcmp(start, other, content.count) == 0
    }

    private func makeOutput() throws -> PartialFile {
        guard let above = folder.descriptor() else {
            throw SystemError(ENOENT, "restore into", folder.path.description)
        }
        let made = try PartialFile(in: above, restorer.partialNames)
        // Some flags (no copy-on-write) have an effect only while a file is empty.
        if entry.flags & ~Descriptor.protectingFlags != 0 {
            // They are set once more at the end, and what fails then is said.
            try? made.file.setFlags(entry.flags & ~Descriptor.protectingFlags)
        }
        return made
    }

    /// Lets go; the last one gives the file its name or takes it away.
    func release() {
        let isLast = monitor.withLock { () -> Bool in
            holds -= 1
            return holds == 0
        }
        guard isLast else { return }
        if !restorer.isDryRun, failure == nil { finish() }
        if let failure {
            restorer.fail(Finding(restorer.isDryRun ? .damaged : .notRestored, path, failure), entry.name, in: folder)
            output?.discard()
        } else {
            if !isStopped { lost.tell(path, isKept: isKept, isDryRun: restorer.isDryRun, restorer.findings) }
            restorer.countFile(
                written: output != nil || restorer.isDryRun, isReplaced: output != nil && isThere,
                bytes: output != nil ? entry.size : 0)
        }
        output = nil
        existing = nil
        folder.release()
    }

    private func finish() {
        do {
            try prepare(canCompare: chunks?.isRandomAccess ?? true)
            guard let above = folder.descriptor() else { return failure = "its folder could not be made" }
            if let existing, !differs, try haveSameHoles(existing), try mayKeep(existing) {
                isKept = true
                // The content is there; only what surrounds it may differ.
                if !isLinked { restorer.finish(existing, entry, at: path, on: folder.fileSystem, fresh: false) }
                return
            }
            if output == nil { output = try makeOutput() }
            guard let output else { return }
            if existing != nil, !isWritten { try rewrite(output.file) }
            // What was written in one part ends where the file does.
            // safe: its parts add up to its size, and were placed
            if !isWritten { try output.file.truncate(to: Int64(entry.size)) }
            restorer.apply(
                entry, to: output.file, at: path, on: folder.fileSystem, fresh: !folder.givesAttributes,
                owner: folder.owner(ofNew: output.file))
            try folder.give(entry.name, to: output, isThere: isThere, in: above)
            folder.noteName(entry.name)
            // A file that was made just now has nothing that protects it.
            if entry.flags != 0 { restorer.protect(output.file, entry, at: path, on: folder.fileSystem) }
        } catch {
            restorer.stop(ifFatal: error)
            failure = "\(error)"
        }
    }

    /// A change of owner or mode would reach its other names, which may be another file's; and of two files of the image only
    /// one may keep it. Such a file is kept as it is, or made anew.
    private func mayKeep(_ file: Descriptor) throws -> Bool {
        guard isLinked else { return true }
        guard try restorer.isSame(file, entry, on: folder.fileSystem) else { return false }
        return restorer.takeLinked(FileIdentity(try file.status()))
    }

    /// Whether a file that has the content also has its holes: data where a hole belongs reads the same, but is not.
    private func haveSameHoles(_ file: Descriptor) throws -> Bool {
        guard slices.contains(where: { $0.slice.chunk == nil }) else { return true }
        for (offset, slice) in slices where slice.chunk == nil {
            // safe: its parts add up to its size, and were placed
            let (start, size) = (Int64(offset), Int64(entry.size))
            let data = try file.nextData(from: start, size: size)
            if let data, UInt64(clamping: data.lowerBound) < offset + slice.length { return false }
        }
        return true
    }

    /// The content was compared and differs: reads it again, now to write it.
    private func rewrite(_ output: Descriptor) throws {
        guard let chunks else { return }
        let workspace = try ChunkWorkspace()
        for (offset, slice) in slices {
            guard let id = slice.chunk else { continue }
            do { try chunks.read(id, into: workspace) } catch {
                if !keepsRest || (error as? ImageError)?.endsReading == true { throw error }
                lost.add(offset..<offset + slice.length, "\(error)")  // safe: placed where a file can be
                continue
            }
            let range = try slice.range(in: workspace.content)
            // safe: placed where a file can be
            try output.write(UnsafeRawBufferPointer(rebasing: workspace.content[range]), at: Int64(offset))
        }
    }
}
