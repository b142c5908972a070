// A small object that may be written for a while only, counted by the time that passes also while the machine sleeps. A server of SFTP dates
// nothing that it is sent, so it is looked at here, last of all before the first byte.

internal import Platform

final class SFTPPreparedObject: PreparedObject {
    private let store: SFTPStore
    private let name: String
    private let bytes: [UInt8]
    private let limit = SFTPTimeLimit()

    init(_ store: SFTPStore, _ name: String, _ bytes: [UInt8]) {
        self.store = store
        self.name = name
        self.bytes = bytes
    }

    func put() throws(StoreError) { try store.put(name, bytes, within: limit) }
}

struct SFTPTimeLimit: Sendable {
    /// As servers of S3 have it.
    static let seconds: Int64 = 15 * 60

    var begin = HostFacts.secondsSinceStart

    func check(_ subject: String) throws(SFTPFailure) {
        if HostFacts.secondsSinceStart - begin <= Self.seconds { return }
        throw .explained(StoreError(.expired, "create", subject, "it was prepared too long ago"))
    }
}
