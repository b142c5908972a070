// What lies on a device, as blkid tells by its bytes: a file system, a member of an array, swap.

internal import Glibc

public struct ContentProbe: Sendable, Hashable {
    /// As blkid calls it: `vfat`, `ext4`, `LVM2_member`.
    public let type: String
    /// As blkid writes it; empty where there is none.
    public let identifier: String
    /// From outside: it may hold anything.
    public let label: [UInt8]

    /// Why it cannot be told.
    public enum Doubt: Error, Hashable {
        /// The marks of several file systems are there.
        case several
        case failed(String)
    }

    /// What blkid is to look for.
    public enum Kinds: String, Sendable {
        case fileSystems = "filesystem"
        case all = "filesystem,raid,crypto,other"
    }

    /// Looks at a device or a file, or a part of it.
    ///
    /// To blkid a device that does not answer is like one on which there is nothing: whoever asks has read from it.
    /// - Parameter range: in bytes; nil: all of it.
    /// - Returns: nil where there is nothing that it knows.
    /// - Throws: `Doubt`; `SystemError` where blkid cannot be run.
    public static func look(
        at path: BytePath, _ range: Range<UInt64>? = nil, for kinds: Kinds = .all
    ) throws -> ContentProbe? {
        var words: [ProgramWord] = ["blkid", "-p", "-u", ProgramWord(kinds.rawValue), "-o", "udev"]
        if let range {
            words += [
                "-O", ProgramWord("\(range.lowerBound)"), "-S", ProgramWord("\(range.upperBound - range.lowerBound)"),
            ]
        }
        let result = try runProgram(words + [ProgramWord(path)], limit: 30)
        guard result.status == 0 else {
            if result.status == 2, result.errors.isEmpty { return nil }
            throw result.status == 8 ? Doubt.several : Doubt.failed(result.complaint)
        }
        let facts = facts(result.output)
        guard let type = facts["ID_FS_TYPE"] else { return nil }
        return ContentProbe(
            type: printable(type), identifier: printable(facts["ID_FS_UUID_ENC"] ?? facts["ID_FS_UUID"] ?? []),
            label: facts["ID_FS_LABEL_ENC"] ?? [])
    }

    /// The lines `KEY=value` of blkid. Values of keys that end in `_ENC` have what is no plain text as `\x20`, the backslash too; of its ways
    /// to write a label it is the one that loses nothing.
    static func facts(_ output: [UInt8]) -> [String: [UInt8]] {
        var facts: [String: [UInt8]] = [:]
        for line in output.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let key = String(decoding: line[..<equals], as: UTF8.self)
            let value = line[(equals + 1)...]
            facts[key] = key.hasSuffix("_ENC") ? decoded(value) : Array(value)
        }
        return facts
    }

    private static func decoded(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = value
        while let byte = rest.popFirst() {
            let digits = rest.dropFirst().prefix(2)
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), digits.count == 2,
                let escaped = decodeHexadecimal(String(decoding: digits, as: UTF8.self))
            {
                result += escaped
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
