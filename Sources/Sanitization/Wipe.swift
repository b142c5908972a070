// Wiping a device: overwriting every sector that can be addressed, and reading it back (NIST SP 800-88 Rev. 2, "clear"), or having its
// firmware erase it ("purge").

internal import Cryptography
internal import Glibc
internal import Machine
public import Platform
public import Reporting

public struct WipeRequest: Sendable {
    public enum Verification: String, Sendable {
        /// Everything is read back.
        case full
        /// 2000 places, a tenth of the device, and its ends.
        case sample
    }

    public enum Technique: Hashable, Sendable {
        case overwrite
        case firmware(FirmwareTechnique)
    }

    public var level = WipeLevel.clear
    /// nil: for clear it is overwritten, for purge it is the best that the firmware offers.
    public var technique: Technique?
    public var pattern = WipePattern.random
    public var passes = 1
    public var verification = Verification.full
    /// As fast as the device goes, where nil.
    public var bytesPerSecond: UInt64?
    /// Whether the device is told afterwards that it need keep nothing. That counts for nothing.
    public var isDiscarded = false
    /// Forgets an interrupted wipe and begins at the first sector.
    public var isRestart = false

    public init() {}
}

/// What came of a wipe.
public struct WipeReport: Sendable {
    public var device: BlockDevice
    public var request: WipeRequest
    public var method: WipeMethod
    public var started: Timestamp
    public var ended: Timestamp
    /// Sectors that could not be written or read.
    public var bad: [DeviceRange]
    /// Sectors that hold something else than what was written.
    public var different: [DeviceRange]
    /// Bytes that were read back.
    public var verified: UInt64
    /// How the places of a sample were chosen.
    public var sampleSeed: UInt64?
    public var interruptions: Int
    /// How long the writing and the reading back took in this run, in seconds.
    public var seconds: (writing: Double, reading: Double) = (0, 0)
    /// Why the firmware did not erase.
    public var failure: String?
    /// What else there is to know.
    public var notes: [String] = []

    /// What was reached; nil where anything may be left. Nothing else is called wiped.
    public var achieved: WipeLevel? {
        failure == nil && bad.isEmpty && different.isEmpty && verified > 0 ? method.level : nil
    }
    public var isAchieved: Bool { achieved.map { $0 >= request.level } ?? false }
}

/// How a device is wiped.
public enum WipeMethod: Hashable, Sendable {
    case overwrite
    case firmware(FirmwareAbility)

    /// How far it reaches.
    public var level: WipeLevel {
        switch self {
        case .overwrite: .clear
        case .firmware(let ability): ability.level
        }
    }
}

public struct Wipe {
    public let device: BlockDevice
    public let request: WipeRequest
    public let method: WipeMethod
    let journal: Journal
    /// For tests: what speaks for the firmware of a drive of some kind.
    let replay: (kind: BlockDevice.Kind, channel: any FirmwareChannel)?

    /// - Parameter state: where an interrupted wipe is remembered.
    /// - Throws: `WipeError` where the device is none, is in use or read-only, or does not reach the level.
    public init(_ path: BytePath, _ request: WipeRequest, state: BytePath) throws {
        try self.init(path, request, state: state, replay: nil)
    }

    package init(
        _ path: BytePath, _ request: WipeRequest, state: BytePath,
        replay: (kind: BlockDevice.Kind, channel: any FirmwareChannel)?
    ) throws {
        guard let device = BlockDevice.at(path) else { throw WipeError.notADevice(path: path) }
        self.device = device
        self.request = request
        self.replay = replay
        journal = Journal(state: state)
        try Self.refuseUse(of: device)
        do {
            method = try Self.method(for: request, of: device, journal, replay)
        } catch { throw WipeError.wrapping(error) }
    }

    /// - Throws: `WipeError.inUse`, `.readOnly`
    static func refuseUse(of device: BlockDevice) throws {
        if device.isReadOnly { throw WipeError.readOnly(device: device.name) }
        let uses = device.lastingUses()
        if !uses.isEmpty { throw WipeError.inUse(device: device.name, uses: uses.map(\.description)) }
    }

    /// The wipe of this device that was interrupted, as far as it came; with all passes written it is being read back.
    public var interrupted: (pass: Int, position: UInt64)? {
        get throws {
            guard let job = try WipeJob.read(WipeJob.file(in: journal, for: device)), job.isOf(device),
                try isThisOne(job, Descriptor.openUncached(device.path))
            else { return nil }
            return (job.pass, job.position)
        }
    }

    private var technique: FirmwareTechnique? {
        if case .firmware(let ability) = method { return ability.technique }
        return nil
    }

