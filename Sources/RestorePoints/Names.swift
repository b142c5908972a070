// Names and identifiers that nobody typed.

internal import Cryptography
internal import Platform

extension ProtectedTree {
    static func randomIdentifier() throws -> String { hexadecimal(try SecureRandom.bytes(8)) }

    /// `2026-11-20T08:56:14Z`
    static func timeName(_ seconds: Int64) -> String { Timestamp(seconds: seconds, nanoseconds: 0).text }

    /// The name, or the name with a number where a point has it.
    package func freeName(_ name: String) throws -> String { Self.freeName(name, in: try area.readTable()) }

    /// The name, or the name with a number where it is taken: two in one second.
    static func freeName(_ name: String, in table: StateArea.Table) -> String {
        var result = name
        var number = 2
        while table.points.contains(where: { $0.name == result }) {
            result = "\(name)-\(number)"
            number += 1
        }
        return result
    }

    /// The name that somebody may have meant: the only one that begins so, or one that is a letter or two away.
    static func name(near name: String, among points: [RestorePoint]) -> String? {
        let names = points.map(\.name)
        let begun = names.filter { !name.isEmpty && $0.hasPrefix(name) }
        if begun.count == 1 { return begun[0] }
        let wanted = Array(name.lowercased().utf8.prefix(256))
        return names.map { ($0, distance(wanted, Array($0.lowercased().utf8))) }
            .filter { $0.1 <= max(1, wanted.count / 4) }.min { $0.1 < $1.1 }?.0
    }

    /// How many letters have to be put in, taken out or replaced to make one of the other (Levenshtein, 1966).
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var last = Array(0...other.count)
        for (row, letter) in one.enumerated() {
            var next = [row + 1]
            for column in other.indices {
                next.append(
                    min(last[column + 1] + 1, next[column] + 1, last[column] + (letter == other[column] ? 0 : 1)))
            }
            last = next
        }
        return last[other.count]
    }
}
