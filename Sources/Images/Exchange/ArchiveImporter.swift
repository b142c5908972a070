// Reads a tar or cpio archive into an image. An entry that an image cannot hold exactly, or of which libarchive does not tell all, is left out
// and named, or an attribute of it is; what is wrong with the archive as a whole ends the import.

internal import CArchive
internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class ArchiveImporter {
    let library: ArchiveLibrary
    private let archive: OpaquePointer
    private let encoder: ChunkEncoder
    private let output: ImageWriter
    private var chunker: Chunker
    private let job = ChunkJob()
    private let findings: Findings
    /// What is left out of the entry that is being read.
    var omissions: [String] = []

    init(
        _ descriptor: CInt, group: GroupKeys, table: [UInt64], output: ImageWriter, findings: Findings
    ) throws {
        self.findings = findings
        library = try ArchiveLibrary.load()
        guard let archive = library.archive_read_new() else { throw ImageError.library("no memory for libarchive") }
        self.archive = archive
        self.output = output
        encoder = try ChunkEncoder(group: group, level: 2)
        chunker = Chunker(table: table)
        guard library.archive_read_support_format_tar(archive) == ARCHIVE_OK,
            library.archive_read_support_format_cpio(archive) == ARCHIVE_OK
        else { throw library.error(archive, "prepare for") }
        for support in [
            library.archive_read_support_filter_gzip, library.archive_read_support_filter_bzip2,
            library.archive_read_support_filter_xz, library.archive_read_support_filter_zstd,
        ] {
            // A libarchive that was built without one would run a program from $PATH in its place, and says so with a warning: it is
            // asked beforehand, since nothing takes a filter away again.
            guard let trial = library.archive_read_new() else { throw ImageError.library("no memory for libarchive") }
            defer { _ = library.archive_read_free(trial) }
            if support(trial) == ARCHIVE_OK { _ = support(archive) }
        }
        guard library.archive_read_open_fd(archive, descriptor, 1 << 18) == ARCHIVE_OK else {
            let text = library.archive_error_string(archive).map { String(cString: $0) } ?? "libarchive gives no reason"
            throw ImageError.library(
                "this is no tar or cpio archive, plain or packed with gzip, bzip2, xz or zstd: \(text)")
        }
    }

    deinit { _ = library.archive_read_free(archive) }

    func run(name: String, progress: Progress) throws -> BackupCounts {
        let tree: ArchiveTree
        do { tree = try ArchiveText.bytes.during { try readTree(name: name, progress: progress) } } catch {
            // Who wrote into the pipe was stopped, too.
            try progress.checkStop()
            throw error
        }
        var counts = BackupCounts()
        var piece = ManifestPiece()
        var source: [UInt8] = []
        source.append(field: 1, Array("/\(name)".utf8))
        piece.bytes.append(record: .source, source)
        try tree.walk { records, size in
            try progress.checkStop()
            if records.first != RecordKind.leave.rawValue { counts.entries += 1 }
            if let size {
                counts.files += 1
                let (sum, overflow) = counts.contentBytes.addingReportingOverflow(size)
                guard !overflow else { throw ImageError.library("the archive's files are longer than an image can be") }
                counts.contentBytes = sum
            }
            piece.bytes += records
            guard piece.bytes.count >= 256 << 10 else { return }
            try output.take(piece)
            piece.bytes.removeAll(keepingCapacity: true)
        }
        try output.take(piece)
        return counts
    }

    private func readTree(name: String, progress: Progress) throws -> ArchiveTree {
        var tree = ArchiveTree(name: Array(name.utf8))
        while true {
            try progress.checkStop()
            held = tree.memory
            records = []
            try checkMemory()
            let before = library.archive_filter_bytes(archive, 0)
            var pointer: OpaquePointer?
            ArchiveLibrary.forgetErrors()
            let status = library.archive_read_next_header(archive, &pointer)
            if status == ARCHIVE_EOF {
                try checkEnd(length: library.archive_filter_bytes(archive, 0) - before)
                return tree
            }
            // To begin again after a damaged header would pass over what was there.
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry = pointer else {
                throw library.error(archive, "read")
            }
            omissions = []
            do {
                if status != ARCHIVE_OK { try checkWarning() }
                try take(entry, into: &tree, progress)
                for omission in omissions { report(omission, of: entry) }
            } catch let refusal as ArchiveRefusal {
                report("it is left out, since it \(refusal.reason)", of: entry)
                closeFolder(entry, in: &tree)
            }
            progress.add(items: 1)
        }
    }

    func report(_ omission: String, of entry: OpaquePointer, _ kind: Finding.Kind = .unreadable) {
        let path = pathText(of: entry) ?? []
        let shown = printable(path.prefix(512)) + (path.count > 512 ? "…" : "")
        findings.add(
            Finding(
                kind, subject: shown.isEmpty ? "one of the entries" : shown, path: path.isEmpty ? nil : path,
                omission))
    }

    /// What is in a folder that is left out is kept, for nobody but root: who might see it nobody knows.
    private func closeFolder(_ entry: OpaquePointer, in tree: inout ArchiveTree) {
        guard library.archive_entry_filetype(entry) == Glibc.S_IFDIR, library.archive_entry_hardlink(entry) == nil,
            let text = pathText(of: entry),
            let path = try? Self.names(text)  // What has no place in the tree has nothing in it.
        else { return }
        tree.closeFolder(at: path)
    }

    /// All entries are kept until the end of the archive is known; what does not fit is refused before it takes the memory of everybody.
    private func checkMemory() throws {
        guard held + records.count > Format.maximumArchiveMemory else { return }
        throw ImageError.library(
            "the archive has more entries, or more pieces of files, than an import keeps in memory (\(Format.maximumArchiveMemory >> 20) MiB): import it in parts"
        )
    }

    /// A tar archive ends with blocks of zeros. Without them it was cut, at a place where this shows nowhere else.
    private func checkEnd(length: Int64) throws {
        guard library.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_TAR, length < 512 else {
            return
        }
        throw ImageError.library("the archive is truncated: the mark of its end is missing")
    }

    /// Names that are no ASCII come as they are, with a warning. Any other warning means that something was left out.
    private func checkWarning() throws(ArchiveRefusal) {
        let text = library.archive_error_string(archive).map { String(cString: $0) } ?? "libarchive gives no reason"
        guard text.contains("can't be converted") else { throw ArchiveRefusal("cannot be read whole: \(text)") }
    }

    // MARK: Names

    private func pathText(of entry: OpaquePointer) -> [UInt8]? {
        Self.bytes(library.archive_entry_pathname(entry) ?? library.archive_entry_pathname_utf8(entry))
    }

    static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
        text.map { text in UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) } }
    }

    /// The names in a path, each one that a restore takes. An absolute path is taken as one from the archive's root.
    private static func names(_ path: [UInt8]) throws(ArchiveRefusal) -> [[UInt8]] {
        let names = BytePath(path).components.map(Array.init)
        for name in names where !Entry.isValidName(name) {
            throw ArchiveRefusal(
                name.count > Format.maximumNameLength
                    ? "has a name of more than \(Format.maximumNameLength) bytes" : "leads out of the archive")
        }
        return names
    }

    // MARK: Entries

    private func take(_ entry: OpaquePointer, into tree: inout ArchiveTree, _ progress: Progress) throws {
        guard let text = pathText(of: entry), !text.isEmpty else { throw ArchiveRefusal("has no name") }
        let path = try Self.names(text)
        let length = library.archive_entry_size(entry)
        guard length >= 0 else { throw ArchiveRefusal("has an impossible size") }
        if let target = Self.bytes(
            library.archive_entry_hardlink(entry) ?? library.archive_entry_hardlink_utf8(entry))
        {
            let content = length > 0 ? try content(length, progress) : []
            // safe: not negative
            return try tree.link(path, to: Self.names(target), size: UInt64(length), content: content)
        }
        var result = Entry()
        try fill(&result, from: entry)
        var records: [UInt8] = []
        if result.kind == .file, length > 0 {
            result.size = UInt64(length)  // safe: not negative
            result.contentFollows = true
            records = try content(length, progress)
        }
        try tree.add(result, content: records, at: path)
    }

    private func fill(_ result: inout Entry, from entry: OpaquePointer) throws(ArchiveRefusal) {
        switch library.archive_entry_filetype(entry) {
        case Glibc.S_IFREG: result.kind = .file
        case Glibc.S_IFDIR: result.kind = .directory
        case Glibc.S_IFLNK: result.kind = .symbolicLink
        case Glibc.S_IFCHR: result.kind = .characterDevice
        case Glibc.S_IFBLK: result.kind = .blockDevice
        case Glibc.S_IFIFO: result.kind = .fifo
        case Glibc.S_IFSOCK: result.kind = .socket
        default: throw ArchiveRefusal("is of a kind that an image does not have")
        }
        result.mode = UInt32(library.archive_entry_perm(entry)) & 0o7777
        // The greatest number stands for nobody.
        guard let user = UInt32(exactly: library.archive_entry_uid(entry)), user != .max,
            let group = UInt32(exactly: library.archive_entry_gid(entry)), group != .max
        else { throw ArchiveRefusal("has an owner whose number Linux does not have") }
        result.user = user
        result.group = group
        result.userName =
            Self.bytes(library.archive_entry_uname(entry) ?? library.archive_entry_uname_utf8(entry)) ?? []
        result.groupName =
            Self.bytes(library.archive_entry_gname(entry) ?? library.archive_entry_gname_utf8(entry)) ?? []
        if result.userName.count > Format.maximumNameLength || result.groupName.count > Format.maximumNameLength {
            result.userName = []
            result.groupName = []
            omissions.append("the names of its owners are left out, since they are longer than any")
        }
        guard var nanoseconds = UInt32(exactly: library.archive_entry_mtime_nsec(entry)), nanoseconds < 1_000_000_000
        else { throw ArchiveRefusal("has an impossible time") }
        let seconds = Int64(library.archive_entry_mtime(entry))
        if seconds < 0, nanoseconds > 0 {
            // It takes -1.75 for -1 and 0.75.
            nanoseconds = 0
            omissions.append("its time before 1970 is taken without the fraction, which libarchive misreads")
        }
        result.modified = Timestamp(seconds: seconds, nanoseconds: nanoseconds)
        if result.kind == .characterDevice || result.kind == .blockDevice {
            // The kernel has 12 bits for the one and 20 for the other.
            guard let major = UInt32(exactly: library.archive_entry_rdevmajor(entry)), major < 1 << 12,
                let minor = UInt32(exactly: library.archive_entry_rdevminor(entry)), minor < 1 << 20
            else { throw ArchiveRefusal("is a device whose number Linux does not have") }
            result.nodeMajor = major
            result.nodeMinor = minor
        }
        if result.kind == .symbolicLink {
            let target = Self.bytes(library.archive_entry_symlink(entry) ?? library.archive_entry_symlink_utf8(entry))
            guard let target, !target.isEmpty else { throw ArchiveRefusal("is a link that leads nowhere") }
            guard target.count < Int(PATH_MAX) else {
                throw ArchiveRefusal("is a link that is longer than a path can be")
            }
            result.target = target
        }
        var (flags, cleared): (UInt, UInt) = (0, 0)
        library.archive_entry_fflags(entry, &flags, &cleared)
        result.flags = UInt32(truncatingIfNeeded: flags)
        result.attributes = attributes(of: entry, result.kind)
        addAccessControlLists(of: entry, to: &result)
    }

    // MARK: Content

    private var filled = 0
    private var records: [UInt8] = []
    /// What the entries before take.
    private var held = 0

    /// Stores the content of the entry that was read last; returns the records that cite it.
    private func content(_ length: Int64, _ progress: Progress) throws -> [UInt8] {
        records = []
        chunker.restart()
        filled = 0
        var position: Int64 = 0
        while true {
            try progress.checkStop()
            var block: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let status = library.archive_read_data_block(archive, &block, &size, &offset)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK else { throw library.error(archive, "read") }
            // safe: 64 bits both
            guard size >= 0, offset >= position, offset <= length, Int64(size) <= length - offset else {
                throw ArchiveRefusal("has content that does not fit its size")
            }
            if offset > position { try hole(offset - position) }
            if let block, size > 0 { try add(UnsafeRawBufferPointer(start: block, count: size)) }
            position = offset + Int64(size)  // safe: compared
            progress.add(bytes: UInt64(size))  // safe: not negative
        }
        if position < length { try hole(length - position) }
        try end()
        var payload: [UInt8] = []
        payload.append(field: 1, integer: 0)
        payload.append(field: 2, integer: UInt64(length))  // safe: not negative
        records.append(record: .finish, payload)
        return records
    }

    private func hole(_ length: Int64) throws {
        try end()
        try checkMemory()
        var slice: [UInt8] = []
        Slice.append(hole: UInt64(length), to: &slice)  // safe: between two places in order
        records.append(record: .content, slice)
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
        try checkMemory()
        job.inputLength = length
        job.id = try encoder.digest(of: job.content)
        if try !output.cite(job.id) {
            job.outputLength = try encoder.prepare(job.content, id: job.id, into: job.output)
            try output.take(job.prepared)
        }
        var slice: [UInt8] = []
        let place = Slice.append(length: UInt64(length), offset: 0, to: &slice)  // safe: a length in a buffer
        slice.replaceSubrange(place..<place + 32, with: job.id.bytes)
        records.append(record: .content, slice)
        let left = filled - length
        if left > 0, let start = job.input.baseAddress { memmove(start, start + length, left) }
        filled = left
        chunker.restart()
    }
}
