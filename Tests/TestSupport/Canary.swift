// A tree that nobody may touch, and somebody who swaps names for links into it while root works beside it.

internal import CTestSupport
internal import Glibc
public import Platform

/// A tree outside of what is worked on. It notices every file or folder in it that is opened, read, changed, made or removed.
public final class CanaryTree: @unchecked Sendable {
    private let notifier: CInt
    private var folders: [CInt: String] = [:]

    /// - Parameter path: a tree that is there already.
    public init(_ path: BytePath) {
        notifier = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        precondition(notifier >= 0, "no inotify to be had")
        var toWatch = [path]
        while let folder = toWatch.popLast() {
            let watch = folder.withCString { inotify_add_watch(notifier, $0, UInt32(Self.kinds.map(\.0).reduce(0, |))) }
            precondition(watch >= 0, "cannot watch \(folder)")
            folders[watch] = folder.description
            guard let opened = try? Descriptor.open(folder, .directory), let names = try? DirectoryListing(of: opened)
            else { preconditionFailure("cannot list \(folder)") }
            for index in 0..<names.count where (try? opened.status(of: names[index]))?.kind == .directory {
                toWatch.append(folder.appending(names[index]))
            }
        }
        _ = touches()
    }

    deinit { close(notifier) }

    /// What happened in it since it was last asked.
    public func touches() -> Set<String> {
        var result: Set<String> = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(notifier, &buffer, buffer.count)
            if count <= 0 { return result }
            var offset = 0
            while offset < count {
                buffer.withUnsafeBytes { bytes in
                    // struct inotify_event: wd 4, mask 4, cookie 4, len 4, name.
                    let watch = bytes.loadUnaligned(fromByteOffset: offset, as: CInt.self)
                    let mask = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                    let name = String(
                        decoding: bytes[offset + 16..<offset + 16 + length].prefix { $0 != 0 }, as: UTF8.self)
                    result.insert("\(Self.words(mask)) \(folders[watch] ?? "")/\(name)")
                    offset += 16 + length
                }
            }
        }
    }

    private static let kinds = [
        (IN_ACCESS, "read"), (IN_MODIFY, "written"), (IN_ATTRIB, "changed"), (IN_OPEN, "opened"), (IN_CREATE, "made"),
        (IN_DELETE, "removed"), (IN_MOVED_FROM, "moved"), (IN_MOVED_TO, "moved"),
    ]

    private static func words(_ mask: UInt32) -> String {
        kinds.filter { mask & UInt32($0.0) != 0 }.map(\.1).joined(separator: " ")
    }
}

/// Swaps two names in one step.
public func exchange(_ one: BytePath, _ other: BytePath) {
    _ = one.withCString { one in other.withCString { ctest_exchange(one, $0) } }
}

/// Swaps pairs of names as fast as it can, until it is told to end.
public final class Swapper: @unchecked Sendable {
    private let monitor = Monitor()
    private var isEnding = false
    private var count = 0
    private var thread: WorkerThread?

    public init(_ pairs: [(BytePath, BytePath)]) {
        thread = WorkerThread { [unowned self] in
            while !monitor.withLock({ isEnding }) {
                for (one, other) in pairs { exchange(one, other) }
                monitor.withLock { count += 1 }
            }
        }
    }

    /// - Returns: how often it has swapped them all.
    @discardableResult
    public func end() -> Int {
        monitor.withLock { isEnding = true }
        thread?.join()
        return count
    }
}
