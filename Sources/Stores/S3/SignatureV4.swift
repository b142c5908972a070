// The signature of a request to an object store, as Amazon defined it ("Signature Version 4"), for all of them.

internal import Cryptography
internal import Platform

/// What signs requests, for a while or for ever.
struct S3Credentials: Sendable {
    var accessKey: String
    var secretKey: Secret
    /// Goes with keys that were lent.
    var sessionToken: Secret?
    /// When they end, in seconds since 1970.
    var expiration: Int64?

}

/// A request as it is signed.
struct SignedRequest {
    var method: String
    /// `host` of the URL, with its port where that is not the scheme's own.
    var host: String
    /// Percent-encoded, once.
    var path: String
    /// Names and values, not encoded yet.
    var query: [(name: String, value: String)] = []
    /// Names in lower case; `host` comes by itself.
    var headers: [(name: String, value: String)] = []

    var encodedQuery: String {
        query.map { "\(percentEncoded($0.name.utf8))=\(percentEncoded($0.value.utf8))" }.sorted().joined(separator: "&")
    }
}

struct SignatureV4 {
    let region: String
    var service = "s3"

    /// The value of the `authorization` header.
    /// - Parameters:
    ///   - time: `20130524T000000Z`; it has to be among the headers as `x-amz-date` too.
    ///   - payload: the SHA-256 of the body, in hexadecimal digits.
    func authorization(
        _ request: SignedRequest, _ credentials: S3Credentials, time: String, payload: String
    ) throws(CryptographyError) -> String {
        let headers = (request.headers + [("host", request.host)]).sorted { $0.name < $1.name }
        let names = headers.map(\.name).joined(separator: ";")
        var lines = [request.method, request.path, request.encodedQuery]
        lines += headers.map { "\($0.name):\(Self.trimmed($0.value))" }
        lines += ["", names, payload]
        let date = String(time.prefix(8))
        let scope = "\(date)/\(region)/\(service)/aws4_request"
        let canonical = try Self.digest(lines.joined(separator: "\n"))
        let text = ["AWS4-HMAC-SHA256", time, scope, canonical].joined(separator: "\n")

        var key = credentials.secretKey.withUnsafeBytes { secret in
            Secret(count: 4 + secret.count) { buffer in
                buffer.copyBytes(from: "AWS4".utf8)
                UnsafeMutableRawBufferPointer(rebasing: buffer[4...]).copyMemory(from: secret)
            }
        }
        for part in [date, region, service, "aws4_request"] {
            key = try Self.code(part, key).withUnsafeBytes { Secret(copying: $0) }
        }
        let signature = try Self.code(text, key).hex
        return
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
    }

    private static func code(_ text: String, _ key: Secret) throws(CryptographyError) -> Digest {
        try Array(text.utf8).withBytes { (bytes) throws(CryptographyError) in
            try HMACSHA256.authenticate(bytes, key: key)
        }
    }

    private static func digest(_ text: String) throws(CryptographyError) -> String {
        try Array(text.utf8).withBytes { (bytes) throws(CryptographyError) in try SHA256.digest(of: bytes) }.hex
    }

    /// Without blanks around it, and with one where there are several.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }
}

extension [UInt8] {
    /// The bytes, for a call that throws errors of its own type.
    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        var result: Result<R, E>?
        withUnsafeBytes { bytes in
            do throws(E) { result = .success(try body(bytes)) } catch { result = .failure(error) }
        }
        guard let result else { preconditionFailure("the body was not called") }
        return try result.get()
    }
}
