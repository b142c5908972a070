// Whether jobs run by themselves: a decision in the state, and the units of systemd that follow from it. Where a rollback or an upgrade has other
// units, or none, the decision brings them back.

internal import Boot
internal import FoundationEssentials
public import Machine
public import Platform
internal import Reporting

public struct Schedule: Sendable {
    private let places: Places

    public init(_ places: Places) { self.places = places }

    /// What was decided.
    private struct Decision: Codable {
        var version = 1
        /// In hexadecimal digits; nil: the one that everybody has.
        var configuration: String?
        var processors: String?
        var memory: UInt64
    }

    /// The folder with the lock of what changes the machine.
    private var folder: BytePath { places.jobs.parent }

    /// Whether jobs run by themselves.
    public var isEnabled: Bool { exists(places.schedule) }

    /// Memory that a run has at most, where nothing else is said: 512 MiB.
    public static let standardMemory: UInt64 = 1 << 29

    /// Has jobs run by themselves, from now on. Repeating it takes over what is decided otherwise.
    /// - Parameters:
    ///   - processors: nil: those that the kernel keeps for no task of the plant.
    /// - Throws: `StewardError.noTimers` where there is no systemd.
    public func enable(configuration: BytePath?, processors: ProcessorSet?, memory: UInt64) throws {
        guard Units.areUsed else { throw StewardError.noTimers }
        let decision = Decision(
            configuration: configuration.map { hexadecimal($0.bytes) }, processors: processors?.text, memory: memory)
        try makeFolders(places.jobs, mode: 0o755)
        try enable(decision, holding: MachineLock(folder))
    }

    private func enable(_ decision: Decision, holding lock: borrowing MachineLock) throws {
        let units = try units(decision)
        guard units.isPlain else {
            throw StewardError.units(
                reason: "the name of the program, the configuration or the state has a character that no unit takes")
        }
        // What it follows from comes first: a crash in between is mended by the next call, start or upgrade.
        try replaceFile(places.schedule, Array(try JSONEncoder().encode(decision)), mode: 0o644)
        try units.install()
        if let complaint = try ScheduleUnits.start() { throw StewardError.units(reason: complaint) }
    }

    /// Has nothing run by itself any more.
    /// - Returns: whether something did.
    public func disable() throws -> Bool {
        guard try isEnabled || ScheduleUnits.areInstalled(for: places.state) else { return false }
        try makeFolders(folder, mode: 0o755)
        return try disable(holding: MachineLock(folder))
    }

    /// The same, where the machine is being changed already.
    public func disable(holding lock: borrowing MachineLock) throws -> Bool {
        let wasDecided = isEnabled
        if wasDecided {
            try removeFile(places.schedule)
            try synchronizeFolder(places.jobs)
        }
        return try removeUnits() || wasDecided
    }

    /// Brings the units up to date with the decision and this program.
    /// - Returns: whether jobs run by themselves.
    @discardableResult
    public func refresh() throws -> Bool {
        guard Units.areUsed, let decision = try decision() else { return false }
        if try units(decision).install(), let complaint = try ScheduleUnits.start() {
            throw StewardError.units(reason: complaint)
        }
        return true
    }

    /// The program goes, and the decision stays: the units come back with it.
    public func removeUnits() throws -> Bool {
        guard try ScheduleUnits.areInstalled(for: places.state) else { return false }
        if Units.areUsed, let complaint = try ScheduleUnits.stop() { throw StewardError.units(reason: complaint) }
        _ = try ScheduleUnits.remove(of: places.state)
        // The files are gone; systemd will notice by itself where it does not hear of it.
        if Units.areUsed { _ = try? ScheduleUnits.reload() }
        return true
    }

    private func decision() throws -> Decision? {
        guard isEnabled else { return nil }
        let bytes = try readRegular(places.schedule, limit: 1 << 16)
        // What was decided is not known any more; that jobs are to run is.
        return (try? JSONDecoder().decode(Decision.self, from: Data(bytes))) ?? Decision(memory: Self.standardMemory)
    }

    private func units(_ decision: Decision) throws -> ScheduleUnits {
        let executable = try ProgramFiles.executable
        // The copy of the start has a script in front of it.
        let copy = ProgramCopy(state: places.state)
        let program = executable.isBelow(copy.script.parent) ? copy.script : executable
        return ScheduleUnits(
            program: program, configuration: decision.configuration.flatMap(decodeHexadecimal).map { BytePath($0) },
            state: places.state, processors: decision.processors.flatMap { ProcessorSet($0) } ?? .housekeeping,
            memory: decision.memory)
    }
}
