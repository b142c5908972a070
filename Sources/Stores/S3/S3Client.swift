// Requests to one bucket: signed by the store's clock, judged by their answers. Nothing is repeated here but what the answer itself
// corrects; the rest is `RetryingStore`'s.

internal import Cryptography
internal import Platform
internal import Reporting

/// One request before it is signed.
struct S3Request {
    var verb: String
    /// What people know the object by.
    var subject: String
    var method: String
    /// The object's name in the bucket; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]?
    /// How long an answer is kept.
    var limit = S3Client.answerLimit
}

final class S3Client: @unchecked Sendable {
    let location: S3Location
    private let keys: S3CredentialCache
    private let transport: HTTPTransport
    private let signature: SignatureV4
    private let calls: CallLimit
    private let localTime: @Sendable () -> Int64
    private let monitor = Monitor()
    /// The store's clock less this machine's, in seconds; nil before the first answer.
    private var offset: Int64?

    /// A page of a list has a thousand names.
    static let answerLimit = 16 << 20
    static let errorLimit = 1 << 16

    init(
        _ location: S3Location, keys: S3CredentialCache, transport: HTTPTransport, connections: Int,
        localTime: @escaping @Sendable () -> Int64 = { Timestamp.now().seconds }
    ) {
        self.location = location
        self.keys = keys
        self.transport = transport
        self.localTime = localTime
        signature = SignatureV4(region: location.region ?? Self.usualRegion)
        calls = CallLimit(connections)
    }

    private static let usualRegion = "us-east-1"

    /// What its answers say the time is, in seconds since 1970; nil before the first one.
    var storeTime: Int64? { monitor.withLock { offset }.map { localTime() &+ $0 } }

    private var host: String {
        let known = location.endpoint?.host ?? "s3.\(signature.region).amazonaws.com"
        return location.usesPath ? known : "\(location.bucket).\(known)"
    }

    private func path(_ key: String?) -> String {
        let inBucket = percentEncoded((key ?? "").utf8, keeping: "/")
        return location.usesPath ? "/\(location.bucket)" + (key == nil ? "" : "/\(inBucket)") : "/\(inBucket)"
    }

    // MARK: Signing

    /// A request with its signature, which holds for a quarter of an hour.
    struct Signed {
        fileprivate var request: S3Request
        fileprivate var url: String
        fileprivate var headers: [String]
    }

