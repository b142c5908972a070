// Wiping what is free on a file system: files take all of it, are overwritten and read back, and go.

internal import Cryptography
internal import Glibc
internal import Machine
public import Platform
public import Reporting

public struct FreeSpaceWipe {
    public let path: BytePath
    public let reach: Reach
    /// Bytes that are to stay free for those who work there meanwhile.
    public let reserve: UInt64
    public let free: UInt64
    /// Bytes that an interrupted one has not given back yet: this one does so first.
    public let leftover: UInt64
    let identity: FileIdentity
    /// Names the folders that are to go: whatever has such a name and is not recorded there is somebody's own.
    private let journal: Journal

    private static let prefix = Array(".holdfast-wipe-".utf8)
    /// The least length of a file that takes space, unless less is left; some file systems have no much larger ones.
    private static let fileLength: UInt64 = 1 << 30
    /// How many files there are at most, about: each is held open, and a process may have 1024.
    private static let fileCount: UInt64 = 600

    /// - Parameters:
    ///   - reserve: nil where nothing has to stay free.
    ///   - state: where it is remembered what an interrupted one leaves.
    /// - Throws: `WipeError`, also where the machine runs from the file system and nothing is to stay free.
    public init(_ path: BytePath, reserve: UInt64?, state: BytePath) throws {
        journal = Journal(state: state)
        do {
            self.path = path
            self.reserve = reserve ?? 0
            let folder = try Descriptor.open(path, .directory)
            identity = FileIdentity(try folder.status())
            guard let mount = try Mount.holding(folder) else {
                throw WipeError.notAPath(path: path, reason: "it is on no file system that can be told")
            }
            if mount.isReadOnly { throw WipeError.readOnly(device: path.description) }
            let root = try Descriptor.open("/", .directory).status()
            if reserve == nil, try folder.status().device == root.device {
                throw WipeError.wantsReserve(path: path)
            }
            reach = Reach(mount)
            free = try folder.space().free
            leftover = try Self.leftovers(in: folder, journal).reduce(0) { $0 + (try Self.allocated(in: $1.folder)) }
        } catch { throw WipeError.wrapping(error) }
    }

    public func run(_ progress: Progress) throws -> PathWipeReport {
        do { return try wipe(progress) } catch { throw WipeError.wrapping(error) }
    }

    private func wipe(_ progress: Progress) throws -> PathWipeReport {
        let parent = try Descriptor.open(path, .directory)
        guard FileIdentity(try parent.status()) == identity else {
            throw StalePlan(id: id, reason: "\(path) is another folder by now")
        }
        // What an interrupted one left.
        try removeLeftovers(parent)
        let name = Self.prefix + Array(hexadecimal(try SecureRandom.bytes(6)).utf8)
        try journal.make()
        try writeNew(journal.path(of: .freeSpace(name: name)), [])
        // Whatever ends this, the space is given back; of a kill an empty folder stays, which goes with the next call.
        defer { try? removeLeftovers(parent) }
        try parent.makeDirectory(name)
        guard let folder = try Self.own(name, in: parent), try DirectoryListing(of: folder).count == 0 else {
            throw WipeError.notAPath(path: path, reason: "somebody changes names in it meanwhile")
        }
        var report = PathWipeReport(reasons: reach.reasons, notes: reach.notes)
        let overwrite = try FileOverwrite(reach, progress)
        let kept = reserve == 0 ? takeReserve() : nil
        defer { kept.map { giveBack($0) } }
        // They have no names: what holds the space is that they are open.
        var files: [Descriptor] = []
        defer { withExtendedLifetime(files) {} }
        progress.expect(bytes: free > reserve ? free - reserve : 0, items: 0)
        while let file = try take(folder, number: report.files) {
            files.append(file)
            report.files += 1
            report.bytes += try file.status().size
            if let reason = try overwrite.overwrite(file) { report.add(reason) }
        }
        report.verified = overwrite.verified
        let left = try folder.emptySpace()
        if left > 0 { report.add("\(left) bytes could not be taken or were left free, and are as they were") }
        // The blocks that hold names and places of these files held something else before. They are written to their places now: once the
        // files are gone, they never would be.
        if reach.hasJournal, !folder.clearJournal() {
            report.add("a few blocks with names and places of files, and the journal, may be as they were")
        }
        report.notes.append(
            "the ends of other files' last blocks and names that were removed from folders are not reached")
        return report
    }

    // MARK: What ext4 keeps for itself

