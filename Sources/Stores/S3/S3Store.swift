// A store in an object store that speaks S3: one request an object, never in parts. Each is created under a condition that the server
// checks, where it knows one; the probe of `store check` says what this server makes of it.

internal import Cryptography
public import Platform
public import Reporting

public final class S3Store: ObjectStore, @unchecked Sendable {
    public let location: S3Location
    public var subject: String { location.description }
    public var connections: Int { 8 }
    /// A request that fails is sent again whole, and its bytes are held until it is there.
    public var objectLength: UInt64? { 8 << 20 }

    let client: S3Client
    private let monitor = Monitor()
    /// Whether the server was seen to refuse conditions.
    private var isWithoutConditions = false
    /// Lists and reads show what was there at this time, where there is one.
    private let moment: S3Moment?

    /// - Parameters:
    ///   - moment: seconds since 1970: what the bucket held then is shown, whatever was removed or written over since. It keeps versions, or
    ///     there is nothing to show.
    ///   - localTime: this machine's clock, in seconds since 1970.
    public init(
        _ location: S3Location, credentials: S3CredentialSource, settings: TransportSettings, at moment: Int64? = nil,
        stop: Stop? = nil, localTime: @escaping @Sendable () -> Int64 = { Timestamp.now().seconds }
    ) {
        self.location = location
        var settings = settings
        if let authorities = location.authorities { settings.authorities = authorities }
        client = S3Client(
            location, keys: S3CredentialCache(credentials, subject: location.description, stop: stop),
            transport: HTTPTransport(settings, stop: stop), connections: 32, localTime: localTime)
        self.moment = moment.map { S3Moment($0) }
    }

    /// Names and versions of libcurl and what it rests on; nil where it is not there.
    public static var libraryVersion: String? { HTTPTransport.version }

    func describe(_ name: String) -> String { "\(name) of \(subject)" }

    /// A request for one object.
    func request(_ verb: String, _ method: String, _ name: String) throws(StoreError) -> S3Request {
        _ = try ObjectName(name, for: verb, in: subject)
        return S3Request(verb: verb, subject: describe(name), method: method, key: location.key(name))
    }

    // MARK: Lists

    public func topLevel() throws(StoreError) -> [String] {
        let start = location.key("")
        let listing = S3Listing(client, subject: subject, moment: moment)
        let found = try listing.names(below: start, delimiter: "/")
        return Set(found.map { String($0.dropFirst(start.utf8.count).prefix { $0 != "/" }) }).sorted()
            .filter { !$0.isEmpty }
    }

    public func list(_ folder: String) throws(StoreError) -> [StoredObject] {
        var result: [StoredObject] = []
        try list(folder, begin: { result = [] }) { result += $0 }
        result.sort { $0.name < $1.name }
        return result
    }

    public func list(_ folder: String, begin: () -> Void, _ take: ([StoredObject]) -> Void) throws(StoreError) {
        _ = try ObjectName(folder, for: "list", in: subject)
        let start = location.key("")
        let listing = S3Listing(client, subject: describe(folder), moment: moment)
        begin()
        try listing.objects(below: location.key(folder) + "/") { page in
            let own = page.compactMap { object -> StoredObject? in
                let name = String(object.name.dropFirst(start.utf8.count))
                // What people put there otherwise is none of ours.
                let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
                guard name.utf8.count <= ObjectName.lengthLimit, parts.allSatisfy({ ObjectName.canBePart(Array($0)) })
                else { return nil }
                return StoredObject(name: name, length: object.length, modified: object.modified)
            }
            take(own.sorted { $0.name < $1.name })
        }
    }

    // MARK: Reading

