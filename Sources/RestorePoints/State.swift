// What Holdfast knows about a protected tree, in files that neither rollback nor filter reaches. Each is replaced whole and
// durably, so that a crash leaves the old one or the new one.

internal import FoundationEssentials
internal import Glibc
internal import Machine
internal import Platform

/// The folder with the state of one protected tree.
struct StateArea: Sendable {
    static let version = 1
    let folder: BytePath

    private var configurationFile: BytePath { Places.protection(in: folder) }
    private var tableFile: BytePath { folder.appending("points.json") }
    /// The same once more: points that no table names are nobody's.
    private var secondTableFile: BytePath { folder.appending("points.2.json") }
    private var journal: Journal { Journal(state: folder) }
    var journalFolder: BytePath { journal.folder }

    var isSetUp: Bool { exists(configurationFile) }

    /// What is protected, and by what.
    struct Configuration: Codable, Sendable {
        var version = StateArea.version
        /// 16 hexadecimal digits: whose points a file system holds.
        var id: String
        var root: String
        /// The bytes of the root in hexadecimal digits: a path need not be text.
        var rootBytes: String
        var backend: BackendKind
        /// Where the tree is, besides its path; nil where it was set up by an older program.
        var home: TreeHome?
        /// What the backend has to find again.
        var facts: [String: String] = [:]
        /// What goes with the tree and is not in it.
        var boot: [BootPlace] = []

        var rootPath: BytePath { BytePath(decodeHexadecimal(rootBytes) ?? []) }
    }

    /// All points, in the order in which they were made.
    struct Table: Codable, Sendable {
        var version = StateArea.version
        /// Rises with each change, so that a plan can tell whether it still fits.
        var revision = 0
        var points: [RestorePoint] = []
        /// The point that `undo` returns to: the state that the last rollback left.
        var undo: String?
        /// The point in whose state the live tree was last.
        var base: String?
    }

    /// What may be there and is in no table: whoever finds this takes it away. Nothing else is ever garbage.
    struct Unfinished: Codable, Sendable {
        var version = StateArea.version
        /// Ids of points that were being made.
        var made: [String] = []
        /// Ids of the states that a switch was to leave. What is there of one, and no record of a switch tells of, is somebody's: it becomes a
        /// point.
        var left: [String]?
        /// Handles of points that were being destroyed.
        var destroyed: [String] = []
        /// Their names.
        var names: [String]?
        /// Images of what goes with them, which were being destroyed with them.
        var boot: [KeptBoot] = []

        /// Whether there is nothing to take away.
        var isEmpty: Bool { made.isEmpty && destroyed.isEmpty && boot.isEmpty }
    }

    /// A switch that is under way.
    struct SwitchRecord: Codable, Sendable {
        enum Stage: String, Codable, Sendable {
            /// Decided; everything else is done at the next boot, before anything uses the tree.
            case scheduled
            /// Nothing of the live tree has been touched.
            case preparing
            /// From here on the target is to be the live state; what is not done yet is repeated.
            case committing
            /// The new state is in place and will be in use from the next boot, or the next mount, on.
            case pending
            /// The new state is in use; what was left becomes a point, and what is to go goes.
            case finishing
        }
        var version = StateArea.version
        var stage: Stage
        var verb: String
        var target: RestorePoint
        var before: RestorePoint
        /// Ids of points that go when it is done.
        var discards: [String]
        /// Whether the state that was left is in the table, or was: all that remains is what goes.
        var isKept: Bool?
        var change: Switch?
        /// What of the state that is left goes into the new one, below the root, in hexadecimal digits.
        var keeps: [String]?
        /// The boot in which it was prepared.
        var boot: String
        /// Whether /boot is in the target's state, where that is a file system of its own.
        var bootIsBrought: Bool?
        /// Entries that could not be brought into the target's state.
        var findings: UInt64 = 0

        var keptPaths: [BytePath] { (keeps ?? []).compactMap(decodeHexadecimal).map { BytePath($0) } }

        /// Whether the next boot, or the next mount, has to come before anything more can happen.
        var waits: Bool { stage == .scheduled || stage == .pending }
    }

    /// A set-up, or the end of one, that is under way.
    struct SetUpRecord: Codable, Sendable {
        var version = StateArea.version
        /// Whether protection is being taken back.
        var isEnd: Bool
        /// Whether the points stay then.
        var keepsPoints: Bool?
    }

    // MARK: Reading and writing

