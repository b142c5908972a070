// An upload that holds its bytes until they are there: for servers, where what was sent halfway is worth nothing and is sent again whole.

internal import Platform

final class BufferedUpload: ObjectUpload, @unchecked Sendable {
    private let store: any ObjectStore
    private let name: String
    private let buffer: UploadBuffer
    /// Of several copies only one has what is appended put into their buffer.
    private let isFirst: Bool
    /// Whether an attempt failed of which nobody knows whether it had its effect.
    private var isBegun = false
    private var isDone = false

    /// - Parameter store: whose `put` makes the object.
    convenience init(_ name: String, in store: any ObjectStore) {
        self.init(name, in: store, UploadBuffer(length: store.objectLength), isFirst: true)
    }

    private init(_ name: String, in store: any ObjectStore, _ buffer: UploadBuffer, isFirst: Bool) {
        self.store = store
        self.name = name
        self.buffer = buffer
        self.isFirst = isFirst
    }

    /// Several objects of the same bytes, which are held once.
    static func copies(_ names: [String], in store: any ObjectStore) -> [BufferedUpload] {
        let buffer = UploadBuffer(length: store.objectLength)
        return names.enumerated().map { BufferedUpload($1, in: store, buffer, isFirst: $0 == 0) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) { if isFirst { buffer.bytes.append(contentsOf: bytes) } }

    func commit() throws(StoreError) {
        if isDone { return }
        do throws(StoreError) { try store.put(name, buffer.bytes) } catch {
            // One that was there before is somebody else's, and stays.
            if error.reason != .exists { isBegun = true }
            guard error.reason == .exists, isBegun, try store.isOwn(name, buffer.bytes) else { throw error }
        }
        isDone = true
    }

    func abandon() {
        // Of one that was never sent nothing is there. What cannot be removed now is the next run's to remove.
        if isBegun || isDone { try? store.remove(name) }
    }
}

/// The bytes of an upload, which its copies share.
private final class UploadBuffer: @unchecked Sendable {
    var bytes: [UInt8] = []

    /// - Parameter length: at which an object usually ends; growing by doubling would take as much again, while it is copied.
    init(length: UInt64?) { bytes.reserveCapacity(length.map { Int(clamping: $0) + (1 << 20) } ?? 0) }
}
