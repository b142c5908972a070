// What the word after --to or --from means: a name from the configuration, a path, a URL.

internal import Platform

struct StorePlace {
    let path: BytePath
    /// Named in the configuration, as opposed to typed.
    let isConfigured: Bool

    init(_ argument: StoreArgument, _ configuration: Configuration) throws {
        if let name = String(validating: argument.bytes, as: UTF8.self), let place = configuration.stores[name] {
            path = try Self.path(Array(place.utf8))
            isConfigured = true
        } else {
            path = try Self.path(argument.bytes)
            isConfigured = false
        }
    }

    /// The scheme of a URL that stores can have.
    static func scheme(of bytes: [UInt8]) -> String? {
        ["file", "sftp", "s3", "usb"].first { bytes.starts(with: Array(($0 + ":").utf8)) }
    }

    private static func path(_ bytes: [UInt8]) throws -> BytePath {
        switch scheme(of: bytes) {
        case nil: return BytePath(bytes)
        case "file":
            var rest = bytes.dropFirst(5)
            for host in ["//localhost/", "///"] where rest.starts(with: Array(host.utf8)) {
                rest = rest.dropFirst(host.utf8.count - 1)
            }
            guard let path = unescaped(Array(rest)), !path.isEmpty, !path.contains(0),
                !path.starts(with: Array("//".utf8))
            else {
                throw Problem.usage("\(printable(bytes)) is no file URL of this machine", hint: "write file:///path")
            }
            return BytePath(path)
        case let scheme?:
            throw Problem.usage(
                "stores by \(scheme): are not yet in this version of holdfast",
                hint: "give a folder; network shares and USB media can be mounted")
        }
    }

    /// Percent-encoding of URLs (RFC 3986) taken away, or nil where it is malformed.
    private static func unescaped(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] != UInt8(ascii: "%") {
                result.append(bytes[index])
                index += 1
                continue
            }
            guard index + 2 < bytes.count, bytes[index + 1] != UInt8(ascii: "+"),
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            else { return nil }
            result.append(value)
            index += 3
        }
        return result
    }
}
