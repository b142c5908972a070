// Names and identifiers that nobody typed.

internal import Cryptography
internal import Platform
internal import Reporting

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
        return mostLike(name, among: names)
    }
}