    /// Seconds that overwriting and reading back take, as far as reading its beginning tells; nil where it cannot be read.
    public var estimate: Double? {
        let length = Int(min(device.size, 32 << 20))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 4096)
        defer { buffer.deallocate() }
        let began = ContinuousClock.now
        guard length > 0, let open = try? Descriptor.openUncached(device.path),
            (try? open.read(into: buffer, at: 0)) == length
        else { return nil }
        let share = request.verification == .full ? 1 : 0.1
        let measured = (ContinuousClock.now - began) / .seconds(1) / Double(length)
        let seconds = max(measured, request.bytesPerSecond.map { 1 / Double($0) } ?? 0)
        return seconds * Double(device.size) * (Double(request.passes) + share)
    }

    /// Wipes it, or goes on where it was interrupted.
    public func run(_ progress: Progress) throws -> WipeReport { try run(progress, beforeVerification: {}) }

    /// For tests of the verification: something is done to the device between writing and reading back.
    package func run(_ progress: Progress, beforeVerification: () -> Void) throws -> WipeReport {
        do { return try wipe(progress, beforeVerification) } catch { throw WipeError.wrapping(error) }
    }

    private func wipe(_ progress: Progress, _ beforeVerification: () -> Void) throws -> WipeReport {
        try checkStill()
        // Held from the last look to the end: nobody mounts it meanwhile.
        let open = try hold()
        let facts = try open.blockFacts()
        guard BlockDevice.at(device.path) == device, facts.bytes == device.size else {
            throw WipeError.changed(device: device.name)
        }
        let file = WipeJob.file(in: journal, for: device)
        var job = try begin(file, open)
        if case .firmware(let ability) = method {
            return try erase(ability, open, facts.sector, &job, file, progress)
        }
        progress.expect(bytes: device.size * UInt64(request.passes) + verifiedBytes(job), items: 0)
        progress.add(bytes: device.size * UInt64(job.pass) + job.position)
        let began = ContinuousClock.now
        try write(&job, file, open, facts.sector, progress)
        beforeVerification()
        let written = ContinuousClock.now
        var report = try verify(job, open, facts.sector, progress)
        report.seconds = ((written - began) / .seconds(1), (ContinuousClock.now - written) / .seconds(1))
        if request.isDiscarded { report.notes.append(try discard(open, facts.sector, job)) }
        try finish(file)
        return report
    }

    func finish(_ file: BytePath) throws {
        try removeFile(file)
        try synchronizeFolder(file.parent)
    }

    /// Says what the device made of it: some say yes and keep everything.
    private func discard(_ open: Descriptor, _ sector: Int, _ job: WipeJob) throws -> String {
        guard open.discardAll(device.size) else { return "the device does not take a discard" }
        let pass = try pass(request.passes - 1, of: job, open, sector, Progress())
        try pass.verify([DeviceRange(start: 0, length: min(device.size, 1 << 20))])
        return pass.different.isEmpty && request.pattern != .zero
            ? "the device said yes to a discard and kept what was written; that counts for nothing"
            : "discarded afterwards, which counts for nothing"
    }

    private func hold() throws -> Descriptor {
        do throws(SystemError) {
            return try Descriptor.openExclusively(device.path)
        } catch {
            guard error.code == EBUSY else { throw error }
            throw WipeError.inUse(device: device.name, uses: ["the kernel holds it (EBUSY)"])
        }
    }

    // MARK: The job

    /// Whether what a job wrote is on this device. A serial number says so; without one, another device of the kind may have the name now, and
    /// only what nobody else can have written proves that it is the same.
    private func isThisOne(_ job: WipeJob, _ open: Descriptor) throws -> Bool {
        if !device.serial.isEmpty || job.technique != nil { return true }
        // Whatever it is of, another job is refused.
        if job.pattern != request.pattern.description { return true }
        guard case .random = request.pattern else { return false }
        // Before its first position, only a pass that is through has left something.
        let isBegun = job.stage == .writing && job.position > 0
        let number = isBegun ? job.pass : job.pass - 1
        let end = isBegun ? job.position : device.size
        let unit: UInt64 = 4096
        guard number >= 0, end >= unit else { return false }
        let pass = try pass(number, of: job, open, try open.blockFacts().sector, Progress())
        let places = Set((0..<16).map { $0 * (end / unit - 1) / 15 * unit }).sorted()
        try pass.verify(
            places.map { DeviceRange(start: $0, length: unit) }.filter { place in
                !job.bad.contains { $0.start < place.end && place.start < $0.end }
            })
        return pass.different.isEmpty
    }

    private func begin(_ file: BytePath, _ open: Descriptor) throws -> WipeJob {
        if var job = try WipeJob.read(file), job.isOf(device), !request.isRestart || job.mayHaveLeftPassword,
            try isThisOne(job, open)
        {
            // The record is the only place of that password: it is not given up for another job.
            if job.mayHaveLeftPassword, job.technique != technique {
                throw WipeError.passwordOwed(device: device.name, technique: job.technique?.rawValue ?? "")
            }
            guard job.pattern == request.pattern.description, job.passes == request.passes,
                job.verification == request.verification.rawValue, job.technique == technique
            else {
                let method = job.technique?.rawValue ?? "\(job.passes) × \(job.pattern)"
                throw WipeError.anotherJob(device: device.name, method: method)
            }
            job.interruptions += 1
            try job.write(file)
            return job
        }
        if technique?.setsPassword == true { try refuseMemory() }
        let job = WipeJob(
            name: device.name, serial: device.serial, model: device.model, size: device.size,
            pattern: request.pattern.description, passes: request.passes,
            verification: request.verification.rawValue, technique: technique, started: Timestamp.now().seconds,
            key: hexadecimal(try SecureRandom.bytes(32)))
        try job.write(file)
        return job
    }

    /// What is in memory is gone with the power, and the drive's password with it.
    private func refuseMemory() throws {
        try journal.make()
        let mount = try Mount.holding(Descriptor.open(journal.folder, .directory))
        if let mount, mount.isInMemory || mount.type == "overlay" {
            throw WipeError.recordInMemory(folder: journal.folder)
        }
    }

    // MARK: Passes

    /// What writes a pass of a job, or compares with it.
    private func pass(
        _ number: Int, of job: WipeJob, _ open: Descriptor, _ sector: Int, _ progress: Progress
    ) throws -> DevicePass {
        DevicePass(
            open, size: device.size, sector: sector,
            source: try PatternSource(request.pattern, key: job.key(ofPass: number)), progress: progress,
            bytesPerSecond: request.bytesPerSecond)
    }

    private func write(
        _ job: inout WipeJob, _ file: BytePath, _ open: Descriptor, _ sector: Int, _ progress: Progress
    ) throws {
        while job.stage == .writing {
            let pass = try pass(job.pass, of: job, open, sector, progress)
            let began = job
            try pass.write(from: job.position) { position, bad in
                var now = began
                now.position = position
                for range in bad { now.bad.add(range) }
                try now.write(file)
            }
            for range in pass.bad { job.bad.add(range) }
            job.pass += 1
            job.position = 0
            if job.pass == request.passes { job.stage = .verifying }
            try job.write(file)
        }
    }

    private func verify(
        _ job: WipeJob, _ open: Descriptor, _ sector: Int, _ progress: Progress
    ) throws -> WipeReport {
        var job = job
        let pass = try pass(request.passes - 1, of: job, open, sector, progress)
        try pass.verify(ranges(job, sector))
        for range in pass.bad { job.bad.add(range) }
        var request = request
        request.verification = verification(of: job)
        return WipeReport(
            device: device, request: request, method: method, started: Timestamp(seconds: job.started, nanoseconds: 0),
            ended: .now(), bad: job.bad, different: pass.different, verified: verifiedBytes(job),
            sampleSeed: verification(of: job) == .sample ? seed(job) : nil, interruptions: job.interruptions)
    }

    /// Nobody knows what has become of the device since an interruption: then all of it is read back, from the beginning.
    private func verification(of job: WipeJob) -> WipeRequest.Verification {
        job.interruptions > 0 ? .full : request.verification
    }

    private func verifiedBytes(_ job: WipeJob) -> UInt64 { ranges(job, 512).reduce(0) { $0 + $1.length } }

    private func seed(_ job: WipeJob) -> UInt64 {
        (decodeHexadecimal(job.key) ?? []).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// What is read back: everything, or both ends and two places in each of a thousand parts, 5 % of it each.
    private func ranges(_ job: WipeJob, _ sector: Int) -> [DeviceRange] {
        guard verification(of: job) == .sample, device.size >= 64 << 20 else {
            return [DeviceRange(start: 0, length: device.size)]
        }
        var generator = SplitMix(state: seed(job))
        let unit = UInt64(4096)
        let part = device.size / 1000 / unit * unit
        let sample = max(1, (part + 20 * unit - 1) / (20 * unit)) * unit
        var ranges = [DeviceRange(start: 0, length: unit)]
        for number in 0..<UInt64(1000) {
            // One in each half, so that they do not meet.
            for half in [UInt64(0), 1] {
                let room = (part / 2 - sample) / unit + 1
                let start = number * part + half * (part / 2 / unit * unit) + generator.next() % room * unit
                let first = max(start, ranges.last?.end ?? 0)
                if first < start + sample { ranges.append(DeviceRange(start: first, length: start + sample - first)) }
            }
        }
        let last = max(device.size - unit, ranges.last?.end ?? 0)
        if last < device.size { ranges.append(DeviceRange(start: last, length: device.size - last)) }
        return ranges
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): it only chooses places.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
