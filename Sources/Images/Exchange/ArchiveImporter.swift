// A tar archive, in any form that libarchive reads, as an image.

internal import CArchive
internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

/// Reads an archive into an image. Archives need not be in order, and name folders after their content or never: entries are
/// put below the folders that their paths name, folders that are open stay open.
final class ArchiveImporter {
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
            guard Int64(size) <= Int64.max - position else { throw FormatError("a file is longer than any can be") }
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
        counts.contentBytes.add(saturating: UInt64(position))
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
            job.outputLength = try encoder.prepare(job.content, id: job.id, into: job.output)
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
