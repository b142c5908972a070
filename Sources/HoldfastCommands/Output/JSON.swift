// JSON documents (RFC 8259), written only. Keys keep the order in which they are given.

internal import Images
internal import Platform
internal import Reporting
internal import Stores

enum JSON {
    case text(String)
    case number(UInt64)
    /// A span of time, which may be negative.
    case seconds(Int64)
    case flag(Bool)
    case list([JSON])
    case object([(String, JSON?)])
    /// What is encoded already, in one line.
    case encoded(String)

    /// One line, without its end. Members without a value are left out.
    var encoded: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .number(let value): "\(value)"
        case .seconds(let value): "\(value)"
        case .flag(let value): value ? "true" : "false"
        case .encoded(let text): text
        case .list(let elements): "[" + elements.map(\.encoded).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.compactMap { key, value in value.map { "\(Self.quoted(key)):\($0.encoded)" } }
                .joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _
            where scalar.value < 0x20 || scalar.value == 0x7f || scalar.value == 0x2028 || scalar.value == 0x2029:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSON {
    static func id(_ id: ObjectID) -> JSON { .text(id.description) }
    static func time(_ time: Timestamp) -> JSON { .text(Text.time(time)) }

    /// A path as text, and its bytes in hexadecimal digits where the text differs from them.
    static func path(_ path: BytePath, key: String = "path") -> [(String, JSON?)] {
        let text = path.description
        if Array(text.utf8) == path.bytes { return [(key, .text(text))] }
        return [(key, .text(text)), (key + "Bytes", .text(hexadecimal(path.bytes)))]
    }

    /// The place of a store.
    static func place(_ location: StoreLocation) -> [(String, JSON?)] {
        location.folder.map { path($0) } ?? [("url", .text(location.url))]
    }

    /// Several paths under one key.
    static func paths(_ paths: [BytePath], key: String) -> [(String, JSON?)] {
        let texts = (key, JSON?.some(.list(paths.map { .text($0.description) })))
        if paths.allSatisfy({ Array($0.description.utf8) == $0.bytes }) { return [texts] }
        return [texts, (key + "Bytes", .list(paths.map { .text(hexadecimal($0.bytes)) }))]
    }

    static func finding(_ finding: Finding) -> JSON {
        let place = finding.path.map { path(BytePath($0)) } ?? [("path", .text(finding.subject))]
        return .object([("kind", .text(finding.kind.rawValue))] + place + [("reason", .text(finding.reason))])
    }

    /// What a label says, the same words for every command.
    static func label(_ label: ImageLabel?) -> [(String, JSON?)] {
        guard let label else { return [] }
        return [("name", .text(label.name)), ("host", .text(label.host)), ("time", .time(label.time))]
            + paths(label.sources, key: "sources")
            + [
                ("entries", .number(label.entries)), ("contentBytes", .number(label.contentBytes)),
                ("bytesNew", .number(label.newBytes)), ("bytesStored", .number(label.storedBytes)),
                ("disks", label.disks.isEmpty ? nil : .list(label.disks.map(JSON.text))),
                ("point", label.point.isEmpty ? nil : .text(label.point)),
            ]
    }
}
