// Where keys live: memory of their own that stays out of core dumps and, as far as the system permits, out of swap,
// and that is overwritten before it goes back to the system.

internal import Glibc

/// Bytes that are secret.
///
/// Each secret has its own pages, mapped for it alone: so the advice to the kernel covers nothing else, and unmapping
/// ends it. Locking into memory is best effort, as the limit (`RLIMIT_MEMLOCK`) may be small. `@unchecked Sendable`:
/// the bytes are written only in the initialiser and in `deinit`.
public final class Secret: @unchecked Sendable, Equatable {
    /// How many bytes the secret has.
    public let count: Int
    private let base: UnsafeMutableRawPointer
    private let mapped: Int

    /// Makes a secret of `count` bytes that `fill` writes in place, so that no other copy exists; they are zero before.
    ///
    /// If `fill` throws, what it wrote so far is erased. The process ends if the system has no memory left.
    public init<E: Error>(count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void) throws(E) {
        precondition(count >= 0)
        let page = Int(getpagesize())
        mapped = max(1, (count + page - 1) / page) * page
        guard let memory = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { preconditionFailure("out of memory") }
        madvise(memory, mapped, MADV_DONTDUMP)
        mlock(memory, mapped)
        base = memory
        self.count = count
        try fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    /// Copies `bytes`; erasing the original is the caller's business.
    public convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(count: bytes.count) { (buffer) in buffer.copyMemory(from: bytes) }
    }

    /// Copies `bytes`, which stay in the caller's array: for constants and tests rather than for keys.
    public convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count) { (buffer) in buffer.copyBytes(from: bytes) }
    }

    /// A secret of `count` bytes from the system's random generator.
    public static func random(count: Int) throws(CryptographyError) -> Secret {
        try Secret(count: count) { (buffer) throws(CryptographyError) in try SecureRandom.fill(buffer) }
    }

    deinit {
        explicit_bzero(base, mapped)
        munmap(base, mapped)
    }

    /// Calls `body` with the bytes, which must not be kept beyond the call.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        // The secret must not be released (and erased) while its bytes are in use.
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Compares in a time that depends on the lengths alone.
    /// For whoever alone has it, while it is made.
    func withMutableBytes<R, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    public static func == (left: Secret, right: Secret) -> Bool {
        left.withUnsafeBytes { a in right.withUnsafeBytes { b in equalInConstantTime(a, b) } }
    }
}

/// Overwrites bytes that were secret, wherever they are held once; a copy of them stays.
public func erase(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { buffer in
        if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
    }
}