    public func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        var request = try request("open", "GET", name)
        request.query = try version(of: name)
        if let length { return S3Source(self, name, length: length, query: request.query) }
        // The beginning comes with the length: of most objects it is all there is.
        request.headers = [("range", "bytes=0-\(Self.beginning - 1)")]
        request.limit = S3Client.errorLimit
        var head: [UInt8] = []
        let answer = try client.send(request) { part, _ in
            head.append(contentsOf: part.prefix(Self.beginning - head.count))
            return true
        }
        if answer.status == 416 { return MemorySource([]) }
        guard answer.status == 206 || answer.status == 200 else {
            throw try absence(of: name, answer) ?? client.failure(answer, request)
        }
        let length =
            S3Range(answer)?.total
            ?? (answer.status == 200 ? answer.headers["content-length"].flatMap { UInt64($0) } : nil)
        guard let length else {
            throw StoreError(.failed, "open", describe(name), "the server does not say how long it is")
        }
        guard UInt64(head.count) == min(length, UInt64(Self.beginning)) else {
            throw StoreError(.unreachable, "open", describe(name), "the answer was cut")
        }
        return S3Source(self, name, length: length, query: request.query, head: head)
    }

    /// How much of an object is read to open it.
    private static let beginning = 16 << 10

    public func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        var request = try request("read", "GET", name)
        do throws(StoreError) { request.query = try version(of: name) } catch {
            if error.reason == .absent { return nil }
            throw error
        }
        request.limit = max(limit, S3Client.errorLimit)
        let answer = try client.send(request)
        guard answer.status == 200 else {
            let failure = try absence(of: name, answer) ?? client.failure(answer, request)
            if failure.reason == .absent { return nil }
            throw failure
        }
        guard answer.body.count <= limit else { throw tooLong(name) }
        if let length = answer.headers["content-length"].flatMap({ Int($0) }), length != answer.body.count {
            throw StoreError(.unreachable, "read", describe(name), "the answer was cut")
        }
        return answer.body
    }

    /// Whoever may not list the whole bucket is told of what is not there that it is refused: a list of that one name tells both apart.
    private func absence(of name: String, _ answer: HTTPAnswer) throws(StoreError) -> StoreError? {
        guard answer.status == 403, S3Failure(answer).code == "AccessDenied", moment == nil else { return nil }
        let key = location.key(name)
        do throws(StoreError) {
            let body = try client.list(
                [("list-type", "2"), ("encoding-type", "url"), ("prefix", key), ("max-keys", "1")],
                subject: describe(name))
            let page = try S3Page(body, subject: describe(name), prefix: key)
            return page.entries.first?.key == key ? nil : StoreError(.absent, "open", describe(name))
        } catch {
            // Nor may it list that: then it is as the server says.
            if error.reason == .refused { return nil }
            throw error
        }
    }

    /// The version of an object that counts, as a part of the query.
    private func version(of name: String) throws(StoreError) -> [(name: String, value: String)] {
        guard let moment else { return [] }
        guard let version = try moment.version(of: location.key(name), client, subject: describe(name)) else {
            throw StoreError(.absent, "open", describe(name))
        }
        return version.isEmpty ? [] : [("versionId", version)]
    }

    // MARK: Writing

    public func create(_ name: String) throws(StoreError) -> any ObjectUpload {
        try refuseMoment("create", name)
        _ = try ObjectName(name, for: "create", in: subject)
        return BufferedUpload(name, in: self)
    }

    public func create(copies names: [String]) throws(StoreError) -> [any ObjectUpload] {
        for name in names {
            try refuseMoment("create", name)
            _ = try ObjectName(name, for: "create", in: subject)
        }
        return BufferedUpload.copies(names, in: self)
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        do throws(StoreError) { try prepare(name, bytes).put() } catch {
            // Signed by a clock that was wrong, which the answer has set right.
            if error.reason != .expired { throw error }
            try prepare(name, bytes).put()
        }
    }

    /// Signs the request now; it may be sent within a quarter of an hour, and not later.
    public func prepare(_ name: String, _ bytes: [UInt8]) throws(StoreError) -> any PreparedObject {
        try refuseMoment("create", name)
        var request = try request("create", "PUT", name)
        request.body = bytes
        if !monitor.withLock({ isWithoutConditions }) { request.headers = [("if-none-match", "*")] }
        return S3Prepared(self, name, request, try client.sign(request))
    }

    fileprivate func put(_ name: String, _ request: S3Request, _ signed: S3Client.Signed) throws(StoreError) {
        let isConditional = !request.headers.isEmpty
        if !isConditional { try refuseExisting(name) }
        var answer = try client.send(signed)
        if isConditional, S3Failure(answer).isWithoutConditions {
            monitor.withLock { isWithoutConditions = true }
            try refuseExisting(name)
            var plain = request
            plain.headers = []
            answer = try client.send(plain)
        }
        guard (200...299).contains(answer.status) else { throw client.failure(answer, request) }
    }

    /// Where the server checks nothing, a look before it is all there is. Names are random: nobody else makes the same a moment later.
    private func refuseExisting(_ name: String) throws(StoreError) {
        let request = try request("create", "HEAD", name)
        let answer = try client.send(request)
        if answer.status == 200 { throw StoreError(.exists, "create", describe(name)) }
        // Who may write and not read learns nothing, and goes by the name.
        if answer.status == 404 || answer.status == 403 { return }
        throw client.failure(answer, request)
    }

    func refuseMoment(_ verb: String, _ name: String) throws(StoreError) {
        if moment != nil {
            throw StoreError(.refused, verb, describe(name), "what was there at an earlier time is only read")
        }
    }

    public func remove(_ name: String) throws(StoreError) {
        try refuseMoment("remove", name)
        let request = try request("remove", "DELETE", name)
        let answer = try client.send(request)
        if (200...299).contains(answer.status) || answer.status == 404 { return }
        throw client.failure(answer, request)
    }

    /// The clock by which its answers were dated.
    public func time(in folder: String) -> Int64? { client.storeTime }
}