    /// - Parameter time: in seconds since 1970; nil: now, by the store's clock.
    func sign(_ request: S3Request, at time: Int64? = nil) throws(StoreError) -> Signed {
        let now = time ?? storeTime ?? localTime()
        let credentials = try keys.credentials(now: now)
        let time = Self.compact(now)
        do throws(CryptographyError) {
            let payload = try (request.body ?? []).withBytes { (bytes) throws(CryptographyError) in
                try SHA256.digest(of: bytes).hex
            }
            var headers = request.headers + [("x-amz-content-sha256", payload), ("x-amz-date", time)]
            if let body = request.body {
                // An OpenSSL that may not compute it leaves it out: the other sum is there.
                if let sum = try? body.withBytes({ (bytes) throws(CryptographyError) in try MD5.digest(of: bytes) }) {
                    headers.append(("content-md5", String(decoding: Base64.encode(sum), as: UTF8.self) + "=="))
                }
            }
            if let token = credentials.sessionToken {
                headers.append(
                    ("x-amz-security-token", token.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }))
            }
            let signed = SignedRequest(
                method: request.method, host: host, path: path(request.key), query: request.query, headers: headers)
            headers.append(
                ("authorization", try signature.authorization(signed, credentials, time: time, payload: payload)))
            let scheme = location.endpoint?.isSecure == false ? "http://" : "https://"
            let query = signed.encodedQuery
            return Signed(
                request: request, url: scheme + host + signed.path + (query.isEmpty ? "" : "?\(query)"),
                // None that were not signed: no waiting for a leave to send, no type of what is encrypted anyway.
                headers: headers.map { "\($0.name): \($0.value)" } + ["Expect:", "Content-Type:", "Accept:"])
        } catch {
            throw StoreError(.failed, "sign requests to", location.description, explained(error).sentence)
        }
    }

    /// `20130524T000000Z`
    static func compact(_ seconds: Int64) -> String {
        Timestamp(seconds: seconds, nanoseconds: 0).text.filter { $0 != "-" && $0 != ":" }
    }

    // MARK: Sending

    /// Signs and sends.
    /// - Parameter take: takes the body of a success part by part; false ends it.
    func send(
        _ request: S3Request, take: ((UnsafeRawBufferPointer, HTTPAnswer) -> Bool)? = nil
    ) throws(StoreError) -> HTTPAnswer {
        var answer = try send(sign(request), take: take)
        // The clock of this machine was wrong, and is known now; or the key was renewed meanwhile.
        if S3Failure(answer).isPassingOnce {
            keys.forget()
            answer = try send(sign(request), take: take)
        }
        return answer
    }

    /// Sends what was signed earlier.
    func send(
        _ signed: Signed, take: ((UnsafeRawBufferPointer, HTTPAnswer) -> Bool)? = nil
    ) throws(StoreError) -> HTTPAnswer {
        let request = signed.request
        // Between two pages of a list, say, and never before a removal: that clears what is left behind.
        if request.method == "GET", transport.isStopped {
            throw StoreError(.interrupted, request.verb, request.subject)
        }
        calls.begin()
        defer { calls.end() }
        do throws(TransportError) {
            var result: Result<HTTPAnswer, TransportError>?
            (request.body ?? []).withUnsafeBytes { body in
                let http = HTTPRequest(
                    method: request.method, url: signed.url, headers: signed.headers,
                    body: request.body == nil ? nil : body)
                do throws(TransportError) {
                    result = .success(try transport.perform(http, limit: request.limit, take: take))
                } catch { result = .failure(error) }
            }
            guard let answer = try result?.get() else { preconditionFailure("no request was made") }
            note(answer)
            return answer
        } catch { throw self.error(error, request) }
    }

    private func note(_ answer: HTTPAnswer) {
        if answer.status == 503 || answer.status == 429 { calls.halve() }
        if let date = answer.headers["date"].flatMap(HTTPDate.seconds) {
            monitor.withLock { offset = date &- localTime() }
        }
    }

    private func error(_ error: TransportError, _ request: S3Request) -> StoreError {
        switch error {
        case .unreachable(let words):
            StoreError(
                .unreachable, request.verb, request.subject, words,
                mend: "is the network up, and the address right? The same command goes on")
        case .untrusted(let words):
            StoreError(
                .refused, request.verb, request.subject, "the server is not proven to be the right one: \(words)",
                mend: words.contains("not yet valid") || words.contains("expired")
                    ? "is this machine's clock right? It says \(Timestamp(seconds: localTime(), nanoseconds: 0).text)"
                    : "where it has an authority of its own, name its certificate: ca = \"FILE\"")
        case .stopped: StoreError(.interrupted, request.verb, request.subject)
        case .tooLong: StoreError(.failed, request.verb, request.subject, "the answer is longer than it can be")
        case .failed(let words): StoreError(.failed, request.verb, request.subject, words)
        case .noLibrary(let words):
            StoreError(
                .unusable, request.verb, request.subject, "libcurl cannot be loaded: \(words)",
                mend: "`apt install libcurl4`")
        }
    }

    /// What an answer that is no success means.
    func failure(_ answer: HTTPAnswer, _ request: S3Request) -> StoreError {
        S3Failure(answer).error(
            request.verb, request.subject, bucket: location.bucket, offset: monitor.withLock { offset })
    }
}

/// How many calls are made at once; fewer once the server has asked for it, until the end of the run.
private final class CallLimit: @unchecked Sendable {
    private let monitor = Monitor()
    private var limit: Int
    private var underWay = 0

    init(_ limit: Int) { self.limit = max(1, limit) }

    func begin() {
        monitor.withLock {
            while underWay >= limit { monitor.wait() }
            underWay += 1
        }
    }

    func end() {
        monitor.withLock {
            underWay -= 1
            monitor.wakeAll()
        }
    }

    func halve() { monitor.withLock { limit = max(1, limit / 2) } }
}

/// The `Date` of an answer: `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// In seconds since 1970; nil where it is none.
    static func seconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, let day = Int64(words[1]), let month = months.firstIndex(of: String(words[2])),
            let year = Int64(words[3]), year >= 1970
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3 else { return nil }
        return calendarSeconds(
            year: year, month: Int64(month) + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2])
    }
}
