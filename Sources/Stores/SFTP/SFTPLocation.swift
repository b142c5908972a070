// Where a store on an SFTP server is: `sftp://[USER@]HOST[:PORT]/PATH`. HOST may be a name of ssh's configuration. PATH is absolute; below the
// account's home it is `/~/PATH`.

internal import Platform

/// A server, an account and a folder.
public struct SFTPLocation: Hashable, Sendable, CustomStringConvertible {
    /// nil where ssh's configuration says it, or it is this user's name.
    public let user: String?
    /// A name or address; IPv6 without its brackets.
    public let host: String
    /// nil where ssh's configuration says it, or it is 22.
    public let port: UInt16?
    /// As the server gets it: absolute, or relative to the account's home.
    public let path: [UInt8]

    public init(_ url: [UInt8]) throws(LocationError) {
        // Not in any message: a URL that is wrong may hold a password.
        guard String(decoding: url.prefix(7), as: UTF8.self).lowercased() == "sftp://" else {
            throw LocationError("this is no address of an SFTP server", mend: Self.form)
        }
        let rest = Array(url.dropFirst(7))
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.count
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            let account = authority[..<at]
            if account.contains(UInt8(ascii: ":")) {
                throw LocationError(
                    "a password is no part of an address, where others can read it",
                    mend: "leave it out, and give the account a key (`ssh-copy-id`)")
            }
            user = try Self.text(account, of: "user")
            authority = authority[(at + 1)...]
        } else {
            user = nil
        }
        (host, port) = try Self.place(authority)
        if rest.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) {
            throw LocationError(
                "the address of an SFTP server ends with the path", mend: "in a path, write `?` as %3F and `#` as %23")
        }
        path = try Self.path(rest[end...])
    }

    /// What somebody types to get there by hand.
    var command: String { "ssh \(port.map { "-p \($0) " } ?? "")\(user.map { "\($0)@" } ?? "")\(host)" }

    /// What the server is called in known_hosts.
    var knownName: String { port.map { $0 == 22 ? host : "'[\(host)]:\($0)'" } ?? host }

    public var description: String {
        let place = host.contains(":") ? "[\(host)]" : host
        let account = user.map { percentEncoded($0.utf8) + "@" } ?? ""
        let shown = (path.first == UInt8(ascii: "/") ? "" : "/~/") + percentEncoded(path, keeping: "/")
        return "sftp://\(account)\(place)\(port.map { ":\($0)" } ?? "")\(shown)"
    }

    private static let form = "write it as sftp://USER@HOST/PATH, or sftp://USER@HOST/~/PATH below the account's home"

    /// A host and a port.
    private static func place(_ text: ArraySlice<UInt8>) throws(LocationError) -> (String, UInt16?) {
        var (name, rest) = (text, text[text.endIndex...])
        let isBracketed = text.first == UInt8(ascii: "[")
        if isBracketed {
            guard let close = text.firstIndex(of: UInt8(ascii: "]")) else {
                throw LocationError(
                    "the host's bracket is not closed", mend: "write it as sftp://[2001:db8::1]/PATH")
            }
            (name, rest) = (text[(text.startIndex + 1)..<close], text[(close + 1)...])
        } else if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
            (name, rest) = (text[..<colon], text[colon...])
        }
        let host = try Self.text(name, of: "host")
        if isBracketed, !host.utf8.allSatisfy({ isLetterOrDigit($0) || "-._~:%".utf8.contains($0) }) {
            throw LocationError("an address in brackets is of IPv6", mend: "write it as sftp://[2001:db8::1]/PATH")
        }
        if rest.isEmpty { return (host, nil) }
        let digits = String(decoding: rest.dropFirst(), as: UTF8.self)
        guard rest.first == UInt8(ascii: ":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits), port > 0
        else {
            throw LocationError(
                "the port is not a number from 1 to 65535", mend: "an address of IPv6 stands in brackets: [2001:db8::1]"
            )
        }
        return (host, port)
    }

    /// A user or a host: neither an option of ssh's, nor what a command of its configuration could take for more than a name.
    private static func text(_ bytes: ArraySlice<UInt8>, of part: String) throws(LocationError) -> String {
        let plain = try decoded(bytes)
        guard !plain.isEmpty else { throw LocationError("the \(part) is missing", mend: form) }
        guard let text = String(validating: plain, as: UTF8.self), plain.first != UInt8(ascii: "-"),
            plain.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            !text.contains(where: { "'\"`$\\;&<>|(){}/@,?*#!".contains($0) })
        else {
            throw LocationError(
                "“\(printable(plain))” is no name of a \(part)",
                mend: "with `Host NAME` in ~/.ssh/config, any \(part) can be called by another name")
        }
        return text
    }

    private static func path(_ encoded: ArraySlice<UInt8>) throws(LocationError) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        var parts = try decoded(encoded).split(separator: slash)
        if parts.contains(where: { $0.elementsEqual([0x2e]) || $0.elementsEqual([0x2e, 0x2e]) || $0.contains(0) }) {
            throw LocationError("a path with `.` or `..` in it is none for a store", mend: form)
        }
        let isInHome = parts.first?.elementsEqual([UInt8(ascii: "~")]) ?? false
        if isInHome { parts.removeFirst() }
        let path = Array(parts.joined(separator: [slash]))
        if path.isEmpty {
            // The top of a server is nobody's folder for a store, and the home itself holds other things.
            throw LocationError("the folder on the server is missing", mend: form)
        }
        guard path.count <= 2048 else { throw LocationError("the path is too long", mend: form) }
        return isInHome ? path : [slash] + path
    }

    private static func decoded(_ text: ArraySlice<UInt8>) throws(LocationError) -> [UInt8] {
        guard let result = percentDecoded(Array(text)) else {
            throw LocationError(
                "after `%` in the address, two hexadecimal digits are missing", mend: "write `%` itself as %25")
        }
        return result
    }
}
