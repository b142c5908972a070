// What can be measured of the medium that a store is on. Age and custody nobody can measure: those are said in the configuration.

internal import Platform
public import Stores

public struct MediumFacts: Sendable, Hashable {
    /// `usb`, `sata`, `nvme`, `scsi`, `sd`, `emmc`, `virtual`, `loop`, `network`, `s3`, `sftp`; `other` where nobody can tell.
    public var kind: String
    /// As the kernel calls it; nil on a server that is not mounted.
    public var fileSystem: String?
    /// Bytes; of the file system. Of a server that is not mounted, as it says.
    public var capacity: UInt64?
    /// Of the disks below, those that have one.
    public var serials: [String] = []

    public static let kinds = [
        "usb", "sata", "nvme", "scsi", "sd", "emmc", "virtual", "loop", "network", "s3", "sftp", "other",
    ]

    public init(kind: String) { self.kind = kind }

    /// Whether it is a server: no medium that anybody carries about.
    public var isServer: Bool { ["s3", "sftp", "network"].contains(kind) }

    /// What such a medium does not have, or nobody can see from here: no rule can be about it. A file system that is mounted is seen, a server's own
    /// is not; and objects lie in no file system at all.
    var hasNoFileSystem: Bool { kind == "s3" || kind == "sftp" }
    var hasNoCapacity: Bool { kind == "s3" }

    /// Looks at the medium that a place is on.
    /// - Parameter store: what is there, which a server is asked through.
    /// - Throws: `SystemError` or `StoreError` where it cannot be asked.
    public init(of place: StoreLocation, _ store: any ObjectStore) throws {
        switch place {
        case .s3: self.init(kind: "s3")
        case .sftp:
            self.init(kind: "sftp")
            capacity = try store.capacity()
        case .folder(let path): try self.init(ofFolder: path)
        case .medium(let location):
            let found = try Medium.all().labelled(location.label)
            guard let medium = found.first, found.count == 1 else {
                throw SystemError(2, "find", place.description, detail: "it is not there, or there are several")
            }
            self.init(kind: "other")
            fileSystem = medium.type
            capacity = medium.device.size
            take([medium.device.wholeDisk])
        }
    }

    private init(ofFolder path: BytePath) throws(SystemError) {
        let folder = try Descriptor.open(path, .directory)
        guard let mount = try Mount.holding(folder) else {
            throw SystemError(2, "look at", path.description, detail: "it is on no mount that is known")
        }
        self.init(kind: Self.servers.contains(mount.type) ? "network" : "other")
        fileSystem = mount.type
        capacity = try folder.space().total
        if kind == "network" { return }
        take(try BlockDevice.below(folder).compactMap { BlockDevice(named: $0) })
    }

    private static let servers: Set<String> = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "virtiofs"]

    /// Of all that it stands on, the disks: what is made of others has no kind of its own.
    private mutating func take(_ devices: [BlockDevice]) {
        let made: Set<BlockDevice.Kind> = [.mapper, .raid, .loop]
        let disks = devices.filter { $0.disk == nil }
        let bare = disks.filter { !made.contains($0.kind) }
        let kinds = Set((bare.isEmpty ? disks : bare).map { $0.kind.rawValue.lowercased() })
        if kinds.count == 1, let one = kinds.first { kind = one }
        serials = bare.map(\.serial).filter { !$0.isEmpty }.sorted()
    }
}
