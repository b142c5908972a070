// Where an object store is: s3://BUCKET/PREFIX?endpoint=https://HOST&region=…&style=path|host&ca=FILE

public import Platform
public import Reporting

/// A place that cannot be understood as one.
public struct LocationError: Explained, Hashable {
    public let description: String
    public let mend: String?
    public var exitStatus: Int32 { 2 }

    public init(_ description: String, mend: String? = nil) {
        self.description = description
        self.mend = mend
    }
}

public struct S3Location: Sendable, Hashable, CustomStringConvertible {
    public let bucket: String
    /// What the names of all objects begin with; empty, or without a slash at its ends.
    public let prefix: String
    /// Without a path; nil for Amazon's of the region.
    public let endpoint: Endpoint?
    public let region: String?
    /// Whether the bucket is named by the path, as most servers want it, or by the host.
    public let usesPath: Bool
    /// Authorities that the server's certificate is checked against, in place of the system's.
    public let authorities: BytePath?

    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        public let isSecure: Bool
        /// Host and port, as a URL has them.
        public let host: String
        public var description: String { (isSecure ? "https://" : "http://") + host }

        init?(_ text: String) {
            var host: Substring
            if text.hasPrefix("https://") {
                (isSecure, host) = (true, text.dropFirst(8))
            } else if text.hasPrefix("http://") {
                (isSecure, host) = (false, text.dropFirst(7))
            } else {
                return nil
            }
            if host.hasSuffix("/") { host = host.dropLast() }
            guard !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte) else { return nil }
            self.host = String(host)
        }

        /// Letters, digits and what separates them; brackets stand around an IPv6 address.
        private static func isHostByte(_ byte: UInt8) -> Bool {
            isLetterOrDigit(byte) || ".-_:[]".utf8.contains(byte)
        }
    }

    private static let mend = "write s3://BUCKET/PREFIX?endpoint=https://HOST, and &region=, &style=path|host, &ca=FILE"

    /// - Parameter url: all of it, in bytes.
    public init(_ url: [UInt8]) throws(LocationError) {
        // Nothing of it is shown before it is known that no secret is in it.
        func wrong(_ words: String) -> LocationError { LocationError(words, mend: Self.mend) }
        guard let text = String(validating: url, as: UTF8.self), text.hasPrefix("s3://") else {
            throw wrong("this is no s3: URL")
        }
        let parts = text.dropFirst(5).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if parts[0].contains("@") {
            throw LocationError(
                "an s3: URL has no place for a key or a secret",
                mend: "name a file of credentials in the configuration, [stores.NAME] credentials = \"…\"")
        }
        let path = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(path[0])
        guard (1...255).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isBucketByte),
            !bucket.hasPrefix("."), !bucket.hasPrefix("-")
        else { throw wrong("the s3: URL names no bucket") }
        guard var prefix = unescaped(path.count > 1 ? String(path[1]) : "") else {
            throw wrong("the prefix of the bucket \(bucket) is no text")
        }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard
            prefix.isEmpty
                || prefix.utf8.count <= 512
                    && prefix.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({
                        !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains { $0 < 32 || $0 == 127 }
                    })
        else { throw wrong("the prefix in the bucket \(bucket) has an empty part, or one that no object can have") }

        var endpoint: Endpoint?
        var region: String?
        var style: Bool?
        var authorities: BytePath?
        for option in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(words[0])
            guard words.count == 2, let value = unescaped(String(words[1])), !value.isEmpty else {
                throw wrong("\(printable(Array(name.utf8.prefix(40)))) in the s3: URL has no value")
            }
            switch name {
            case "endpoint":
                guard let known = Endpoint(value) else { throw wrong("the endpoint in the s3: URL is none") }
                endpoint = known
            case "region":
                guard value.utf8.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }) else {
                    throw wrong("the region in the s3: URL is none")
                }
                region = value
            case "style":
                guard value == "path" || value == "host" else { throw wrong("style is path or host") }
                style = value == "path"
            case "ca":
                guard value.hasPrefix("/"), !value.utf8.contains(0) else { throw wrong("ca is no absolute path") }
                authorities = BytePath(value)
            default:
                throw wrong("an s3: URL has no \(printable(Array(name.utf8.prefix(40))))")
            }
        }
        self.bucket = bucket
        self.prefix = prefix
        self.endpoint = endpoint
        self.region = region
        self.authorities = authorities
        usesPath = style ?? Self.usesPath(bucket, endpoint)
    }

    private static func isBucketByte(_ byte: UInt8) -> Bool { isLetterOrDigit(byte) || ".-_".utf8.contains(byte) }

    /// Which place it is, without how its server is spoken to.
    public var description: String {
        let path = prefix.isEmpty ? "" : "/" + percentEncoded(prefix.utf8, keeping: "/")
        return "s3://\(bucket)\(path)" + (endpoint.map { "?endpoint=\($0)" } ?? "")
    }

    /// As somebody has to write it, without what follows from the rest.
    public var url: String {
        var options: [String] = []
        if let region { options.append("region=\(region)") }
        if usesPath != Self.usesPath(bucket, endpoint) { options.append("style=\(usesPath ? "path" : "host")") }
        if let authorities { options.append("ca=\(percentEncoded(authorities.bytes, keeping: "/"))") }
        if options.isEmpty { return description }
        return description + (endpoint == nil ? "?" : "&") + options.joined(separator: "&")
    }

    private static func usesPath(_ bucket: String, _ endpoint: Endpoint?) -> Bool {
        // A bucket with a dot in its name has no certificate as a host's part.
        !(endpoint.map { $0.host.hasSuffix(".amazonaws.com") } ?? true) || bucket.contains(".")
    }

    /// The name that an object has in the bucket.
    func key(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix)/\(name)" }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
}

/// Percent-encoding taken away; nil where it is malformed, or what comes out is no UTF-8 without zeros.
func unescaped(_ text: String) -> String? {
    guard let bytes = percentDecoded(text.utf8), !bytes.contains(0) else { return nil }
    return String(validating: bytes, as: UTF8.self)
}
