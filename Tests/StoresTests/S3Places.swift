// Object stores for tests: our own strict server, Ceph's gateway, and rclone's, each started once and with a fresh prefix for each place.

import Glibc
import Platform
import TestSupport
import Testing

@testable import Stores

/// A server of object stores, for all tests of this process.
final class S3Server: Sendable {
    static let enforcing = Result { try S3Server("refusing", "--enforce-condition --page 100") }
    static let refusing = Result { try S3Server("refusing") }
    static let ignoring = Result { try S3Server("refusing", "--ignore-condition") }
    static let ceph = Result { try S3Server("ceph", bucket: "PLAIN_BUCKET") }
    /// Each new object is locked for a day.
    static let locking = Result { try S3Server("ceph", "--lock 1") }
    static let rclone = Result { try S3Server("rclone") }

    let server: TestServer
    let scratch: ScratchFolder
    private let bucket: String

    init(_ name: String, _ options: String = "", bucket: String = "BUCKET") throws {
        server = try TestServer(name, options)
        scratch = try ScratchFolder(in: "/dev/shm")
        self.bucket = server[bucket]
        let key =
            "aws_access_key_id = \(server["ACCESS_KEY"])\naws_secret_access_key = \(server["SECRET_KEY"])\n"
        let file = try Descriptor.open(scratch.path.appending("key"), [.write, .create, .exclusive], mode: 0o600)
        try file.write(bytes(key))
    }

    /// A store with nothing in it.
    func store(endpoint: String? = nil, moment: Int64? = nil, prefix: String = fresh()) throws -> S3Store {
        let url =
            "s3://\(bucket)/\(prefix)?endpoint=\(endpoint ?? server["ENDPOINT"])&region=\(server["REGION"])"
        var settings = TransportSettings()
        settings.noProxy = "*"
        settings.silence = 20
        return S3Store(
            try S3Location(bytes(url)), credentials: .file(scratch.path.appending("key")), settings: settings,
            at: moment)
    }

    static func fresh() -> String { "test-\(UInt64.random(in: 0...UInt64.max))" }

    func place() throws -> StorePlace {
        // Nothing of it is on this machine.
        StorePlace(try ScratchFolder(in: "/dev/shm"), store: try store())
    }
}
