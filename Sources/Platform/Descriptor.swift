// An open file, and the calls on it. Everything below a tree is reached by one name at a time from the descriptor
// of its folder: no path is ever resolved twice, so nobody can swap a folder for a link in between, and paths may
// be longer than PATH_MAX.

internal import CLinux
internal import Glibc

/// An open file descriptor that is closed when the last one lets go of it.
///
/// A class, since the threads of a restore share folders; it has no state but the number.
public final class Descriptor: Sendable {
    public let raw: CInt

    /// Takes over `raw`.
    public init(owning raw: CInt) { self.raw = raw }

    /// Another descriptor of what `number` leads to, such as standard output: that one stays open when this one goes.
    public init(duplicating number: CInt) throws(SystemError) {
        raw = try check("use", "descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 3) }
    }

    deinit { close(raw) }

    public struct OpenOptions: OptionSet, Sendable {
        public let rawValue: CInt
        public init(rawValue: CInt) { self.rawValue = rawValue }
        public static let write = OpenOptions(rawValue: O_WRONLY)
        public static let readWrite = OpenOptions(rawValue: O_RDWR)
        public static let create = OpenOptions(rawValue: O_CREAT)
        public static let exclusive = OpenOptions(rawValue: O_EXCL)
        /// Only for files whose name nobody else can give away.
        public static let truncate = OpenOptions(rawValue: O_TRUNC)
        public static let directory = OpenOptions(rawValue: O_DIRECTORY)
        public static let append = OpenOptions(rawValue: O_APPEND)
        /// A last component that is a symbolic link is refused (ELOOP).
        public static let noFollow = OpenOptions(rawValue: O_NOFOLLOW)
        /// Never waits for the other end of a FIFO.
        public static let nonBlocking = OpenOptions(rawValue: O_NONBLOCK)
        /// Only a place in the tree (O_PATH): no right to read is needed.
        public static let place = OpenOptions(rawValue: clinux_O_PATH)
    }

    /// Opens a path; symbolic links in it are followed, as the user who typed it expects.
    public static func open(
        _ path: BytePath, _ options: OpenOptions = [], mode: UInt32 = 0o600
    ) throws(SystemError) -> Descriptor {
        try Descriptor(
            owning: check("open", path.description) {
                path.withCString { clinux_openat(AT_FDCWD, $0, options.rawValue | O_CLOEXEC, mode) }
            })
    }

    /// Opens one name below this folder, never following a link. Read access times are left alone where we may.
    public func open(
        _ name: [UInt8], _ options: OpenOptions = [], mode: UInt32 = 0o600
    ) throws(SystemError) -> Descriptor {
        let flags = options.rawValue | O_CLOEXEC | O_NOFOLLOW
        return try withNullTerminated(name) { pointer throws(SystemError) in
            // safe: it asks, and makes nothing
            if options.isDisjoint(with: [.write, .readWrite, .create, .place]) {
                // O_NOATIME is for the owner and root only; others get EPERM and try without.
                let descriptor = clinux_openat(raw, pointer, flags | clinux_O_NOATIME, mode)
                if descriptor >= 0 { return Descriptor(owning: descriptor) }
                if errno != EPERM && errno != EINTR { throw SystemError(errno, "open", printable(name)) }
            }
            return try Descriptor(owning: check("open", printable(name)) { clinux_openat(raw, pointer, flags, mode) })
        }
    }

    /// Opens a relative path below this folder through folders only, following no link: `openat2` refuses to leave it.
    public func openBeneath(_ path: [UInt8], _ options: OpenOptions = []) throws(SystemError) -> Descriptor {
        try Descriptor(
            owning: check("open", printable(path)) {
                withNullTerminated(path) { clinux_openat_beneath(raw, $0, options.rawValue, 0) }
            })
    }

    /// Reads until the buffer is full or the file ends; returns the bytes read.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        var total = 0
        while total < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[total...])
            let count = try check("read", "the file") { Glibc.read(raw, rest.baseAddress, rest.count) }
            if count == 0 { break }
            total += count
        }
        return total
    }

    /// What one call reads at most where the thread gives way.
    private static let gentleLength = 32 << 10

    /// Reads at `offset` until the buffer is full or the file ends; returns the bytes read. Whoever gives way reads in small pieces, and nothing
    /// ahead: many kernels finish a call before anybody else comes, and what a call reads ahead may be megabytes.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        var most = buffer.count
        if most > Self.gentleLength, HostFacts.givesWay {
            _ = posix_fadvise(raw, 0, 0, POSIX_FADV_RANDOM)
            most = Self.gentleLength
        }
        var total = 0
        while total < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[total...])
            let count = try check("read", "the file") {
                pread(raw, rest.baseAddress, min(rest.count, most), off_t(offset) + total)
            }
            if count == 0 { break }
            total += count
        }
        return total
    }

    /// Where `read` goes on.
    public func seek(to offset: Int64) throws(SystemError) {
        try check("read", "the file") { lseek(raw, off_t(offset), SEEK_SET) }
    }

    public func write(_ buffer: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = buffer
        while !rest.isEmpty {
            let count = try check("write", "the file") { Glibc.write(raw, rest.baseAddress, rest.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    public func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
        var rest = buffer
        var position = offset
        while !rest.isEmpty {
            let count = try check("write", "the file") { pwrite(raw, rest.baseAddress, rest.count, off_t(position)) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            position += Int64(count)
        }
    }

    // `Array.withUnsafeBytes` still rethrows untyped, so the error goes by way of a Result.

    public func read(intoArray bytes: inout [UInt8]) throws(SystemError) -> Int {
        try bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in try read(into: buffer) }
        }.get()
    }

    public func write(_ bytes: [UInt8]) throws(SystemError) {
        try bytes.withUnsafeBytes { buffer in Result { () throws(SystemError) in try write(buffer) } }.get()
    }

    public func truncate(to length: Int64) throws(SystemError) {
        try check("set the length of", "the file") { ftruncate(raw, off_t(length)) }
    }

    /// Makes what was written durable, the file's length and times included.
    public func synchronize() throws(SystemError) {
        try check("sync", "the file") { fsync(raw) }
    }

    /// Makes everything on this file system durable.
    public func synchronizeFileSystem() throws(SystemError) {
        try check("sync", "the file system") { clinux_syncfs(raw) }
    }

    /// Asks the kernel to begin writing a range, so that the fsync that follows finds little left to do. Never fails.
    public func startWriteback(offset: Int64, length: Int64) {
        _ = clinux_start_writeback(raw, offset, length)
    }

    /// Waits until what was begun of a range is written. Never fails: the fsync that follows tells.
    public func finishWriteback(offset: Int64, length: Int64) { _ = clinux_finish_writeback(raw, offset, length) }

    /// Frees a range of the file, leaving zeros; false where the file system cannot.
    public func punchHole(offset: Int64, length: Int64) -> Bool {
        clinux_punch_hole(raw, offset, length) == 0
    }

    /// Has what is in memory of it read from the medium again, as far as the kernel likes to. Never fails.
    public func forgetCached() { _ = posix_fadvise(raw, 0, 0, POSIX_FADV_DONTNEED) }

    public var fileSystemType: UInt { UInt(clinux_file_system_type(raw)) }

    /// Whether files on this file system end below 4 GiB (FAT).
    public var hasFATLimits: Bool { fileSystemType == UInt(clinux_MSDOS_SUPER_MAGIC) }

    /// The next range at or after `offset` that holds data, or nil where only a hole is left. A file system that
    /// does not know holes answers that all is data.
    public func nextData(from offset: Int64, size: Int64) throws(SystemError) -> Range<Int64>? {
        let start = Int64(lseek(raw, off_t(offset), clinux_SEEK_DATA))
        if start < 0 {
            if errno == ENXIO { return nil }
            return offset < size ? offset..<size : nil
        }
        let end = Int64(lseek(raw, off_t(start), clinux_SEEK_HOLE))
        if end < 0 { return start..<max(size, start) }
        // A file system over the network or FUSE may say anything: then all is read.
        guard start >= offset, end > start else { return offset..<max(size, offset) }
        return start..<end
    }

    /// Takes an advisory lock that ends with the process; false where another holds it.
    public func tryLock() -> Bool { flock(raw, LOCK_EX | LOCK_NB) == 0 }

    /// The same, beside others who take it so.
    public func tryLockShared() -> Bool { flock(raw, LOCK_SH | LOCK_NB) == 0 }

    /// Whether another program holds a record lock on this file (fcntl(2)), as dpkg does.
    public var isLockedByRecord: Bool {
        var record = flock()
        record.l_type = Int16(F_WRLCK)
        record.l_whence = Int16(SEEK_SET)
        return fcntl(raw, F_GETLK, &record) == 0 && record.l_type != Int16(F_UNLCK)
    }

    /// Bytes of the file system that root can still write, and all of them.
    public func space() throws(SystemError) -> (free: UInt64, total: UInt64) {
        var result = statvfs()
        try check("look at", "the file system") { fstatvfs(raw, &result) }
        let unit = UInt64(result.f_frsize)
        return (
            UInt64(result.f_bavail).multiplied(saturating: unit), UInt64(result.f_blocks).multiplied(saturating: unit)
        )
    }

    /// Files and folders of the file system, as far as it counts them.
    public func fileCount() throws(SystemError) -> UInt64 {
        var result = statvfs()
        try check("look at", "the file system") { fstatvfs(raw, &result) }
        return UInt64(result.f_files - min(result.f_files, result.f_ffree))
    }

    /// Bytes of the file system that hold nothing, whoever may have them.
    public func emptySpace() throws(SystemError) -> UInt64 {
        var result = statvfs()
        try check("look at", "the file system") { fstatvfs(raw, &result) }
        return UInt64(result.f_bfree).multiplied(saturating: UInt64(result.f_frsize))
    }

    /// Takes a lock like `tryLock`, from somebody who is about to give it back if need be: waits for two seconds at most.
    public func tryLockPatiently() -> Bool {
        for _ in 0..<20 {
            if tryLock() { return true }
            usleep(100_000)
        }
        return false
    }

    /// Waits for an exclusive lock on this file, which goes with the descriptor.
    public func lock() throws(SystemError) { try check("lock", "the file") { flock(raw, LOCK_EX) } }

    // MARK: Names below a folder

    public func makeDirectory(_ name: [UInt8], mode: UInt32 = 0o700) throws(SystemError) {
        try check("make the folder", printable(name)) { withNullTerminated(name) { mkdirat(raw, $0, mode) } }
    }

    public func remove(_ name: [UInt8], directory: Bool = false) throws(SystemError) {
        try check("remove", printable(name)) {
            withNullTerminated(name) { unlinkat(raw, $0, directory ? AT_REMOVEDIR : 0) }
        }
    }

    public func rename(_ name: [UInt8], to newName: [UInt8]) throws(SystemError) {
        try check("rename", printable(name)) {
            withNullTerminated(name) { old in withNullTerminated(newName) { renameat(raw, old, raw, $0) } }
        }
    }

    public func makeSymbolicLink(_ name: [UInt8], target: [UInt8]) throws(SystemError) {
        try check("make the link", printable(name)) {
            withNullTerminated(target) { target in withNullTerminated(name) { symlinkat(target, raw, $0) } }
        }
    }

    public func makeLink(_ name: [UInt8], to other: [UInt8], in folder: Descriptor) throws(SystemError) {
        try check("link", printable(name)) {
            withNullTerminated(other) { other in withNullTerminated(name) { linkat(folder.raw, other, raw, $0, 0) } }
        }
    }

    public func makeNode(_ name: [UInt8], mode: UInt32, major: UInt32, minor: UInt32) throws(SystemError) {
        try check("make", printable(name)) { withNullTerminated(name) { clinux_mknodat(raw, $0, mode, major, minor) } }
    }

    public func readLink(_ name: [UInt8]) throws(SystemError) -> [UInt8] {
        var capacity = 256
        while true {
            var target = [UInt8](repeating: 0, count: capacity)
            let count = try check("read the link", printable(name)) {
                withNullTerminated(name) { name in
                    target.withUnsafeMutableBytes { buffer -> Int in
                        guard let start = buffer.bindMemory(to: CChar.self).baseAddress else { return 0 }
                        return readlinkat(raw, name, start, buffer.count)
                    }
                }
            }
            if count < capacity { return Array(target[..<count]) }
            capacity *= 4
        }
    }

    // MARK: Owners, modes, times

    /// Of what is open; a place is enough, a symbolic link too.
    public func setOwner(user: UInt32, group: UInt32) throws(SystemError) {
        try check("set the owner of", "the file") { fchownat(raw, "", user, group, clinux_AT_EMPTY_PATH) }
    }

    public func setMode(_ mode: UInt32) throws(SystemError) {
        try check("set the mode of", "the file") { fchmod(raw, mode) }
    }

    /// Of what is open; a place is enough, a symbolic link too.
    public func setModificationTime(seconds: Int64, nanoseconds: UInt32) throws(SystemError) {
        try check("set the times of", "the file") { clinux_set_modification_time(raw, seconds, nanoseconds) }
    }

    /// The same, and gives the time of the last access the same value.
    public func setTimes(seconds: Int64, nanoseconds: UInt32) throws(SystemError) {
        try check("set the times of", "the file") { clinux_set_times(raw, seconds, nanoseconds) }
    }

    /// The project that quotas count the file for, 0 where that is none; nil where the file system has no projects.
    public var project: UInt32? {
        var value: UInt32 = 0
        return clinux_get_project(raw, &value) == 0 ? value : nil
    }

    public func setProject(_ project: UInt32) throws(SystemError) {
        try check("set the project of", "the file") { clinux_set_project(raw, project) }
    }

    // MARK: Inode flags

    /// The inode flags that can be set again, or nil where the file system has none.
    public var flags: UInt32? {
        var value: UInt32 = 0
        return clinux_get_flags(raw, &value) == 0 ? value & clinux_settable_flags : nil
    }

    /// Sets the settable flags and leaves the others as they are.
    public func setFlags(_ flags: UInt32) throws(SystemError) {
        var current: UInt32 = 0
        try check("read the flags of", "the file") { clinux_get_flags(raw, &current) }
        let wanted = current & ~clinux_settable_flags | flags & clinux_settable_flags
        if wanted == current { return }
        try check("set the flags of", "the file") { clinux_set_flags(raw, wanted) }
    }

    public static let appendOnlyFlag = clinux_FS_APPEND_FL
    /// Direct access, without the page cache.
    public static let directAccessFlag = clinux_FS_DAX_FL
    /// Flags under which a file or its names cannot be changed.
    public static let protectingFlags = clinux_FS_IMMUTABLE_FL | clinux_FS_APPEND_FL
}
