// Having the firmware of a drive erase it: which way is taken, and what is made of its answer.

internal import Cryptography
internal import Glibc
internal import Machine
public import Platform
internal import Reporting

extension Wipe {
    /// What the firmware of a device says it can do, the best first; empty where there is none that Holdfast can speak to.
    public static func abilities(of device: BlockDevice) -> [FirmwareAbility] {
        guard device.disk == nil, let open = try? Descriptor.open(device.path, .nonBlocking),
            let drive = drive(of: device, open, nil)?.drive
        else { return [] }
        return (try? drive.abilities()) ?? []
    }

    /// What speaks for the firmware of an open device; nil where Holdfast knows nothing to say to it.
    private static func drive(
        of device: BlockDevice, _ open: Descriptor, _ replay: (kind: BlockDevice.Kind, channel: any FirmwareChannel)?
    ) -> (drive: any FirmwareDrive, channel: any FirmwareChannel)? {
        let channel = replay?.channel ?? DeviceChannel(device: open)
        return Firmware.drive(replay?.kind ?? device.kind, serial: device.serial, channel).map { ($0, channel) }
    }

    /// - Throws: `WipeError.levelNotSupported`, before anything has happened.
    static func method(
        for request: WipeRequest, of device: BlockDevice, _ journal: Journal,
        _ replay: (kind: BlockDevice.Kind, channel: any FirmwareChannel)?
    ) throws -> WipeMethod {
        func refuse(_ reason: String) -> WipeError {
            .levelNotSupported(device: device.name, level: request.level.rawValue, reason: reason)
        }
        var wanted: FirmwareTechnique?
        switch request.technique {
        case .overwrite where request.level == .purge: throw refuse("overwriting reaches no further than clear")
        case .overwrite: return .overwrite
        case nil where request.level == .clear: return .overwrite
        case .firmware(let technique): wanted = technique
        case nil: break
        }
        guard device.disk == nil else {
            throw refuse("it is a part of \(device.disk ?? "a disk"), and firmware erases the whole")
        }
        let open = try Descriptor.open(device.path, .nonBlocking)
        guard let drive = drive(of: device, open, replay)?.drive else {
            throw refuse("\(device.kind.rawValue) devices offer no erase of their own that Holdfast can ask for")
        }
        let abilities = try drive.abilities()
        let reaching = abilities.filter { $0.level >= request.level && (wanted == nil || wanted == $0.technique) }
        // What hinders may be what an interrupted erase of ours left.
        let job = try WipeJob.read(WipeJob.file(in: journal, for: device))
        if let job, job.isOf(device), job.stage == .erasing,
            let own = reaching.first(where: { $0.technique == job.technique })
        {
            return .firmware(own)
        }
        if let free = reaching.first(where: { $0.hindrance == nil }) { return .firmware(free) }
        if let hindrance = reaching.first?.hindrance { throw refuse(hindrance) }
        let offered = abilities.map { "\($0.technique.rawValue) (\($0.level.rawValue))" }.joined(separator: ", ")
        throw refuse("its firmware offers " + (offered.isEmpty ? "no erase" : offered))
    }

    /// - Throws: where nothing was erased and something has to be mended, or the drive is still at it.
    func erase(
        _ ability: FirmwareAbility, _ open: Descriptor, _ sector: Int, _ job: inout WipeJob, _ file: BytePath,
        _ progress: Progress
    ) throws -> WipeReport {
        guard let (drive, channel) = Self.drive(of: device, open, replay) else {
            throw WipeError.changed(device: device.name)
        }
        progress.expect(bytes: device.size, items: 0)
        let erase = FirmwareErase(drive: drive, ability: ability, channel: channel, progress: progress)
        let result: FirmwareErase.Result
        do {
            result = try erase.run(open, size: device.size, sector: sector, job: &job, file: file)
        } catch let failure as FirmwareFailure {
            let place = failure.leavesPassword ? "; the password is the first half of `key` in \(file)" : ""
            throw WipeError.firmware(device: device.name, reason: failure.description + place)
        }
        try finish(file)
        return WipeReport(
            device: device, request: request, method: method,
            started: Timestamp(seconds: job.started, nanoseconds: 0), ended: .now(), bad: result.bad,
            different: result.different, verified: result.failure == nil ? FirmwareErase.markedBytes(device.size) : 0,
            interruptions: job.interruptions, failure: result.failure,
            notes: device.kind == .mmc
                ? ["the boot areas and partitions of their own that a card may have are not part of it"] : [])
    }
}
