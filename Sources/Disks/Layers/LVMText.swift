// The text in which LVM keeps what a volume group is (lvm2, libdm/libdm-config.h): names with values, lists and sections.

internal import Platform

indirect enum LVMValue: Equatable {
    case number(UInt64)
    case text(String)
    case list([LVMValue])
    case section([String: LVMValue])

    subscript(_ name: String) -> LVMValue? { if case .section(let members) = self { members[name] } else { nil } }
    var number: UInt64? { if case .number(let number) = self { number } else { nil } }
    var text: String? { if case .text(let text) = self { text } else { nil } }
    var list: [LVMValue]? { if case .list(let list) = self { list } else { nil } }
    var members: [String: LVMValue]? { if case .section(let members) = self { members } else { nil } }
}

struct LVMText {
    private let bytes: [UInt8]
    private var place = 0
    /// A group is a section with sections of sections; more is none.
    private static let deepest = 16

    /// - Throws: `DiskFormatError`.
    static func read(_ bytes: [UInt8]) throws(DiskFormatError) -> LVMValue {
        var reader = LVMText(bytes: bytes)
        return .section(try reader.members(depth: 0))
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skip() {
        while let byte = current {
            if byte == UInt8(ascii: "#") {
                while let byte = current, byte != UInt8(ascii: "\n") { place += 1 }
            } else if [0x20, 0x09, 0x0A, 0x0D].contains(byte) {
                place += 1
            } else {
                return
            }
        }
    }

    private mutating func take(_ byte: Character) -> Bool {
        skip()
        guard current == byte.asciiValue else { return false }
        place += 1
        return true
    }

    private func error() -> DiskFormatError {
        DiskFormatError("the text of its volume group breaks off at byte \(place)")
    }

    private mutating func members(depth: Int) throws(DiskFormatError) -> [String: LVMValue] {
        guard depth < Self.deepest else { throw error() }
        var found: [String: LVMValue] = [:]
        while true {
            skip()
            guard let byte = current, byte != 0 else {
                if depth == 0 { return found }
                throw error()
            }
            if depth > 0, take("}") { return found }
            let name = word()
            if name.isEmpty { throw error() }
            if take("{") {
                found[name] = .section(try members(depth: depth + 1))
            } else if take("=") {
                found[name] = try value(depth: depth)
            } else {
                throw error()
            }
        }
    }

    private mutating func word() -> String {
        let start = place
        while let byte = current, byte > 0x20, !"={}[],#\"".utf8.contains(byte) { place += 1 }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func value(depth: Int) throws(DiskFormatError) -> LVMValue {
        guard depth < Self.deepest else { throw error() }
        if take("[") {
            var list: [LVMValue] = []
            while !take("]") {
                list.append(try value(depth: depth + 1))
                _ = take(",")
                guard current != nil else { throw error() }
            }
            return .list(list)
        }
        skip()
        if take("\"") {
            var text: [UInt8] = []
            while let byte = current, byte != UInt8(ascii: "\"") {
                if byte == UInt8(ascii: "\\") { place += 1 }
                if let byte = current { text.append(byte) }
                place += 1
            }
            guard take("\"") else { throw error() }
            return .text(String(decoding: text, as: UTF8.self))
        }
        let word = word()
        if word.isEmpty { throw error() }
        return UInt64(word).map(LVMValue.number) ?? .text(word)
    }
}
