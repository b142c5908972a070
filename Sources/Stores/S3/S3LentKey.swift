// Keys that are lent for a while, as JSON: what a program prints, and what the machine of a cloud is told.

internal import Cryptography
internal import FoundationEssentials
internal import Platform
internal import Reporting

/// As `credential_process` and the machine's role spell it.
struct S3LentKey: Decodable {
    var accessKeyID: String
    var secretAccessKey: String
    var token: String?
    var expiration: String?

    private enum CodingKeys: String, CodingKey {
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case sessionToken = "SessionToken"
        case token = "Token"
        case expiration = "Expiration"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        accessKeyID = try values.decode(String.self, forKey: .accessKeyID)
        secretAccessKey = try values.decode(String.self, forKey: .secretAccessKey)
        token =
            try values.decodeIfPresent(String.self, forKey: .sessionToken)
            ?? values.decodeIfPresent(String.self, forKey: .token)
        expiration = try values.decodeIfPresent(String.self, forKey: .expiration)
    }

    static func credentials(
        in json: [UInt8], of source: String, reader: S3CredentialReader
    ) throws(StoreError) -> S3Credentials {
        // What is wrong with it is not said in the decoder's words, which quote it.
        guard json.count <= 1 << 16, let key = try? JSONDecoder().decode(Self.self, from: Data(json)) else {
            throw reader.problem(in: source, "gave no AccessKeyId and SecretAccessKey as JSON")
        }
        var end: Int64?
        if let text = key.expiration {
            guard let date = try? Date(text, strategy: .iso8601) else {
                throw reader.problem(in: source, "gave a key with an end that is no time")
            }
            end = Int64(date.timeIntervalSince1970.rounded(.down))
        }
        return S3Credentials(
            accessKey: try reader.accessKey(Array(key.accessKeyID.utf8)),
            secretKey: Secret(Array(key.secretAccessKey.utf8)), sessionToken: key.token.map { Secret(Array($0.utf8)) },
            expiration: end)
    }
}

/// The key of the role that a cloud's machine has, from the address that every one of them knows (IMDSv2).
struct S3MachineRole {
    let subject: String
    let stop: Stop?

    private static let path = "/latest/meta-data/iam/security-credentials/"

    func read() throws(StoreError) -> S3Credentials {
        let base = HostFacts.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT")?.description ?? "http://169.254.169.254"
        var settings = TransportSettings()
        // It is a step away, or there is none.
        settings.connectLimit = 1
        settings.silence = 2
        settings.noProxy = "*"
        let transport = HTTPTransport(settings, stop: stop)
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let token = try ask(
            transport,
            HTTPRequest(
                method: "PUT", url: base + "/latest/api/token",
                headers: ["X-aws-ec2-metadata-token-ttl-seconds: 300"], body: empty))
        let header = ["X-aws-ec2-metadata-token: \(try line(token))"]
        let roles = try ask(transport, HTTPRequest(method: "GET", url: base + Self.path, headers: header))
        let role = try line(roles.split(separator: UInt8(ascii: "\n")).first.map(Array.init) ?? [])
        var key = try ask(
            transport, HTTPRequest(method: "GET", url: base + Self.path + percentEncoded(role.utf8), headers: header))
        defer { erase(&key) }
        return try S3LentKey.credentials(
            in: key, of: "the machine's role", reader: S3CredentialReader(subject: subject, stop: stop))
    }

    private func ask(_ transport: HTTPTransport, _ request: HTTPRequest) throws(StoreError) -> [UInt8] {
        let answer: HTTPAnswer
        do throws(TransportError) { answer = try transport.perform(request, limit: 1 << 16) } catch {
            throw problem("this machine has no role that answers")
        }
        guard answer.status == 200 else { throw problem("the machine's role answers \(answer.status)") }
        return answer.body
    }

    /// What goes into a header or a path as it is.
    private func line(_ bytes: [UInt8]) throws(StoreError) -> String {
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw problem("the machine's role answers with something else")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func problem(_ words: String) -> StoreError {
        StoreError(
            .refused, "sign requests to", subject, words, mend: "give the machine a role, or name a file of credentials"
        )
    }
}
