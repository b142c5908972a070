// Threads of our own, and what they wait on. Blocking calls and long computations never run on Swift's cooperative
// pool: on two cores, two blocked tasks would stop the process for ever.

internal import CLinux
internal import Glibc

/// A mutex with a condition, as one object: `Synchronization.Mutex` has nothing to wait on.
public final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    @inline(__always)
    public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Only inside of `withLock`.
    public func wait() { pthread_cond_wait(condition, mutex) }

    public func wakeAll() { pthread_cond_broadcast(condition) }
}

/// A thread that can be joined.
public final class WorkerThread: @unchecked Sendable {
    private var handle = pthread_t()
    private var isJoined = false

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Starts a thread; `body` must not throw and not trap.
    public init(_ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        let status = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        precondition(status == 0, "no thread to be had: \(String(cString: strerror(status)))")
    }

    public func join() {
        if isJoined { return }
        isJoined = true
        pthread_join(handle, nil)
    }
}

/// A queue that holds at most `capacity` elements: whoever is faster waits.
public final class BoundedQueue<Element>: @unchecked Sendable {
    private let monitor = Monitor()
    private let capacity: Int
    private var elements: [Element?]
    private var head = 0
    private var count = 0
    private var isClosed = false

    public init(capacity: Int) {
        self.capacity = capacity
        elements = Array(repeating: nil, count: capacity)
    }

    /// Waits for room. Returns false, and drops the element, when the queue has been closed.
    @discardableResult
    public func push(_ element: Element) -> Bool {
        monitor.withLock {
            while count == capacity && !isClosed { monitor.wait() }
            if isClosed { return false }
            elements[(head + count) % capacity] = element
            count += 1
            monitor.wakeAll()
            return true
        }
    }

    /// Waits for an element; nil when the queue is closed and empty.
    public func pop() -> Element? {
        monitor.withLock {
            while count == 0 && !isClosed { monitor.wait() }
            if count == 0 { return nil }
            let element = elements[head]
            elements[head] = nil
            head = (head + 1) % capacity
            count -= 1
            monitor.wakeAll()
            return element
        }
    }

    /// No more elements come; those inside are still handed out.
    public func close() {
        monitor.withLock {
            isClosed = true
            monitor.wakeAll()
        }
    }
}

/// Work that goes on beside its caller, on a thread of its own, until its result is wanted.
public final class Beside<Value: Sendable>: @unchecked Sendable {
    private final class Outcome: @unchecked Sendable { var result: Result<Value, any Error>? }

    private let work: @Sendable () -> Result<Value, any Error>
    private let outcome = Outcome()
    private let thread: WorkerThread?

    /// - Parameter isWorth: false: it is done when its result is wanted, and by whoever wants it.
    public init(_ isWorth: Bool, _ work: @escaping @Sendable () throws -> Value) {
        let work: @Sendable () -> Result<Value, any Error> = { Result { try work() } }
        self.work = work
        thread = isWorth ? WorkerThread { [outcome] in outcome.result = work() } : nil
    }

    /// No work outlives what it is for.
    deinit { thread?.join() }

    /// Waits for the result. For one thread.
    public func value() throws -> Value {
        thread?.join()
        let known = outcome.result ?? work()
        outcome.result = known
        return try known.get()
    }
}

/// Computes something of each element, on several threads, and hands the results over in the elements' order.
/// - Parameters:
///   - threads: with one, each is computed when its turn comes, on the caller's own thread.
///   - take: returns false where no more are wanted.
public func inOrder<Element: Sendable, Value: Sendable>(
    _ elements: [Element], threads: Int, _ compute: @escaping @Sendable (Element) -> Value,
    _ take: (Element, Value) throws -> Bool
) rethrows {
    if threads <= 1 || elements.count <= 1 {
        for element in elements where try !take(element, compute(element)) { return }
        return
    }
    let work = OrderedWork(elements, ahead: 2 * threads, compute)
    let workers = (0..<min(threads, elements.count)).map { _ in WorkerThread { work.run() } }
    defer {
        work.end()
        workers.forEach { $0.join() }
    }
    for (index, element) in elements.enumerated() where try !take(element, work.value(at: index)) { return }
}

private final class OrderedWork<Element: Sendable, Value: Sendable>: @unchecked Sendable {
    private let elements: [Element]
    private let ahead: Int
    private let compute: @Sendable (Element) -> Value
    private let monitor = Monitor()
    private var next = 0
    private var taken = 0
    private var values: [Int: Value] = [:]

    init(_ elements: [Element], ahead: Int, _ compute: @escaping @Sendable (Element) -> Value) {
        self.elements = elements
        self.ahead = ahead
        self.compute = compute
    }

    func run() {
        while true {
            let index = monitor.withLock { () -> Int? in
                while next < elements.count, next - taken >= ahead { monitor.wait() }
                guard next < elements.count else { return nil }
                defer { next += 1 }
                return next
            }
            guard let index else { return }
            let value = compute(elements[index])
            monitor.withLock {
                values[index] = value
                monitor.wakeAll()
            }
        }
    }

    /// Waits for it.
    func value(at index: Int) -> Value {
        monitor.withLock {
            while true {
                if let value = values.removeValue(forKey: index) {
                    taken = index + 1
                    monitor.wakeAll()
                    return value
                }
                monitor.wait()
            }
        }
    }

    func end() {
        monitor.withLock {
            next = elements.count
            monitor.wakeAll()
        }
    }
}

/// How many threads compute at once: as many as there are processors that this one may run on.
public var processorCount: Int {
    let usable = Int(clinux_usable_processors())
    return usable > 0 ? usable : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}
