// An image as a tar archive (pax), entry by entry.

internal import CArchive
internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class ArchiveExporter {
    private let library: ArchiveLibrary
    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let workspace: ChunkWorkspace
    private var report = RestoreReport()
    private let descriptor: CInt

    init(_ descriptor: CInt) throws {
        self.descriptor = descriptor
        library = try ArchiveLibrary.load()
        guard let archive = library.archive_write_new(), let entry = library.archive_entry_new() else {
            throw ImageError.library("no memory for libarchive")
        }
        self.archive = archive
        self.entry = entry
        workspace = try ChunkWorkspace()
        // Names that are no UTF-8 are marked as such, each by itself: GNU tar wonders at every mark. It does at attributes in
        // libarchive's own form, too; the other form is known to all.
        guard library.archive_write_set_format_pax(archive) == ARCHIVE_OK,
            library.archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY") == ARCHIVE_OK,
            library.archive_write_open_fd(archive, descriptor) == ARCHIVE_OK
        else { throw library.error(archive, "begin") }
    }

    deinit {
        library.archive_entry_free(entry)
        _ = library.archive_write_free(archive)
    }

    /// A large file's slices come in several records; tar wants to know the holes before the content.
    private var pending: (entry: Entry, path: [UInt8], slices: [Slice])?

    func run(_ reader: StoreImageReader, progress: Progress, findings: Findings) throws -> RestoreReport {
        do {
            return try write(reader, progress: progress, findings: findings)
        } catch {
            breakOff()
            throw error
        }
    }

    /// Has whoever reads the archive notice that it is not whole. Without the mark of its end `tar` would not, where it was cut between two
    /// entries: something that is no entry follows. Some of what was written last may be lost in libarchive, but no more than a block.
    private func breakOff() {
        _ = library.archive_write_fail(archive)
        let line = Array("holdfast broke this archive off\n".utf8)
        let block = 10240
        let text = [UInt8]((0..<2 * block).map { line[$0 % line.count] })
        _ = Glibc.write(descriptor, text, text.count)  // What cannot be written is not there: it was cut, too.
    }

    private func write(
        _ reader: StoreImageReader, progress: Progress, findings: Findings
    ) throws -> RestoreReport {
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
                try progress.checkStop()
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
        try progress.checkStop()
        guard library.archive_write_close(archive) == ARCHIVE_OK else { throw library.error(archive, "finish") }
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
            total += slice.length  // safe: compared
        }
        return total
    }

    private func write(
        _ file: Entry, path: [UInt8], _ slices: [Slice], _ chunks: any ChunkProvider, _ findings: Findings
    ) throws {
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
            do { try chunks.read(id, into: workspace) } catch let error as ImageError where error.endsReading {
                throw error
            } catch {
                return findings.add(Finding(.damaged, BytePath(path), "\(error)"))
            }
            if slices.count > 1 { continue }
        }
        guard file.kind != .socket else {
            return findings.add(Finding(.notRestored, BytePath(path), "an archive has no sockets"))
        }
        describe(file, path: path, target: target, slices, findings)
        ArchiveLibrary.forgetErrors()
        let status = library.archive_write_header(archive, entry)
        guard status >= ARCHIVE_WARN else { throw library.error(archive, "write to") }
        if status != ARCHIVE_OK { noteWarning(path, findings) }
        report.entries += 1
        report.contentBytes &+= file.size
        if file.kind == .file { try content(slices, chunks) }
    }

    /// That a name is no UTF-8, and is written as it is, costs nothing; anything else that libarchive warns of is left out.
    private func noteWarning(_ path: [UInt8], _ findings: Findings) {
        let text = library.archive_error_string(archive).map { String(cString: $0) } ?? "libarchive gives no reason"
        if text.contains("Can't translate") { return }
        findings.add(Finding(.notRestored, BytePath(path), "not all of it is in the archive: \(text)"))
    }

    /// Tells libarchive all about an entry but its content.
    private func describe(
        _ file: Entry, path: [UInt8], target: [UInt8], _ slices: [Slice], _ findings: Findings
    ) {
        _ = library.archive_entry_clear(entry)
        withNullTerminated(path) { library.archive_entry_set_pathname(entry, $0) }
        library.archive_entry_set_perm(entry, file.mode)
        library.archive_entry_set_uid(entry, Int64(file.user))
        library.archive_entry_set_gid(entry, Int64(file.group))
        withNullTerminated(file.userName) { library.archive_entry_set_uname(entry, $0) }
        withNullTerminated(file.groupName) { library.archive_entry_set_gname(entry, $0) }
        var modified = file.modified
        if modified.seconds < 0, modified.nanoseconds > 0 {
            // libarchive would write another time.
            modified.nanoseconds = 0
            findings.add(
                Finding(.notRestored, BytePath(path), "its time before 1970 is in the archive without the fraction"))
        }
        // safe: 64 bits both, and a number below 10^9
        library.archive_entry_set_mtime(entry, time_t(modified.seconds), Int(modified.nanoseconds))
        if file.flags != 0 { library.archive_entry_set_fflags(entry, UInt(file.flags), 0) }
        if file.flags & Descriptor.directAccessFlag != 0 {
            findings.add(Finding(.notRestored, BytePath(path), "an archive cannot have its flag for direct access (x)"))
        }
        for attribute in file.attributes {
            if file.kind != .symbolicLink, addAccessControlList(attribute, file) { continue }
            // libarchive writes any other name in an encoding that no reader takes back.
            guard attribute.name.allSatisfy(Self.isPlain) else {
                findings.add(
                    Finding(
                        .notRestored, BytePath(path),
                        "an archive cannot have its attribute \(printable(attribute.name))"))
                continue
            }
            add(attribute)
        }
        switch file.kind {
        case .file:
            library.archive_entry_set_filetype(entry, Glibc.S_IFREG)
            library.archive_entry_set_size(entry, Int64(file.size))  // safe: compared with 2^50
            addSparseMap(slices, size: file.size)
        case .directory: library.archive_entry_set_filetype(entry, Glibc.S_IFDIR)
        case .symbolicLink:
            library.archive_entry_set_filetype(entry, Glibc.S_IFLNK)
            withNullTerminated(file.target) { library.archive_entry_set_symlink(entry, $0) }
        case .hardLink: withNullTerminated(target) { library.archive_entry_set_hardlink(entry, $0) }
        case .characterDevice, .blockDevice:
            library.archive_entry_set_filetype(entry, file.kind == .blockDevice ? Glibc.S_IFBLK : Glibc.S_IFCHR)
            library.archive_entry_set_rdevmajor(entry, UInt(file.nodeMajor))
            library.archive_entry_set_rdevminor(entry, UInt(file.nodeMinor))
        case .fifo: library.archive_entry_set_filetype(entry, Glibc.S_IFIFO)
        case .socket: break
        }
    }

    /// Whether a byte of an attribute's name stands for itself in an archive.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "%") && byte != UInt8(ascii: "=")
    }

    private func add(_ attribute: ExtendedAttribute) {
        withNullTerminated(attribute.name) { name in
            attribute.value.withUnsafeBytes {
                library.archive_entry_xattr_add_entry(entry, name, $0.baseAddress, $0.count)
            }
        }
    }

    /// Writes a list as such, so that tools restore it, with a mode that gives nobody more where they do not: the kernel shows the mask
    /// where the mode has the group's rights, and that would give the group what is meant for somebody named.
    /// - Returns: false for any other attribute.
    private func addAccessControlList(_ attribute: ExtendedAttribute, _ file: Entry) -> Bool {
        let isAccess = attribute.name == AccessControlList.accessName
        guard isAccess || attribute.name == AccessControlList.defaultName,
            var list = AccessControlList(attribute: attribute.value)
        else { return false }
        // libarchive has no greater numbers: such a list stays the attribute that it is.
        guard list.items.allSatisfy({ $0.id < CInt.max || $0.tag != .user && $0.tag != .group }) else {
            if isAccess, let group = list.permissions(of: .owningGroup), let mask = list.permissions(of: .mask) {
                library.archive_entry_set_perm(entry, file.mode & ~0o70 | UInt32(group & mask) << 3)
            }
            add(attribute)
            return true
        }
        let kind = isAccess ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS : ARCHIVE_ENTRY_ACL_TYPE_DEFAULT
        if isAccess, let mask = list.permissions(of: .mask) {
            for index in list.items.indices where list.items[index].tag == .owningGroup {
                if list.items[index].permissions & ~mask == 0 { continue }
                // The mode comes from this: it is told as what it amounts to, and the attribute keeps what it is.
                list.items[index].permissions &= mask
                add(attribute)
            }
        }
        list.add(to: entry, kind, library: library)
        return true
    }

    private func addSparseMap(_ slices: [Slice], size: UInt64) {
        guard slices.contains(where: { $0.chunk == nil }) else { return }
        var position: Int64 = 0
        for slice in slices {
            let length = Int64(slice.length)  // safe: all add up to the file's size, which is below 2^50
            if slice.chunk != nil { library.archive_entry_sparse_add_entry(entry, position, length) }
            position += length
        }
        if !slices.contains(where: { $0.chunk != nil }) {
            library.archive_entry_sparse_add_entry(entry, Int64(size), 0)  // safe: as above
        }
    }

    private func content(_ slices: [Slice], _ chunks: any ChunkProvider) throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for slice in slices {
            guard let id = slice.chunk else {
                // libarchive takes the whole content and leaves the holes out by the map.
                var left = Int(slice.length)  // safe: the file's size is below 2^50
                while left > 0 {
                    let count = zeros.withUnsafeBytes {
                        library.archive_write_data(archive, $0.baseAddress, min(left, $0.count))
                    }
                    guard count > 0 else { throw library.error(archive, "write to") }
                    left -= count
                }
                continue
            }
            if slices.count > 1 { try chunks.read(id, into: workspace) }
            var part = UnsafeRawBufferPointer(rebasing: workspace.content[try slice.range(in: workspace.content)])
            while !part.isEmpty {
                let count = library.archive_write_data(archive, part.baseAddress, part.count)
                guard count > 0 else { throw library.error(archive, "write to") }
                part = UnsafeRawBufferPointer(rebasing: part[count...])
            }
        }
    }
}
