// An upload that holds its bytes until they are there: for servers, where what was sent halfway is worth nothing and is sent again whole.

final class BufferedUpload: ObjectUpload, @unchecked Sendable {
    private let store: any ObjectStore
    private let name: String
    private var bytes: [UInt8] = []
    /// Whether an attempt failed of which nobody knows whether it had its effect.
    private var isBegun = false
    private var isDone = false

    /// - Parameter store: whose `put` makes the object.
    init(_ name: String, in store: any ObjectStore) {
        self.store = store
        self.name = name
        // Growing by doubling would take as much again, while it is copied.
        if let length = store.objectLength { bytes.reserveCapacity(Int(clamping: length) + (1 << 20)) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) { self.bytes.append(contentsOf: bytes) }

    func commit() throws(StoreError) {
        if isDone { return }
        do throws(StoreError) { try store.put(name, bytes) } catch {
            // One that was there before is somebody else's, and stays.
            if error.reason != .exists { isBegun = true }
            guard error.reason == .exists, isBegun, try store.isOwn(name, bytes) else { throw error }
        }
        isDone = true
        bytes = []
    }

    func abandon() {
        bytes = []
        // Of one that was never sent nothing is there. What cannot be removed now is the next run's to remove.
        if isBegun || isDone { try? store.remove(name) }
    }
}
