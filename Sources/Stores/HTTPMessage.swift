// A message to a server over HTTP that is no store: a monitor is told that something began, or how it ended.

internal import Glibc
internal import Platform

/// Where messages go: `http://` or `https://`, without a user or a password in it.
public struct MessageAddress: Hashable, Sendable {
    let url: String
    /// The part that may be shown: what stands behind the host opens something.
    public let host: String

    /// - Returns: nil where it is no such address.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, ["http:", "https:"].contains(parts[0]), parts[1].isEmpty, !parts[2].isEmpty,
            !parts[2].contains("@"), text.utf8.count <= 2000, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            !text.contains("#")
        else { return nil }
        url = text
        host = "\(parts[0])//\(parts[2])"
    }

    /// One below this: `…/fail?rid=…`.
    fileprivate func appending(_ path: String, query: String) -> String {
        let parts = url.split(separator: "?", maxSplits: 1)
        let base = parts[0].last == "/" ? parts[0].dropLast() : parts[0]
        let rest = (parts.count > 1 ? [String(parts[1])] : []) + (query.isEmpty ? [] : [query])
        return base + (path.isEmpty ? "" : "/\(path)") + (rest.isEmpty ? "" : "?" + rest.joined(separator: "&"))
    }
}

/// Tells a server something, at most so often and so long.
/// - Parameters:
///   - path: what stands behind the address.
///   - seconds: after which an attempt is given up that hears nothing.
/// - Returns: nil, or why it was not told, in a sentence.
public func tell(
    _ address: MessageAddress, path: String, query: String, _ body: [UInt8], attempts: Int = 3, seconds: Int = 10
) -> String? {
    var settings = TransportSettings()
    settings.silence = seconds
    settings.connectLimit = seconds
    let transport = HTTPTransport(settings, stop: nil)
    let sent = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, body.count), alignment: 1)
    defer { sent.deallocate() }
    sent.copyBytes(from: body)
    var reason = ""
    for attempt in 1...max(1, attempts) {
        if attempt > 1 { usleep(500_000) }
        do throws(TransportError) {
            let request = HTTPRequest(
                method: "POST", url: address.appending(path, query: query),
                headers: ["content-type: text/plain; charset=utf-8"],
                body: UnsafeRawBufferPointer(rebasing: sent[..<body.count]))
            let answer = try transport.perform(request, limit: 4096)
            if (200...299).contains(answer.status) { return nil }
            reason = "it answers with \(answer.status)"
            // Who is refused once is refused again.
            if (400...499).contains(answer.status), answer.status != 429 { break }
        } catch {
            switch error {
            case .unreachable(let why), .untrusted(let why), .failed(let why), .noLibrary(let why): reason = why
            case .stopped: reason = "it took too long"
            case .tooLong: return nil  // It was told, and has much to say.
            }
        }
    }
    return "\(address.host) was not told: \(reason)"
}
