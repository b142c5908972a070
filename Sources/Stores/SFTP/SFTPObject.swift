// An object on an SFTP server that is read at any place. The file stays open on the server between reads; after the connection has ended, or
// where too many are open, the next read opens it again.

internal import Platform

final class SFTPObject: ByteSource {
    let length: UInt64
    private let server: SFTPServer
    private let place: ObjectName
    private let name: String
    private let key: UInt64

    init(
        _ server: SFTPServer, _ place: ObjectName, _ name: String, length: UInt64, _ channel: SFTPChannel,
        _ handle: [UInt8]
    ) {
        self.server = server
        self.place = place
        self.name = name
        self.length = length
        key = server.files.newKey()
        server.files.keep(key, channel, handle)
    }

    deinit { server.files.close(key) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            throw StoreError(.ended, "read", server.describe(name))
        }
        if buffer.isEmpty { return }
        let count: Int
        if let open = server.files.use(key) {
            defer { server.files.giveBack(key) }
            count = try server.calling("read", name, on: open.channel) { (channel) throws(SFTPFailure) in
                do throws(SFTPFailure) { return try channel.read(open.handle, at: offset, into: buffer) } catch {
                    // The next attempt opens it again.
                    server.files.close(key)
                    throw error
                }
            }
        } else {
            count = try server.calling("read", name) { (channel) throws(SFTPFailure) in
                let file = try server.openFile(place, name, on: channel)
                let isKept = server.files.keep(key, channel, file.handle, isUsed: true)
                defer { if isKept { server.files.giveBack(key) } else { channel.abandon(file.handle) } }
                return try channel.read(file.handle, at: offset, into: buffer)
            }
        }
        guard count == buffer.count else { throw StoreError(.ended, "read", server.describe(name)) }
    }
}
