// Where a store on a medium is: `usb:LABEL[/PATH]`. The label is that of the file system, byte for byte; the path begins at its root.

public import Platform

public struct MediumLocation: Sendable, Hashable, CustomStringConvertible {
    static let scheme = Array("usb:".utf8)

    public let label: [UInt8]
    /// Without a slash at either end; empty for the medium's root.
    public let path: BytePath

    /// - Returns: nil for what is no such location: without a label, malformed, or with a path that leads out of the medium.
    public init?(_ url: [UInt8]) {
        guard url.starts(with: Self.scheme) else { return nil }
        let parts = url.dropFirst(Self.scheme.count)
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        var decoded: [[UInt8]] = []
        for (index, part) in parts.enumerated() {
            guard let bytes = percentDecoded(part), !bytes.contains(0) else { return nil }
            if index > 0 {
                // Doubled slashes, and one at the end, mean nothing; a slash that is written as %2F would be another path than it seems.
                if bytes.isEmpty { continue }
                if bytes.contains(UInt8(ascii: "/")) || bytes == Array(".".utf8) || bytes == Array("..".utf8) {
                    return nil
                }
            }
            decoded.append(bytes)
        }
        guard let label = decoded.first, !label.isEmpty else { return nil }
        self.label = label
        path = BytePath(Array(decoded.dropFirst().joined(separator: [UInt8(ascii: "/")])))
    }

    /// The same text for the same location, which can be typed again.
    public var description: String {
        "usb:" + percentEncoded(label)
            + (path.bytes.isEmpty ? "" : "/" + percentEncoded(path.bytes, keeping: "/"))
    }
}