    /// ext4 keeps some blocks for its own growth that no file can have (Documentation/ABI/testing/sysfs-fs-ext4, reserved_clusters). The
    /// number is that of the mounted file system alone: a kill leaves it at 0 until it is mounted again.
    private var reservedClusters: BytePath? {
        let file = reach.device.map { BytePath("/sys/fs/ext4/\($0.name)/reserved_clusters") }
        return file.flatMap { exists($0) ? $0 : nil }
    }

    private func takeReserve() -> [UInt8]? {
        guard let file = reservedClusters, let before = try? readWhole(file, limit: 64) else { return nil }
        try? Descriptor.open(file, .write).write(Array("0\n".utf8))
        return before
    }

    private func giveBack(_ number: [UInt8]) {
        guard let file = reservedClusters else { return }
        try? Descriptor.open(file, .write).write(number)
    }

    // MARK: Taking space

    /// A file that takes as much of what is free as one can; nil where nothing is left to take.
    private func take(_ folder: Descriptor, number: UInt64) throws -> Descriptor? {
        let name = Array("\(number)".utf8)
        let file: Descriptor
        do throws(SystemError) {
            file = try folder.open(name, [.readWrite, .create, .exclusive])
        } catch {
            guard error.code == ENOSPC else { throw error }
            return nil
        }
        // From here on a kill gives back what it takes. Where the file system does not part with the name of an open file, that one goes at
        // the end, and after a kill with the next call.
        try? folder.remove(name)
        var length = max(Self.fileLength, free / Self.fileCount / 4096 * 4096)
        if reserve > 0 {
            let free = try folder.space().free
            length = min(length, free > reserve ? free - reserve : 0) / 4096 * 4096
        }
        while length >= 512 {
            let taken = Result { () throws(SystemError) in try allocate(file, length) }
            if case .failure(let error) = taken, error.code == ENOSPC {
                try file.truncate(to: 0)
                length /= 2
                continue
            }
            try taken.get()
            return file
        }
        return nil
    }

    /// Where the file system cannot give blocks unwritten, zeros take them.
    private func allocate(_ file: Descriptor, _ length: UInt64) throws(SystemError) {
        do throws(SystemError) {
            try file.allocate(length)
        } catch {
            guard error.code == EOPNOTSUPP else { throw error }
            let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { zeros.deallocate() }
            zeros.initializeMemory(as: UInt8.self, repeating: 0)
            var done: UInt64 = 0
            while done < length {
                let count = Int(min(UInt64(zeros.count), length - done))
                try file.write(UnsafeRawBufferPointer(rebasing: zeros[..<count]), at: Int64(done))
                done += UInt64(count)
            }
            try file.synchronize()
        }
    }

    /// A folder that only root can have made there; nil where the name is not there, or somebody else's.
    private static func own(_ name: [UInt8], in parent: Descriptor) throws(SystemError) -> Descriptor? {
        let status: FileStatus
        do throws(SystemError) { status = try parent.status(of: name) } catch {
            if error.isAbsent { return nil }
            throw error
        }
        let border = TreeBorder(try parent.status())
        guard status.kind == .directory, !border.isCrossed(by: status) else { return nil }
        let folder = try parent.open(name, .directory)
        let opened = try folder.status()
        return FileIdentity(opened) == FileIdentity(status) && opened.user == geteuid() && opened.mode & 0o077 == 0
            ? folder : nil
    }

    private static func leftovers(
        in parent: Descriptor, _ journal: Journal
    ) throws -> [(name: [UInt8], folder: Descriptor)] {
        try journal.entries().compactMap { entry in
            // One that is in another folder, or on a medium that is away, waits for its turn.
            guard case .freeSpace(let name) = entry, let folder = try own(name, in: parent) else { return nil }
            return (name, folder)
        }
    }

    private static func allocated(in folder: Descriptor) throws -> UInt64 {
        let files = try DirectoryListing(of: folder)
        return try (0..<files.count).reduce(0) { $0 &+ (try folder.status(of: files[$1]).allocated) }
    }

    private func removeLeftovers(_ parent: Descriptor) throws {
        for (name, folder) in try Self.leftovers(in: parent, journal) {
            let files = try DirectoryListing(of: folder)
            for file in 0..<files.count { try folder.remove(files[file]) }
            try parent.remove(name, directory: true)
            try journal.remove(.freeSpace(name: name))
        }
        try parent.synchronize()
    }
}
