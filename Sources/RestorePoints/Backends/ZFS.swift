// zfs and zpool, driven as commands with output for programs.

package import Platform

/// A dataset or a snapshot, and some of its properties.
struct ZFSObject: Hashable, Sendable {
    var name: String
    /// Stays the same when it is renamed, or moves to another dataset by a promotion.
    var guid: String
    /// Whose it is: the id of a protected tree, or `-`.
    var tree: String
    /// Of a clone: the snapshot that it hangs on, or `-`.
    var origin: String
    /// The transaction group in which it was made: later ones are larger.
    var made: UInt64
    /// Seconds since 1970.
    var time: Int64
    /// Whether it only waits for its last clone to go.
    var isLeaving: Bool

    var dataset: String { name.split(separator: "@").first.map(String.init) ?? name }
    var snapshot: String? { name.contains("@") ? name.split(separator: "@").last.map(String.init) : nil }
}

package enum ZFS {
    static let treeProperty = "holdfast:tree"

    /// Runs one of the commands; its lines.
    @discardableResult
    package static func run(_ words: ProgramWord...) throws -> [String] { try run(words) }

    @discardableResult
    static func run(_ words: [ProgramWord]) throws -> [String] {
        let result = try runProgram(words)
        if result.status != 0 {
            throw PointError.program(words.map(\.shown), status: result.status, complaint: result.complaint)
        }
        return result.lines
    }

    /// What there is below a dataset, itself included.
    /// - Parameter kind: `filesystem` or `snapshot`.
    static func list(_ kind: String, below dataset: String) throws -> [ZFSObject] {
        try run(
            "zfs", "list", "-Hp", "-r", "-t", "\(kind)", "-o",
            "name,guid,\(treeProperty),origin,createtxg,defer_destroy,creation", "\(dataset)"
        ).compactMap {
            let fields = $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 7, let made = UInt64(fields[4]), let time = Int64(fields[6]) else { return nil }
            return ZFSObject(
                name: fields[0], guid: fields[1], tree: fields[2], origin: fields[3], made: made, time: time,
                isLeaving: fields[5] == "on")
        }
    }

    static func guid(of name: String) throws -> String {
        guard let guid = try run("zfs", "get", "-Hpo", "value", "guid", "\(name)").first else {
            throw PointError.program(["zfs", "get"], status: 0, complaint: "no guid")
        }
        return guid
    }

    /// nil where there is no such thing.
    /// - Throws: where it cannot be told: a pool that is suspended, a command that is not there.
    package static func guidIfThere(_ name: String) throws -> String? {
        do { return try guid(of: name) } catch let error as PointError {
            if case .program(_, _, let complaint) = error, complaint.contains("does not exist") { return nil }
            throw error
        }
    }

    /// Properties that were set on the dataset itself, and where it takes its place in the tree of files from.
    static func ownProperties(of dataset: String) throws -> [(name: String, value: String)] {
        try run("zfs", "get", "-Hp", "-s", "local,received", "-o", "property,value", "all", "\(dataset)").compactMap {
            let fields = $0.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return fields.count == 2 ? (fields[0], fields[1]) : nil
        }
    }

    static func parent(of dataset: String) -> String? {
        dataset.lastIndex(of: "/").map { String(dataset[..<$0]) }
    }

    package static func pool(of dataset: String) -> String {
        dataset.split(whereSeparator: { $0 == "/" || $0 == "@" }).first.map(String.init) ?? dataset
    }
}
