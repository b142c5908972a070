// What is needed to restore a machine, beside its files: an image of it carries this, so that whoever stands before a new disk knows what was on the
// old one. It says what is to be made again; it holds no content, and nothing that is secret.

internal import FoundationEssentials
internal import Images

/// All of it is optional: what could not be asked is missing and named, and what a later version adds is passed over.
public struct MachineNeeds: Codable, Hashable, Sendable {
    public var version = 1
    public var system: System?
    public var disks: [Disk]?
    public var network: Network?
    public var units: Units?
    public var packages: Packages?
    /// What of the machine is not in the image, and why.
    public var notCovered: [Gap]?
    /// `packages could not be asked: …`
    public var notAsked: [String]?

    public init() {}

    public struct System: Codable, Hashable, Sendable {
        public var distribution: String?
        public var kernel: String?
        public var architecture: String?
        /// `EFI` or `BIOS`; nil where it is neither, as on a board with a device tree.
        public var firmware: String?
        public var hardware: String?
    }

    /// A disk, a partition, or what is made of them: a logical volume, a RAID, an opened LUKS.
    public struct Disk: Codable, Hashable, Sendable {
        /// The kernel's name, which another start may give to another disk.
        public var name: String
        public var kind: String?
        public var size: UInt64
        public var model: String?
        public var serial: String?
        /// `gpt`, `dos`.
        public var table: String?
        public var tableID: String?
        /// Of a partition: the disk that it is on, where it begins in bytes, what it is for and its id in the table.
        public var disk: String?
        public var start: UInt64?
        public var partitionType: String?
        public var partitionID: String?
        /// What it is made of, by the kernel's names.
        public var on: [String]?
        /// A file system, `swap`, `LVM2_member`, `crypto_LUKS`.
        public var content: String?
        public var contentID: String?
        public var label: String?
        public var mounts: [String]?

        init(name: String, size: UInt64) {
            self.name = name
            self.size = size
        }
    }

    public struct Network: Codable, Hashable, Sendable {
        public var interfaces: [Interface] = []
        /// `default via 10.0.0.1 dev eth0`
        public var routes: [String] = []
        /// The lines of resolv.conf that say whom to ask.
        public var resolver: [String] = []
    }

    public struct Interface: Codable, Hashable, Sendable {
        public var name: String
        public var hardwareAddress: String?
        /// `10.0.0.5/24`; none that changes by itself.
        public var addresses: [String] = []
    }

    /// Units of systemd.
    public struct Units: Codable, Hashable, Sendable {
        public var enabled: [String] = []
        public var masked: [String] = []
        /// When the image was made; nil where systemd did not run.
        public var failed: [String]?
    }

    public struct Packages: Codable, Hashable, Sendable {
        /// `dpkg`, `rpm`, `apk`.
        public var manager: String
        /// Name, version, architecture.
        public var list: [[String]]
        /// How many there are, where there are more than an image carries.
        public var count: Int?
    }

    public struct Gap: Codable, Hashable, Sendable {
        public var what: String
        public var why: String

        static let ownMount = "a mount of its own: "
        static let notMounted = "in fstab, and not mounted: "

        /// Whether it is a file system, and no part of one that somebody left out.
        var isMount: Bool { why.hasPrefix(Self.ownMount) || why.hasPrefix(Self.notMounted) }
    }
}

extension MachineNeeds {
    /// As an image carries it: the same machine gives the same bytes. What would be too long is shortened, and says so.
    func encoded() throws -> [UInt8] {
        var bytes = try plain()
        if bytes.count <= BackupRequest.maximumNeedsLength { return bytes }
        var shortened = self
        if let packages {
            shortened.packages?.count = packages.list.count
            shortened.packages?.list = []
            shortened.notAsked =
                (notAsked ?? []) + ["packages: there are \(packages.list.count), more than an image carries"]
        }
        bytes = try shortened.plain()
        if bytes.count <= BackupRequest.maximumNeedsLength { return bytes }
        var least = MachineNeeds()
        least.system = system
        least.notAsked = ["all else is more than an image carries"]
        return try least.plain()
    }

    private func plain() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    /// What an image says. It is its writer's word.
    /// - Throws: `ImageError` where that makes no sense.
    public init(decoding bytes: [UInt8], of subject: String) throws {
        do { self = try JSONDecoder().decode(MachineNeeds.self, from: Data(bytes)) } catch {
            throw ImageError.damaged(
                subject: subject, detail: "what it says is needed to restore the machine makes no sense")
        }
    }

    /// For programs: one object, without its end.
    public func json() throws -> String {
        String(decoding: try plain(), as: UTF8.self)
    }
}
