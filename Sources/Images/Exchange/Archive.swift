// Tar in and out, through libarchive, for exchange with other tools. The walk and the restore are our own; only the format is
// theirs.

internal import CArchive
internal import Cryptography
internal import Glibc
internal import Platform

/// libarchive's error text, which says more than its status.
private func archiveError(_ archive: OpaquePointer, _ step: String) -> ImageError {
    let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
    return .library("cannot \(step) the archive: \(text)")
}

extension Store {
    /// Writes an image as a tar archive (pax), entry by entry.
    public func export(
        image name: String, to descriptor: CInt, progress: Progress, findings: Findings
    ) throws -> RestoreReport {
        do {
            let reader = try StoreImageReader(store: self, root: image(find(name)))
            return try ArchiveExporter(descriptor).run(reader, progress: progress, findings: findings)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Makes an image of a tar archive in any form that libarchive reads.
    public func importArchive(
        from descriptor: CInt, name: String, machine: MachineState, progress: Progress, findings: Findings
    ) throws -> BackupReport {
        do {
            guard let key = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
            var request = BackupRequest(sources: [BytePath("/" + name)], name: name)
            request.level = 2
            let output = try ImageWriter(store: self, machine: machine, level: 3, cache: nil)
            do {
                let importer = try ArchiveImporter(
                    descriptor, group: key.group, table: key.group.gearTable(store: id), output: output)
                let counts = try importer.run(name: name, progress: progress)
                var label = request.label()
                label.add(counts, findings: findings.count)
                let (id, finished) = try output.commit(label)
                return BackupReport(
                    id: id, label: finished, files: counts.files, filesRead: counts.files, skipped: [],
                    findings: findings.count)
            } catch {
                output.abandon()
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

private final class ArchiveExporter {
    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let workspace: ChunkWorkspace
    private var report = RestoreReport()

    init(_ descriptor: CInt) throws {
        guard let archive = archive_write_new(), let entry = archive_entry_new() else {
            throw ImageError.library("no memory for libarchive")
        }
        self.archive = archive
        self.entry = entry
        workspace = try ChunkWorkspace()
        guard archive_write_set_format_pax(archive) == ARCHIVE_OK,
            // Names are bytes: nothing is to be converted.
            archive_write_set_options(archive, "hdrcharset=BINARY") >= ARCHIVE_WARN,
            archive_write_open_fd(archive, descriptor) == ARCHIVE_OK
        else { throw archiveError(archive, "begin") }
    }

    deinit {
        archive_entry_free(entry)
        archive_write_free(archive)
    }

    /// A large file's slices come in several records; tar wants to know the holes before the content.
    private var pending: (entry: Entry, path: [UInt8], slices: [Slice])?

    func run(_ reader: StoreImageReader, progress: Progress, findings: Findings) throws -> RestoreReport {
        let isSingle = reader.root.label.sources.count <= 1
        var path: [[UInt8]] = []
        var prefix: [[UInt8]] = []
        func full(_ name: [UInt8]?) -> [UInt8] {
            let names = prefix + path + (name.map { [$0] } ?? [])
            return names.isEmpty ? Array(".".utf8) : Array(names.joined(separator: [UInt8(ascii: "/")]))
        }
        while let batch = try reader.nextBatch() {
            try progress.checkStop()
            for problem in reader.problems() { findings.add(problem) }
            guard let records = batch.records else { continue }
            var items = RecordReader(records)
            while let item = try items.next() {
                guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
                switch record {
                case .source(let source):
                    path = []
                    let components = BytePath(source).components.map(Array.init)
                    guard isSingle || components.allSatisfy(Entry.isValidName) else {
                        throw FormatError("a source's path is not allowed")
                    }
                    prefix = isSingle ? [] : components.dropLast()
                    linkBase = isSingle ? [] : components
                case .enter(let folder):
                    // The folder of a single source is the archive's own root.
                    let isRoot = path.isEmpty && isSingle && prefix.isEmpty && !rootSeen
                    rootSeen = true
                    if isRoot {
                        try write(folder, path: Array("./".utf8), [], batch.chunks, findings)
                    } else {
                        path.append(folder.name)
                        try write(folder, path: full(nil) + [UInt8(ascii: "/")], [], batch.chunks, findings)
                    }
                    progress.add(items: 1)
                case .leave: if !path.isEmpty { path.removeLast() }
                case .entry(let file):
                    progress.add(items: 1)
                    if file.contentFollows {
                        pending = (file, full(file.name), [])
                    } else {
                        try write(file, path: full(file.name), file.slices, batch.chunks, findings)
                    }
                case .content(let slices): pending?.slices += slices
                case .restart: pending?.slices = []
                case .finish(let remarks, let size):
                    if var file = pending {
                        file.entry.size = size
                        file.entry.remarks.formUnion(remarks)
                        try write(file.entry, path: file.path, file.slices, batch.chunks, findings)
                        progress.add(bytes: size)
                    }
                    pending = nil
                case .position: break
                }
            }
        }
        for problem in reader.problems() { findings.add(problem) }
        guard archive_write_close(archive) == ARCHIVE_OK else { throw archiveError(archive, "finish") }
        report.label = reader.label
        report.findings = findings.count
        return report
    }

    private var rootSeen = false
    /// Where the source is in the archive: targets of hard links are below it.
    private var linkBase: [[UInt8]] = []

    /// The slices of many records may add up to more than a file can be: nil.
    private static func length(_ slices: [Slice]) -> UInt64? {
        var total: UInt64 = 0
        for slice in slices {
            guard slice.length <= UInt64(Int64.max) - total else { return nil }
            total += slice.length
        }
        return total
    }

    private func write(
        _ file: Entry, path: [UInt8], _ slices: [Slice], _ chunks: any ChunkProvider, _ findings: Findings
    ) throws {
        let path = path
        if file.remarks.contains(.unreadable) {
            return findings.add(Finding(.notRestored, BytePath(path), "it could not be read when it was backed up"))
        }
        guard file.kind != .file || Self.length(slices) == file.size else {
            return findings.add(Finding(.damaged, BytePath(path), "its content does not add up to its size"))
        }
        // Holes go through libarchive piece by piece: an endless one would never end.
        guard file.size <= 1 << 50 else {
            return findings.add(Finding(.notRestored, BytePath(path), "it is too long for an archive"))
        }
        var target = file.target
        if file.kind == .hardLink {
            let names = target.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
            guard names.allSatisfy(Entry.isValidName) else {
                return findings.add(Finding(.notRestored, BytePath(path), "a hard link's target is not allowed"))
            }
            target = Array((linkBase + names).joined(separator: [UInt8(ascii: "/")]))
        }
        // Whatever cannot be read must be known before the header promises its length.
        for slice in slices {
            guard let id = slice.chunk else { continue }
            do { try chunks.read(id, into: workspace) } catch {
                return findings.add(Finding(.damaged, BytePath(path), "\(error)"))
            }
            if slices.count > 1 { continue }
        }
        archive_entry_clear(entry)
        withNullTerminated(path) { archive_entry_set_pathname(entry, $0) }
        archive_entry_set_perm(entry, file.mode)
        archive_entry_set_uid(entry, Int64(file.user))
        archive_entry_set_gid(entry, Int64(file.group))
        withNullTerminated(file.userName) { archive_entry_set_uname(entry, $0) }
        withNullTerminated(file.groupName) { archive_entry_set_gname(entry, $0) }
        archive_entry_set_mtime(entry, time_t(file.modified.seconds), Int(file.modified.nanoseconds))
        for attribute in file.attributes {
            withNullTerminated(attribute.name) { name in
                attribute.value.withUnsafeBytes { archive_entry_xattr_add_entry(entry, name, $0.baseAddress, $0.count) }
            }
        }
        switch file.kind {
        case .file:
            archive_entry_set_filetype(entry, UInt32(Glibc.S_IFREG))
            archive_entry_set_size(entry, Int64(file.size))
            addSparseMap(slices, size: file.size)
        case .directory: archive_entry_set_filetype(entry, UInt32(Glibc.S_IFDIR))
        case .symbolicLink:
            archive_entry_set_filetype(entry, UInt32(Glibc.S_IFLNK))
            withNullTerminated(file.target) { archive_entry_set_symlink(entry, $0) }
        case .hardLink: withNullTerminated(target) { archive_entry_set_hardlink(entry, $0) }
        case .characterDevice, .blockDevice:
            archive_entry_set_filetype(entry, UInt32(file.kind == .blockDevice ? Glibc.S_IFBLK : Glibc.S_IFCHR))
            archive_entry_set_rdevmajor(entry, UInt(file.nodeMajor))
            archive_entry_set_rdevminor(entry, UInt(file.nodeMinor))
        case .fifo: archive_entry_set_filetype(entry, UInt32(Glibc.S_IFIFO))
        case .socket: return  // tar has none, and a socket without its program is nothing
        }
        guard archive_write_header(archive, entry) >= ARCHIVE_WARN else { throw archiveError(archive, "write to") }
        report.entries += 1
        report.contentBytes &+= file.size
        if file.kind == .file { try content(slices, chunks) }
    }

    private func addSparseMap(_ slices: [Slice], size: UInt64) {
        guard slices.contains(where: { $0.chunk == nil }) else { return }
        var position: Int64 = 0
        for slice in slices {
            if slice.chunk != nil { archive_entry_sparse_add_entry(entry, position, Int64(slice.length)) }
            position += Int64(slice.length)
        }
        if !slices.contains(where: { $0.chunk != nil }) { archive_entry_sparse_add_entry(entry, Int64(size), 0) }
    }

    private func content(_ slices: [Slice], _ chunks: any ChunkProvider) throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for slice in slices {
            guard let id = slice.chunk else {
                // libarchive takes the whole content and leaves the holes out by the map.
                var left = Int(slice.length)
                while left > 0 {
                    let count = zeros.withUnsafeBytes {
                        archive_write_data(archive, $0.baseAddress, min(left, $0.count))
                    }
                    guard count > 0 else { throw archiveError(archive, "write to") }
                    left -= count
                }
                continue
            }
            if slices.count > 1 { try chunks.read(id, into: workspace) }
            let start = Int(slice.offset)
            guard start + Int(slice.length) <= workspace.content.count else {
                throw FormatError("a slice points outside of its chunk")
            }
            var part = UnsafeRawBufferPointer(rebasing: workspace.content[start..<start + Int(slice.length)])
            while !part.isEmpty {
                let count = archive_write_data(archive, part.baseAddress, part.count)
                guard count > 0 else { throw archiveError(archive, "write to") }
                part = UnsafeRawBufferPointer(rebasing: part[count...])
            }
        }
    }
}

/// Reads an archive into an image. Archives need not be in order, and name folders after their content or never: entries are
/// put below the folders that their paths name, folders that are open stay open.
private final class ArchiveImporter {
    private let archive: OpaquePointer
    private let encoder: ChunkEncoder
    private let output: ImageWriter
    private var chunker: Chunker
    private let job = ChunkJob()
    private var counts = BackupCounts()
    private var bytes: [UInt8] = []
    private var open: [[UInt8]] = []

    init(_ descriptor: CInt, group: GroupKeys, table: [UInt64], output: ImageWriter) throws {
        guard let archive = archive_read_new() else { throw ImageError.library("no memory for libarchive") }
        self.archive = archive
        self.output = output
        encoder = try ChunkEncoder(group: group, level: 2)
        chunker = Chunker(table: table)
        guard archive_read_support_filter_all(archive) >= ARCHIVE_WARN,
            archive_read_support_format_all(archive) >= ARCHIVE_WARN,
            archive_read_open_fd(archive, descriptor, 1 << 18) == ARCHIVE_OK
        else { throw archiveError(archive, "open") }
    }

    deinit { archive_read_free(archive) }

    private func flush(force: Bool = false) throws {
        guard force || bytes.count >= 256 << 10 else { return }
        var piece = ManifestPiece()
        piece.bytes = bytes
        bytes.removeAll(keepingCapacity: true)
        try output.take(piece)
    }

    func run(name: String, progress: Progress) throws -> BackupCounts {
        // libarchive goes by the thread's locale and gives up on names that it cannot say; UTF-8 lets all bytes pass.
        let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
        let before = uselocale(locale)
        defer {
            uselocale(before)
            if let locale { freelocale(locale) }
        }
        var source: [UInt8] = []
        source.append(field: 1, Array("/\(name)".utf8))
        bytes.append(record: .source, source)
        var root = Entry()
        root.name = Array(name.utf8)
        root.kind = .directory
        root.mode = 0o755
        root.modified = Timestamp.now()
        var pointer: OpaquePointer?
        // The archive's own root, if it has one, comes first.
        var status = archive_read_next_header(archive, &pointer)
        if status != ARCHIVE_EOF, status >= ARCHIVE_WARN, let entry = pointer, try components(entry).isEmpty {
            fill(&root, from: entry)
            status = archive_read_next_header(archive, &pointer)
        }
        counts.entries += 1
        bytes.append(record: .enter, root.encoded())
        while status != ARCHIVE_EOF, status >= ARCHIVE_WARN, let entry = pointer {
            try progress.checkStop()
            try take(entry, progress)
            try flush()
            status = archive_read_next_header(archive, &pointer)
        }
        guard status == ARCHIVE_EOF else { throw archiveError(archive, "read") }
        while !open.isEmpty { leave() }
        bytes.append(record: .leave, [])
        try flush(force: true)
        return counts
    }

    /// The names in an entry's path; one that leads elsewhere is refused.
    private func components(_ entry: OpaquePointer) throws -> [[UInt8]] {
        // Without a locale libarchive gives the bytes where it can, and UTF-8 where the archive says that it is.
        guard let text = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else {
            throw ImageError.library("the archive holds an entry whose name cannot be read")
        }
        let path = BytePath(UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) })
        let names = path.components.map(Array.init)
        guard names.allSatisfy(Entry.isValidName) else {
            throw ImageError.library("the archive holds \(path), which leads out of it")
        }
        return names
    }

    private func leave() {
        open.removeLast()
        bytes.append(record: .leave, [])
    }

    private func take(_ entry: OpaquePointer, _ progress: Progress) throws {
        let names = try components(entry)
        guard let name = names.last else { return }
        let folders = Array(names.dropLast())
        while !folders.starts(with: open) { leave() }
        for folder in folders[open.count...] {
            var implied = Entry()
            implied.name = folder
            implied.kind = .directory
            implied.mode = 0o755
            implied.modified = Timestamp.now()
            open.append(folder)
            counts.entries += 1
            bytes.append(record: .enter, implied.encoded())
        }
        var result = Entry()
        result.name = name
        fill(&result, from: entry)
        counts.entries += 1
        progress.add(items: 1)
        if let text = archive_entry_hardlink(entry) ?? archive_entry_hardlink_utf8(entry) {
            let target = BytePath(UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) })
            result.kind = .hardLink
            result.size = 0
            result.target = Array(target.components.joined(separator: [UInt8(ascii: "/")]))
            bytes.append(record: .entry, result.encoded())
            return
        }
        if result.kind == .directory {
            open.append(name)
            bytes.append(record: .enter, result.encoded())
            return
        }
        if result.kind == .file {
            counts.files += 1
            if result.size > 0 { return try file(&result, entry, progress) }
        }
        bytes.append(record: .entry, result.encoded())
    }

    private func fill(_ result: inout Entry, from entry: OpaquePointer) {
        switch UInt32(archive_entry_filetype(entry)) {
        case UInt32(Glibc.S_IFDIR): result.kind = .directory
        case UInt32(Glibc.S_IFLNK): result.kind = .symbolicLink
        case UInt32(Glibc.S_IFCHR): result.kind = .characterDevice
        case UInt32(Glibc.S_IFBLK): result.kind = .blockDevice
        case UInt32(Glibc.S_IFIFO): result.kind = .fifo
        default: result.kind = .file
        }
        result.mode = UInt32(archive_entry_perm(entry)) & 0o7777
        result.user = UInt32(truncatingIfNeeded: archive_entry_uid(entry))
        result.group = UInt32(truncatingIfNeeded: archive_entry_gid(entry))
        result.userName = Self.bytes(archive_entry_uname(entry))
        result.groupName = Self.bytes(archive_entry_gname(entry))
        result.modified = Timestamp(
            seconds: Int64(archive_entry_mtime(entry)),
            nanoseconds: UInt32(clamping: min(999_999_999, max(0, archive_entry_mtime_nsec(entry)))))
        result.nodeMajor = UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry))
        result.nodeMinor = UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry))
        if result.kind == .symbolicLink {
            result.target = Self.bytes(archive_entry_symlink(entry) ?? archive_entry_symlink_utf8(entry))
        }
        if result.kind == .file { result.size = UInt64(max(0, archive_entry_size(entry))) }
        archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let value else { continue }
            result.attributes.append(
                ExtendedAttribute(
                    name: Self.bytes(name), value: Array(UnsafeRawBufferPointer(start: value, count: size))))
        }
    }

    private static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8] {
        guard let text else { return [] }
        return UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
    }

    // MARK: Content

    private var filled = 0

    private func file(_ result: inout Entry, _ entry: OpaquePointer, _ progress: Progress) throws {
        result.contentFollows = true
        bytes.append(record: .entry, result.encoded())
        chunker.restart()
        filled = 0
        var position: Int64 = 0
        while true {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let status = archive_read_data_block(archive, &block, &size, &offset)
            if status == ARCHIVE_EOF { break }
            guard status >= ARCHIVE_WARN else { throw archiveError(archive, "read") }
            if offset > position {
                try end()
                hole(offset - position)
                position = offset
            }
            if let block, size > 0 { try add(UnsafeRawBufferPointer(start: block, count: size)) }
            position += Int64(size)
            progress.add(bytes: UInt64(size))
        }
        try end()
        if position < Int64(result.size) {
            hole(Int64(result.size) - position)
            position = Int64(result.size)
        }
        var payload: [UInt8] = []
        payload.append(field: 1, integer: 0)
        payload.append(field: 2, integer: UInt64(position))
        bytes.append(record: .finish, payload)
        counts.contentBytes += UInt64(position)
    }

    private func hole(_ length: Int64) {
        var slice: [UInt8] = []
        Slice.append(hole: UInt64(length), to: &slice)
        bytes.append(record: .content, slice)
    }

    private func add(_ data: UnsafeRawBufferPointer) throws {
        var rest = data
        while !rest.isEmpty {
            let count = min(rest.count, job.input.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: job.input[filled..<filled + count]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            filled += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            while let length = chunker.cut(UnsafeRawBufferPointer(rebasing: job.input[..<filled])) {
                try chunk(length)
            }
        }
    }

    private func end() throws {
        if filled > 0 { try chunk(filled) }
    }

    private func chunk(_ length: Int) throws {
        job.inputLength = length
        job.id = try encoder.digest(of: job.content)
        if try !output.cite(job.id) {
            job.outputLength = encoder.prepare(job.content, id: job.id, into: job.output)
            try output.take(job.prepared)
        }
        var slice: [UInt8] = []
        let place = Slice.append(length: UInt64(length), offset: 0, to: &slice)
        slice.replaceSubrange(place..<place + 32, with: job.id.bytes)
        bytes.append(record: .content, slice)
        let left = filled - length
        if left > 0, let start = job.input.baseAddress { memmove(start, start + length, left) }
        filled = left
        chunker.restart()
    }
}
