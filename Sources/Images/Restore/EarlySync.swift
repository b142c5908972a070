// Has the kernel write what is restored while more is computed: else all of it would wait for the end, with idle processors.

internal import Platform
internal import Reporting

final class EarlySync: @unchecked Sendable {
    /// So much is written at once; less would cost more commits of the journal.
    private static let step: UInt64 = 64 << 20

    private let folder: Descriptor
    private let failed: @Sendable (SystemError) -> Void
    private let monitor = Monitor()
    private var waiting: UInt64 = 0
    private var isEnding = false
    private var thread: WorkerThread?

    /// - Parameter failed: told of a failed sync, once and by nobody else: a later sync of the same descriptor does not fail for it again.
    init(_ folder: Descriptor, failed: @escaping @Sendable (SystemError) -> Void) {
        self.folder = folder
        self.failed = failed
        thread = WorkerThread { [self] in
            while isDue() {
                do throws(SystemError) { try folder.synchronizeFileSystem() } catch { return failed(error) }
            }
        }
    }

    private func isDue() -> Bool {
        monitor.withLock {
            while waiting < Self.step, !isEnding { monitor.wait() }
            waiting = 0
            return !isEnding
        }
    }

    func add(_ bytes: Int) {
        monitor.withLock {
            waiting.add(saturating: UInt64(bytes))  // safe: of a buffer
            if waiting >= Self.step { monitor.wakeAll() }
        }
    }

    /// Ends it; what has not been written yet is left to the caller.
    func end() {
        monitor.withLock {
            isEnding = true
            monitor.wakeAll()
        }
        thread?.join()
        // The thread's closure holds this.
        thread = nil
    }
}
