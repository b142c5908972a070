// What is known of a wipe that is under way, on the disk of this machine: whatever ends it, the same command goes on from there.

internal import Cryptography
internal import FoundationEssentials
internal import Machine
internal import Platform

/// A range of a device, in bytes.
public struct DeviceRange: Codable, Hashable, Sendable {
    public var start: UInt64
    public var length: UInt64
    public var end: UInt64 { start + length }

    public init(start: UInt64, length: UInt64) {
        self.start = start
        self.length = length
    }
}

extension [DeviceRange] {
    /// Neighbours become one.
    mutating func add(_ range: DeviceRange) {
        if let last, last.end == range.start {
            self[count - 1].length += range.length
        } else if !contains(where: { $0.start <= range.start && range.end <= $0.end }) {
            append(range)
        }
    }
}

/// The progress of a wipe, replaced whole and durably.
struct WipeJob: Codable {
    enum Stage: String, Codable { case writing, verifying, erasing }

    var version = 1
    /// Which device it is: a job is never continued on another one.
    var name: String
    var serial: String
    var model: String
    var size: UInt64
    var pattern: String
    var passes: Int
    var verification: String
    /// What the firmware was asked for; nil where it is overwritten.
    var technique: FirmwareTechnique?
    var started: Int64
    /// 32 random bytes, from which each pass's key comes, in hexadecimal digits. It goes with the job.
    var key: String
    var pass = 0
    var stage = Stage.writing
    /// Everything before it has been written in this pass, and is durable.
    var position: UInt64 = 0
    var bad: [DeviceRange] = []
    /// How often it was interrupted.
    var interruptions = 0

    /// The key of a pass.
    func key(ofPass pass: Int) throws -> Secret {
        try KeyDerivation.hkdf(
            secret: Secret(decodeHexadecimal(key) ?? []), salt: [], info: Array("holdfast wipe pass \(pass)".utf8),
            count: KeyStream.keyLength)
    }

    /// A device that was pulled and plugged in again may have another name: where it has a serial number, that and the partition tell which
    /// one it is.
    static func file(in journal: Journal, for device: BlockDevice) -> BytePath {
        let part = device.disk.map { device.name.dropFirst($0.count) } ?? ""
        let identity = device.serial.isEmpty ? device.name : "\(device.serial) \(part)"
        return journal.path(of: .wipe(device: Array(identity.utf8)))
    }

    static func read(_ file: BytePath) throws -> WipeJob? {
        guard exists(file) else { return nil }
        guard let job = try? JSONDecoder().decode(WipeJob.self, from: Data(readRegular(file, limit: 1 << 24))),
            job.version == 1, job.position <= job.size, (0...35).contains(job.pass), (1...35).contains(job.passes),
            job.bad.allSatisfy({ $0.start <= job.size && $0.length <= job.size })
        else { throw WipeError.damagedRecord(file: file) }
        return job
    }

    func write(_ file: BytePath) throws {
        try makeFolders(file.parent, mode: 0o755)
        try replaceFile(file, Array(try JSONEncoder().encode(self)))
    }

    /// Whether a password may be set on the drive that only this record knows.
    var mayHaveLeftPassword: Bool { stage == .erasing && technique?.setsPassword == true }

    func isOf(_ device: BlockDevice) -> Bool {
        serial == device.serial && model == device.model && size == device.size
            && (!serial.isEmpty || name == device.name)
    }
}
