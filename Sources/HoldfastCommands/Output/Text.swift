// Numbers, times and names as people read them.

internal import Glibc
internal import Platform

enum Text {
    /// `1.31 GB`: three digits, powers of 1000.
    static func size(_ bytes: UInt64) -> String {
        if bytes < 1000 { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        while value >= 999.5 && unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return "\(decimal(value, places: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(units[unit])"
    }

    private static func decimal(_ value: Double, places: Int) -> String {
        let scale = [1, 10, 100][places]
        let scaled = Int((value * Double(scale)).rounded())
        if places == 0 { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
    }

    /// `63,211`
    static func number(_ value: UInt64) -> String {
        var result = ""
        for (index, digit) in String(value).reversed().enumerated() {
            if index > 0 && index % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return String(result.reversed())
    }

    /// `1 file`, `1,200 files`
    static func counted(_ value: UInt64, _ one: String, _ many: String) -> String {
        "\(number(value)) \(value == 1 ? one : many)"
    }

    /// `0:42`, `1:02:03`
    static func duration(_ seconds: UInt64) -> String {
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        return hours > 0 ? "\(hours):\(padded(minutes)):\(padded(rest))" : "\(minutes):\(padded(rest))"
    }

    /// `5 min`, `3 h`, `12 d`: how long ago; `now` below a minute, and for a clock that was set back.
    static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "now"
        case ..<3600: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    private static func padded(_ value: some BinaryInteger) -> String { (value < 10 ? "0" : "") + "\(value)" }

    static func time(_ time: Timestamp) -> String { time.text }

    static func localTime(_ time: Timestamp) -> String { time.localText }

    /// `2026-11-26 13:39`, for tables whose head names the zone.
    static func localMinute(_ time: Timestamp) -> String { time.local("%Y-%m-%d %H:%M") }

    /// The zone of the clock on the wall now.
    static var zone: String { Timestamp.now().local("%Z") }

    /// The beginning of a text that is wider than so many columns, with `…`.
    static func shortened(_ text: String, to columns: Int) -> String {
        if width(text) <= columns { return text }
        var result = ""
        var used = 1
        for character in text {
            used += width(String(character))
            if used > columns { break }
            result.append(character)
        }
        return result + "…"
    }

    /// Text from elsewhere that must not play tricks on a terminal: like `printable`, but without touching `\`, since
    /// paths in it have been escaped already.
    static func safe(_ text: String) -> String {
        // Nearly always there is nothing to look up.
        if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += printable(ArgumentText.bytes(of: String(scalar)))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Text without the private keys in it: one that was typed where none belongs is neither shown nor put on record.
    static func withoutKeys(_ text: String) -> String {
        let mark = "AGE-SECRET-KEY-1"
        var (result, rest) = ("", text[...])
        while let next = rest.first {
            let isMark = (next == "A" || next == "a") && rest.prefix(mark.count).uppercased() == mark
            let key = isMark ? rest.dropFirst(mark.count).prefix { $0.isASCII && ($0.isLetter || $0.isNumber) } : ""
            // The mark alone is part of sentences about keys.
            result += key.isEmpty ? String(next) : "AGE-SECRET-KEY-…"
            rest = rest.dropFirst(key.isEmpty ? 1 : mark.count + key.count)
        }
        return result
    }

    /// How many columns of a terminal it takes.
    static func width(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        switch scalar.value {
        // East Asian wide and fullwidth (Unicode Standard Annex 11), in blocks.
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
            0xa960...0xa97c, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
            0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }
}