    /// What was protected before protection was taken back and the points were kept.
    private var removedFile: BytePath { Places.formerProtection(in: folder) }
    func readRemoved() throws -> Configuration? { try read(removedFile) }
    /// From here on nothing is protected.
    func setRemoved(keepingPoints: Bool) throws {
        if keepingPoints { return try renameFile(configurationFile, to: removedFile) }
        try removeFile(configurationFile)
        for file in [tableFile, secondTableFile] where exists(file) { try removeFile(file) }
        try synchronizeFolder(folder)
    }
    func forgetRemoved() throws { if exists(removedFile) { try removeFile(removedFile) } }

    func readConfiguration() throws -> Configuration {
        guard let configuration: Configuration = try read(configurationFile) else {
            throw PointError.notSetUp(state: folder)
        }
        guard configuration.rootPath.isAbsolute else {
            throw PointError.damagedState(file: configurationFile, reason: "it names no tree")
        }
        return configuration
    }
    /// - Throws: `PointError.damagedState` where neither copy can be read: an empty table would be another thing.
    func readTable() throws -> Table {
        let (first, second) = (Result { try readTable(tableFile) }, Result { try readTable(secondTableFile) })
        for copy in [first, second] {
            // The other copy is older than this program's successor.
            if case .failure(let error as PointError) = copy, case .newerState = error { throw error }
        }
        switch (first, second) {
        case (.success(let one?), .success(let other?)): return other.revision > one.revision ? other : one
        case (.success(let table?), _), (_, .success(let table?)): return table
        case (.failure(let error), _), (_, .failure(let error)): throw error
        case (.success(nil), .success(nil)):
            throw PointError.damagedState(file: tableFile, reason: "it is not there, and neither is its copy")
        }
    }
    private func readTable(_ file: BytePath) throws -> Table? { try read(file) }

    /// The two copies, where one of them is lost or damaged.
    func tableProblem() -> PointError? {
        for file in [tableFile, secondTableFile] {
            do {
                if try readTable(file) == nil { return .damagedState(file: file, reason: "it is not there") }
            } catch { return .damagedState(file: file, reason: "it cannot be read") }
        }
        return nil
    }

    /// What tells of something that is under way and is damaged: nothing is changed until that is mended.
    func journalProblem() -> PointError? {
        do {
            _ = (try readSwitch(), try readSetUp(), try readUnfinished(), try readTrial())
            return nil
        } catch { return (PointError.wrapping(error) as? PointError) ?? .library("\(error)") }
    }

    func readUnfinished() throws -> Unfinished { try read(journal.path(of: .points)) ?? Unfinished() }
    func readSwitch() throws -> SwitchRecord? { try read(journal.path(of: .rollback)) }
    func readSetUp() throws -> SetUpRecord? { try read(journal.path(of: .setup)) }

    func write(_ configuration: Configuration) throws { try write(configuration, to: configurationFile) }
    func write(_ record: SwitchRecord) throws { try write(record, as: .rollback) }
    func write(_ record: SetUpRecord) throws { try write(record, as: .setup) }
    func write(_ unfinished: Unfinished) throws { try write(unfinished, as: .points) }
    private func write(_ record: some Encodable, as entry: Journal.Entry) throws {
        try journal.make()
        try write(record, to: journal.path(of: entry))
    }
    func write(_ table: inout Table) throws {
        table.revision += 1
        // Whichever is newer counts: a crash between the two leaves the change done.
        try write(table, to: tableFile)
        try write(table, to: secondTableFile)
    }
    var hasUnfinished: Bool { exists(journal.path(of: .points)) }
    func removeUnfinished() throws { try journal.remove(.points) }
    func removeSwitch() throws { try journal.remove(.rollback) }
    func removeSetUp() throws { try journal.remove(.setup) }

    private struct Version: Decodable { var version: Int }

    func read<Value: Decodable>(_ file: BytePath) throws -> Value? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegular(file, limit: 1 << 26)
        } catch {
            if error.code == ENOENT { return nil }
            // A folder, a pipe, or more than we would ever write.
            if [EINVAL, EISDIR, EFBIG, ENXIO, ELOOP].contains(error.code) {
                throw PointError.damagedState(file: file, reason: error.reason)
            }
            throw PointError.wrapping(error)
        }
        let data = Data(bytes)
        if let version = try? JSONDecoder().decode(Version.self, from: data).version, version != Self.version {
            throw PointError.newerState(file: file, version: version)
        }
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw PointError.damagedState(file: file, reason: "it does not read like the state of restore points")
        }
    }

    func write(_ value: some Encodable, to file: BytePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var bytes = Array(try encoder.encode(value))
        bytes.append(UInt8(ascii: "\n"))
        // Status needs no privilege: points are no secret.
        try replaceFile(file, bytes, mode: 0o644)
    }
}
