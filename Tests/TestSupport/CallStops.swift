// Stops the code under test at its system calls: to look, to change the world between its look and its use, or to have the call fail.

internal import CTestSupport
internal import Glibc
internal import Platform

/// A system call that has not had its effect yet.
public struct StoppedCall: Sendable {
    /// From 1 on, over all calls.
    public let number: Int
    public let name: String
    /// What the first argument, a descriptor, leads to; empty where it is none.
    public let path: String
    /// The bytes that `read` or `pread64` asks for.
    public let range: Range<UInt64>?
}

/// The system calls by which names are looked up, made and removed.
public let nameCalls = [
    "openat", "openat2", "mkdirat", "unlinkat", "statx", "newfstatat", "getdents64", "renameat", "renameat2", "linkat",
    "symlinkat", "mkdir", "unlink",
]

/// Runs `body` in a thread of its own, which stops at each of the named system calls.
/// - Parameter decide: called before each; returns 0 to let it go on, or the errno with which it is to fail.
/// - Returns: how many calls there were.
@discardableResult
public func stopping(
    at calls: [String], _ decide: (StoppedCall) -> CInt, during body: @escaping @Sendable () -> Void
) -> Int {
    let numbers = calls.map { ctest_call_number($0) }
    precondition(!numbers.contains(-1), "unknown system calls among \(calls)")
    let monitor = Monitor()
    nonisolated(unsafe) var listener: CInt?
    let thread = WorkerThread {
        let descriptor = ctest_stop_calls(numbers, numbers.count)
        monitor.withLock {
            listener = descriptor
            monitor.wakeAll()
        }
        if descriptor >= 0 { body() }
    }
    let descriptor = monitor.withLock { () -> CInt in
        while true {
            if let listener { return listener }
            monitor.wait()
        }
    }
    precondition(descriptor >= 0, "cannot stop a thread at its system calls; is this root?")
    defer { close(descriptor) }
    var count = 0
    var stop = ctest_stop()
    while ctest_next_stop(descriptor, &stop) == 1 {
        count += 1
        let name = String(cString: ctest_call_name(stop.number))
        let call = StoppedCall(
            number: count, name: name, path: path(of: stop.arguments.0), range: range(of: stop, name))
        let error = decide(call)
        _ = ctest_go_on(descriptor, stop.id, error)
    }
    thread.join()
    return count
}

private func range(of stop: ctest_stop, _ name: String) -> Range<UInt64>? {
    if name == "pread64" { return stop.arguments.3..<stop.arguments.3 + stop.arguments.2 }
    guard name == "read", let file = fopen("/proc/self/fdinfo/\(stop.arguments.0)", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return nil }
    let digits = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.filter { (0x30...0x39).contains($0) }
    guard let start = UInt64(String(decoding: digits, as: UTF8.self)) else { return nil }
    return start..<start + stop.arguments.2
}

private func path(of descriptor: UInt64) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
    return count < 0 ? "" : String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Runs `body` in a thread of its own that uses files as `nobody` does.
public func asNobody(_ body: @escaping @Sendable () -> Void) {
    WorkerThread {
        ctest_use_files_as(65534)
        body()
    }.join()
}
