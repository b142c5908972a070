// An erase by the drive's own firmware, which is believed only as far as it can be seen: what was written before has to be gone after it,
// and a drive that says nothing, or nothing new, has not erased.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

struct FirmwareErase {
    let drive: any FirmwareDrive
    let ability: FirmwareAbility
    let channel: any FirmwareChannel
    let progress: Progress

    /// What came of it.
    struct Result {
        var failure: String?
        /// Markers that can still be read.
        var different: [DeviceRange] = []
        /// Markers whose place cannot be read.
        var bad: [DeviceRange] = []
    }

    /// So long a drive may show no progress, in seconds; some never end.
    private static let patience = 3600
    private static let markerCount: UInt64 = 16
    private static let markerLength: UInt64 = 1 << 20

    /// Erases, or goes on watching an erase that is under way.
    /// - Parameter note: makes what is known of the job durable before the drive is told anything.
    /// - Throws: where nothing has been erased and nothing will be, or the drive may still be at it.
    func run(_ open: Descriptor, size: UInt64, sector: Int, job: inout WipeJob, file: BytePath) throws -> Result {
        let markers = try DevicePass(
            open, size: size, sector: sector, source: PatternSource(.random, key: job.key(ofPass: 0)),
            progress: Progress())
        let places = Self.places(size)
        let password = Array(job.key.utf8.prefix(32))
        var isUnderWay = false
        if job.stage == .erasing {
            // What was interrupted may have left a password, or the drive still at work.
            try drive.cleanUp(password: password)
            if case .running = try drive.state(of: ability.technique) { isUnderWay = true }
        }
        if !isUnderWay {
            try markers.write(places)
            job.stage = .erasing
            try job.write(file)
            do {
                try drive.start(ability, password: password)
            } catch let failure as FirmwareFailure where !failure.leavesPassword {
                return Result(failure: failure.description)
            }
        }
        if let failure = try watch(size) { return Result(failure: failure) }
        // Where it could not be reached, or holds the marker still, it was not erased.
        try markers.findUnchanged(places)
        return Result(different: markers.different, bad: markers.bad)
    }

    /// Until it has ended; nil where the drive says that it did what it was asked for.
    private func watch(_ size: UInt64) throws -> String? {
        var (last, since, shown, unanswered) = (UInt16(0), 0, UInt64(0), 0)
        while true {
            let state: FirmwareState
            do {
                state = try drive.state(of: ability.technique)
                unanswered = 0
            } catch {
                // A drive at work may be too busy to answer for a while; it is not said to have failed for that.
                unanswered += 1
                if unanswered > 12 { throw FirmwareFailure("it does not tell how its erase goes: \(error)") }
                channel.wait(seconds: 5)
                continue
            }
            switch state {
            case .done: return nil
            case .failed(let reason): return reason
            case .idle: return "the drive knows nothing of an erase that it was asked for"
            case .running(let part):
                if progress.isStopRequested { throw WipeError.eraseGoesOn }
                let now = size / 65536 * UInt64(part)
                if now > shown {
                    progress.add(bytes: now - shown)
                    shown = now
                }
                since = part == last ? since + 5 : 0
                last = part
                guard since < max(Self.patience, 2 * (ability.seconds ?? 0)) else { throw WipeError.eraseStuck }
                channel.wait(seconds: 5)
            }
        }
    }

    static func markedBytes(_ size: UInt64) -> UInt64 { places(size).reduce(0) { $0 + $1.length } }

    /// Both ends, and places in between.
    private static func places(_ size: UInt64) -> [DeviceRange] {
        guard size > markerCount * markerLength else { return [DeviceRange(start: 0, length: size)] }
        let step = (size - markerLength) / (markerCount - 1) / 4096 * 4096
        return (0..<markerCount).map {
            DeviceRange(
                start: $0 == markerCount - 1 ? size - markerLength : $0 * step, length: markerLength)
        }
    }
}