/// A request that was signed before the last look at what it depends on.
private final class S3Prepared: PreparedObject {
    private let store: S3Store
    private let name: String
    private let request: S3Request
    private let signed: S3Client.Signed

    init(_ store: S3Store, _ name: String, _ request: S3Request, _ signed: S3Client.Signed) {
        self.store = store
        self.name = name
        self.request = request
        self.signed = signed
    }

    func put() throws(StoreError) { try store.put(name, request, signed) }
}

/// An object that is read by ranges.
private final class S3Source: ByteSource, @unchecked Sendable {
    private let store: S3Store
    private let name: String
    let length: UInt64
    private let query: [(name: String, value: String)]
    private let head: [UInt8]

    init(
        _ store: S3Store, _ name: String, length: UInt64, query: [(name: String, value: String)], head: [UInt8] = []
    ) {
        self.head = head
        self.store = store
        self.name = name
        self.length = length
        self.query = query
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        let subject = store.describe(name)
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            throw StoreError(.ended, "read", subject)
        }
        if buffer.isEmpty { return }
        if offset + UInt64(buffer.count) <= UInt64(head.count) {
            let start = Int(offset)  // safe: within the beginning
            head.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + buffer.count]))
            }
            return
        }
        var request = try store.request("read", "GET", name)
        request.query = query
        let end = offset + UInt64(buffer.count)
        request.headers = [("range", "bytes=\(offset)-\(end - 1)")]
        request.limit = S3Client.errorLimit
        // Where the body begins in the object: some servers answer with all of it, and some with the part, and call it all.
        var place: UInt64?
        var filled = 0
        let answer = try store.client.send(request) { part, answer in
            let begin = place ?? S3Range(answer).map(\.first) ?? (answer.status == 206 ? offset : 0)
            place = begin + UInt64(part.count)
            let from = max(begin, offset + UInt64(filled))
            let to = min(begin + UInt64(part.count), end)
            if begin > offset + UInt64(filled) { return false }
            if from < to {
                let bytes = UnsafeRawBufferPointer(rebasing: part[Int(from - begin)..<Int(to - begin)])
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: bytes)
                filled += bytes.count
            }
            return true
        }
        guard answer.status == 206 || answer.status == 200 else { throw store.client.failure(answer, request) }
        if filled == buffer.count { return }
        let isEnd = S3Range(answer)?.total.map { $0 < end } ?? (place.map { $0 < end } ?? true)
        throw StoreError(isEnd ? .ended : .unreachable, "read", subject, isEnd ? "" : "the answer was cut")
    }
}

/// `Content-Range: bytes 0-9/443`
private struct S3Range {
    let first: UInt64
    let total: UInt64?

    init?(_ answer: HTTPAnswer) {
        guard let text = answer.headers["content-range"], text.hasPrefix("bytes ") else { return nil }
        let words = text.dropFirst(6).split(whereSeparator: { $0 == "-" || $0 == "/" })
        guard words.count == 3, let first = UInt64(words[0]) else { return nil }
        self.first = first
        total = UInt64(words[2])
    }
}
