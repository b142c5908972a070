// One request over HTTP and its answer. libcurl carries it and knows nothing of object stores.

internal import CCurl
internal import Glibc
public import Platform
internal import Reporting

struct HTTPRequest {
    var method: String
    var url: String
    /// `name: value` each.
    var headers: [String]
    /// What is sent, which has to stay where it is until the answer is there; nil for nothing.
    var body: UnsafeRawBufferPointer?
}

struct HTTPAnswer {
    var status: Int
    /// By names in lower case.
    var headers: [String: String] = [:]
    /// As much of the body as was asked to be kept.
    var body: [UInt8] = []
}

/// Why there was no answer.
enum TransportError: Error {
    case unreachable(String)
    case untrusted(String)
    /// Somebody asked the work to stop.
    case stopped
    /// The answer is longer than it may be.
    case tooLong
    case failed(String)
    case noLibrary(String)
}

/// How a server is reached.
public struct TransportSettings: Sendable {
    public var authorities: BytePath?
    /// nil: what the environment says.
    public var proxy: String?
    public var noProxy: String?
    /// Seconds without a byte after which a server is given up.
    public var silence = 60
    public var connectLimit = 15

    public init() {}
}

/// Connections that are kept from one request to the next; as many as there are calls at once.
final class HTTPTransport: @unchecked Sendable {
    private let settings: TransportSettings
    private let stop: Stop?
    private let monitor = Monitor()
    private var idle: [UnsafeMutableRawPointer] = []

    private static let loaded: String? = {
        var problem = [CChar](repeating: 0, count: 512)
        return ccurl_load(&problem, problem.count) == 0 ? nil : text(problem)
    }()

    /// Its version, and those of what it rests on; nil where it is not there.
    static var version: String? { loaded == nil ? String(cString: ccurl_version()) : nil }

    init(_ settings: TransportSettings, stop: Stop?) {
        self.settings = settings
        self.stop = stop
    }

    /// Whether somebody has asked the work to stop; then it is noted that it did.
    var isStopped: Bool {
        guard stop?.isStopRequested == true else { return false }
        stop?.noteInterruption()
        return true
    }

    deinit { idle.forEach { ccurl_close($0) } }

    /// Makes a request.
    /// - Parameters:
    ///   - limit: how much of the answer's body is kept.
    ///   - take: takes the body of a success part by part, in place of that.
    func perform(
        _ request: HTTPRequest, limit: Int, take: ((UnsafeRawBufferPointer, HTTPAnswer) -> Bool)? = nil
    ) throws(TransportError) -> HTTPAnswer {
        if let problem = Self.loaded { throw .noLibrary(problem) }
        guard let connection = monitor.withLock({ idle.popLast() }) ?? ccurl_open() else {
            throw .failed("there is no memory left")
        }
        let receiver = Receiver(limit: limit, stop: stop, take: take)
        var status = 0
        var problem = [CChar](repeating: 0, count: 512)
        let texts = CTexts()
        let headers = request.headers.map { texts.add($0.utf8) }
        let result = headers.withUnsafeBufferPointer { headers in
            var call = ccurl_request(
                url: texts.add(request.url.utf8), method: texts.add(request.method.utf8),
                headers: headers.baseAddress ?? texts.none, header_count: headers.count,
                body: request.body.map { $0.baseAddress ?? UnsafeRawPointer(texts.none) },
                body_length: request.body?.count ?? 0, ca_file: settings.authorities.map { texts.add($0.bytes) },
                proxy: settings.proxy.map { texts.add($0.utf8) }, no_proxy: settings.noProxy.map { texts.add($0.utf8) },
                connect_limit: settings.connectLimit, silence_limit: settings.silence,
                receive: { Receiver.of($0)?.receive(UnsafeRawBufferPointer(start: $1, count: $2)) == true ? $2 : 0 },
                head: { Receiver.of($0)?.head(UnsafeRawBufferPointer(start: $1, count: $2)) },
                is_stopped: { Receiver.of($0)?.isStopped == true ? 1 : 0 },
                context: Unmanaged.passUnretained(receiver).toOpaque())
            return ccurl_perform(connection, &call, &status, &problem, problem.count)
        }
        withExtendedLifetime(texts) {}
        withExtendedLifetime(receiver) {}
        // One that failed may have half an answer in it.
        if result == CCURL_DONE { monitor.withLock { idle.append(connection) } } else { ccurl_close(connection) }
        switch result {
        case CCURL_DONE:
            receiver.answer.status = status
            return receiver.answer
        case CCURL_UNREACHABLE: throw .unreachable(Self.text(problem))
        case CCURL_UNTRUSTED: throw .untrusted(Self.text(problem))
        case CCURL_ENDED:
            if receiver.isTooLong { throw .tooLong }
            stop?.noteInterruption()
            throw .stopped
        default: throw .failed(Self.text(problem))
        }
    }

    private static func text(_ problem: [CChar]) -> String {
        printable(problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }
}

/// What an answer fills.
private final class Receiver {
    var answer = HTTPAnswer(status: 0)
    let limit: Int
    /// Takes a part of the body in place of the answer's own; returns false where it is too much.
    let take: ((UnsafeRawBufferPointer, HTTPAnswer) -> Bool)?
    let stop: Stop?
    var isTooLong = false

    init(limit: Int, stop: Stop?, take: ((UnsafeRawBufferPointer, HTTPAnswer) -> Bool)?) {
        self.limit = limit
        self.stop = stop
        self.take = take
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let take, (200...299).contains(answer.status) {
            if !take(bytes, answer) { isTooLong = true }
        } else if answer.body.count + bytes.count <= limit {
            answer.body.append(contentsOf: bytes)
        } else {
            isTooLong = true
        }
        return !isTooLong
    }

    /// A line of the head. An interim answer is followed by another one, which begins anew.
    func head(_ bytes: UnsafeRawBufferPointer) {
        let line = String(decoding: bytes.prefix(8192), as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            let words = line.split(separator: " ")
            answer = HTTPAnswer(status: words.count > 1 ? Int(words[1]) ?? 0 : 0)
            return
        }
        guard let colon = line.firstIndex(of: ":"), answer.headers.count < 100 else { return }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        var end = value.endIndex
        while end > value.startIndex, value[value.index(before: end)].isWhitespace { end = value.index(before: end) }
        answer.headers[line[..<colon].lowercased()] = String(value[..<end])
    }

    var isStopped: Bool { stop?.isStopRequested == true }

    static func of(_ context: UnsafeMutableRawPointer?) -> Receiver? {
        context.map { Unmanaged<Receiver>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// Texts as C has them, as long as this lives.
private final class CTexts {
    private var texts: [UnsafeMutablePointer<CChar>] = []
    /// An empty list.
    let none: UnsafePointer<UnsafePointer<CChar>> = {
        let place = UnsafeMutablePointer<UnsafePointer<CChar>>.allocate(capacity: 1)
        return UnsafePointer(place)
    }()

    func add(_ text: some Collection<UInt8>) -> UnsafePointer<CChar> {
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count + 1)
        for (index, byte) in text.enumerated() { copy[index] = CChar(bitPattern: byte) }
        copy[text.count] = 0
        texts.append(copy)
        return UnsafePointer(copy)
    }

    deinit {
        // Headers may hold a token that opens something.
        for text in texts {
            explicit_bzero(text, strlen(text))
            text.deallocate()
        }
        none.deallocate()
    }
}
