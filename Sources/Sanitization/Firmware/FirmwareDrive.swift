// Drives that can erase themselves: what they offer, and how far that reaches.

internal import Platform

/// How far a wipe reaches (NIST SP 800-88 Rev. 2, 3.1).
public enum WipeLevel: String, Codable, Sendable, Comparable {
    /// What the interface shows is gone.
    case clear
    /// What a laboratory could get at is gone, too.
    case purge

    public static func < (one: WipeLevel, other: WipeLevel) -> Bool { one == .clear && other == .purge }
}

/// What a drive's firmware is asked to do.
public enum FirmwareTechnique: String, Codable, Sendable, CaseIterable {
    case sanitizeBlock = "sanitize-block"
    case sanitizeCrypto = "sanitize-crypto"
    case sanitizeOverwrite = "sanitize-overwrite"
    case securityErase = "security-erase"
    case securityEraseEnhanced = "security-erase-enhanced"
    case format = "format"
    case formatCrypto = "format-crypto"

    /// Whether the drive has a password while it is at it.
    var setsPassword: Bool { self == .securityErase || self == .securityEraseEnhanced }

    var text: String {
        switch self {
        case .sanitizeBlock: "sanitize, block erase"
        case .sanitizeCrypto: "sanitize, cryptographic erase"
        case .sanitizeOverwrite: "sanitize, overwrite"
        case .securityErase: "ATA security erase unit"
        case .securityEraseEnhanced: "ATA security erase unit, enhanced"
        case .format: "NVMe format, user data erase"
        case .formatCrypto: "NVMe format, cryptographic erase"
        }
    }
}

/// Something that a drive says it can do.
public struct FirmwareAbility: Hashable, Sendable {
    public var technique: FirmwareTechnique
    public var level: WipeLevel
    /// As the drive estimates it; nil where it does not.
    public var seconds: Int?
    /// Why it cannot be used now.
    public var hindrance: String?
}

/// How far an erase is.
enum FirmwareState: Hashable {
    case idle
    /// In 65536ths.
    case running(UInt16)
    case done
    case failed(String)
}

/// Why a drive did not do what it was asked for; never a success.
struct FirmwareFailure: Error, Hashable, CustomStringConvertible {
    var description: String
    /// A password that was set is still there.
    var leavesPassword = false

    init(_ description: String, leavesPassword: Bool = false) {
        self.description = description
        self.leavesPassword = leavesPassword
    }
}

protocol FirmwareDrive {
    /// What it can do, the best first.
    /// - Throws: `FirmwareFailure` where it does not answer as a drive of its kind.
    func abilities() throws -> [FirmwareAbility]
    /// Begins; for what is no background work, returns when it has ended.
    /// - Parameter password: where one has to be set, this; it is taken away again whatever comes of it.
    func start(_ ability: FirmwareAbility, password: [UInt8]) throws
    /// How far it is.
    func state(of technique: FirmwareTechnique) throws -> FirmwareState
    /// Takes away what an interrupted erase left.
    func cleanUp(password: [UInt8]) throws
}

extension FirmwareDrive {
    func cleanUp(password: [UInt8]) throws {}
}

enum Firmware {
    /// What a device is to be spoken to as; nil where nothing is known of its firmware.
    static func drive(_ kind: BlockDevice.Kind, serial: String, _ channel: any FirmwareChannel) -> (any FirmwareDrive)?
    {
        switch kind {
        case .sata: ATADrive(channel: channel, serial: serial)
        case .nvme: NVMeDrive(channel: channel)
        case .mmc: EMMCDrive(channel: channel)
        default: nil
        }
    }

    static func number(_ bytes: [UInt8], at offset: Int, count: Int) -> Int {
        guard offset + count <= bytes.count else { return 0 }
        return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
