// A medium that is mounted for one process: no path leads there, in no namespace, nobody else sees it, and the kernel takes it away when the
// process lets go of it, however that ends. Linux has had the calls since 5.12 (fsopen(2), fsmount(2), mount_setattr(2)).

internal import CLinux
internal import Glibc

/// Nothing on it is run, is a device, gives rights, or has its access times kept. It lasts as long as this, or a descriptor below its root, is
/// kept; the last one that closes waits until everything is on the medium.
public final class PrivateMount: Sendable {
    public let medium: Medium
    public let root: Descriptor
    /// Past the kernel's cache. While it is open, no other device gets its name.
    private let device: Descriptor

    /// Mounts it. For reading, nothing is written: neither to files nor to the file system's own records, unless its journal holds what is not
    /// in its place yet, without which it would lack what was written last. XFS alone writes a record to its log at each mount.
    /// - Throws: EBUSY where somebody uses it otherwise, EROFS where it cannot be written, ENODEV where the kernel does not know its file
    ///   system.
    public init(_ medium: Medium, writing: Bool) throws(SystemError) {
        let subject = medium.device.path.description
        guard let rule = Self.rules[medium.type] else {
            let known = Self.rules.keys.sorted().joined(separator: ", ")
            throw SystemError(
                ENODEV, "mount", subject,
                detail: "its file system, \(medium.type), is none of those that can be used: \(known)")
        }
        if writing && !rule.isWritable {
            throw SystemError(EROFS, "write to", subject, detail: "\(medium.type) is for reading")
        }
        if writing && medium.device.isReadOnly {
            throw SystemError(EROFS, "write to", subject, detail: "it is write-protected")
        }
        self.medium = medium
        device = try Descriptor.openUncached(medium.device.path)
        // Another one that came in its place has another number of its kind. From here on the name is this one's.
        let status = try device.status()
        guard "\(status.nodeMajor):\(status.nodeMinor)" == medium.device.number,
            BlockDevice(named: medium.device.name)?.sequence == medium.device.sequence
        else { throw SystemError(ENXIO, "mount", subject, detail: "it was taken away") }
        root = try Self.mountPatiently(medium, rule, writing: writing).open([UInt8(ascii: ".")], .directory)
    }

    /// Mounts it at an open folder, for programs that are given a path to it. Whoever has it mounted so takes that away himself.
    public static func attach(_ medium: Medium, writing: Bool, to place: Descriptor) throws(SystemError) {
        guard let rule = rules[medium.type] else {
            throw SystemError(
                ENODEV, "mount", medium.device.path.description,
                detail: "its file system, \(medium.type), is none of those that can be used")
        }
        if writing && (!rule.isWritable || medium.device.isReadOnly) {
            throw SystemError(EROFS, "write to", medium.device.path.description, detail: "it is write-protected")
        }
        try mountPatiently(medium, rule, writing: writing).attach(to: place)
    }

    /// Whether the device still answers: read past the cache, which would answer for one that was pulled.
    public var answers: Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { buffer.deallocate() }
        // A failure of any kind is no answer.
        return (try? device.read(into: buffer, at: 0)) == buffer.count
    }

    // MARK: Mounting

    private struct Rule {
        /// The kernel's name of the file system.
        var type: String
        var isWritable = true
        var options: [(key: String, value: String)] = []
    }

    private static let rules: [String: Rule] = [
        // Names are UTF-8, by a table that is in every kernel that has any, so that no module has to be found for it. Times are the same
        // wherever it is plugged in. Neither `sync` nor `flush`: whoever wants something durable syncs files and folders.
        "vfat": Rule(type: "vfat", options: [("utf8", "1"), ("iocharset", "default"), ("tz", "UTC")]),
        "exfat": Rule(type: "exfat", options: [("iocharset", "utf8")]),
        "ext2": Rule(type: "ext2"), "ext3": Rule(type: "ext3"), "ext4": Rule(type: "ext4"),
        "xfs": Rule(type: "xfs"), "btrfs": Rule(type: "btrfs"), "ntfs": Rule(type: "ntfs3"),
        "iso9660": Rule(type: "iso9660", isWritable: false), "udf": Rule(type: "udf", isWritable: false),
    ]

    /// Whoever only looks at a new medium has it for a moment.
    private static func mountPatiently(_ medium: Medium, _ rule: Rule, writing: Bool) throws(SystemError) -> Descriptor
    {
        var attempts = 0
        while true {
            do throws(SystemError) {
                return try mount(rule, medium.device.path, reading: !writing, readOnly: !writing)
            } catch { if error.code != EBUSY { throw explained(error, medium) } }
            // Somebody has it mounted for reading where this is for writing, or the other way around, or uses it in another way.
            do throws(SystemError) { return try shared(medium, rule, writing: writing) } catch {
                attempts += 1
                if error.code != EBUSY || attempts == 5 { throw error }
            }
            usleep(200_000)
        }
    }

    /// - Parameters:
    ///   - reading: the file system itself is for reading alone.
    ///   - readOnly: this mount of it is.
    private static func mount(
        _ rule: Rule, _ source: BytePath, reading: Bool, readOnly: Bool
    ) throws(SystemError) -> Descriptor {
        try Descriptor.makeMount(
            rule.type, source: source, options: rule.options + (reading ? [("ro", "")] : []),
            attributes: clinux_private_attributes | (readOnly ? clinux_read_only_attribute : 0))
    }

    /// The file system that somebody has mounted, once more.
    private static func shared(_ medium: Medium, _ rule: Rule, writing: Bool) throws(SystemError) -> Descriptor {
        let subject = medium.device.path.description
        let there = try Mount.all().filter { $0.device == medium.device.number && $0.root == "/" }
        for mount in there where !writing || !mount.isReadOnly {
            let folder = try Descriptor.open(mount.point, .directory)
            // Something else may be mounted over it.
            guard try folder.status().mount == mount.id else { continue }
            let clone = try folder.cloneMount()
            try check("mount", subject) { clinux_restrict_mount(clone.raw, writing ? 0 : 1) }
            return clone
        }
        if !writing {
            // By another process, where no path leads: what that one writes is written, and nothing by this one.
            do throws(SystemError) {
                return try mount(rule, medium.device.path, reading: false, readOnly: true)
            } catch { if error.code != EBUSY { throw explained(error, medium) } }
        }
        let use = medium.device.uses().first?.description ?? "another program reads it, or uses it otherwise"
        throw SystemError(EBUSY, "mount", subject, detail: use)
    }

    /// Numbers that mean something else here than elsewhere.
    private static func explained(_ error: SystemError, _ medium: Medium) -> SystemError {
        let detail: String? =
            switch error.code {
            case ENODEV: "the kernel cannot use its file system, \(medium.type)"
            case EUCLEAN, EINVAL: "\(error.reason); its file system, \(medium.type), may be damaged"
            default: nil
            }
        return detail.map { SystemError(error.code, error.operation, error.subject, detail: $0) } ?? error
    }
}
