// What a btrfs has to be like for points and rollbacks of a subvolume: what they leave out, and what would make a rollback untrue or stop it half-way.

internal import Machine
internal import Platform
internal import Reporting

extension BtrfsBackend {
    /// Where container engines keep subvolumes of their own, with databases beside them that a rollback would take back.
    private static let containers: [BytePath] = ["var/lib/docker", "var/lib/containers", "var/lib/machines"]

    func coverage() throws -> [Preflight] {
        let nested = try liveSubvolume().nestedSubvolumes()
        let engines = Self.containers.filter { engine in nested.contains { $0.isBelow(engine) } }
        let others = nested.filter { path in !engines.contains { path.isBelow($0) } }
        var findings: [Preflight] = []
        if !others.isEmpty {
            findings.append(
                Preflight(
                    "nested-subvolumes",
                    "subvolumes in \(root) are not covered by its points and stay as they are: "
                        + others.map(\.description).joined(separator: ", "),
                    mend: "`holdfast setup --root` each that is to have points of its own", isRefusal: false))
        }
        for engine in engines {
            findings.append(
                Preflight(
                    "container-subvolumes",
                    "the containers in \(engine) stay as they are, and what their engine knows of them goes back with \(root)",
                    mend: "make \(engine) a subvolume of its own, mounted there", isRefusal: false))
        }
        return findings
    }

    /// The kernel makes no snapshot of a subvolume with an active swap file, and one that is left with it can neither be a point nor let it go.
    func preflightCreate() throws -> [Preflight] {
        let swap = try Preflight.swapFiles(in: root)
        return try swap.filter {
            try Descriptor.open($0, .place).status().device == Descriptor.open(place, .place).status().device
        }
        .map { file in
            Preflight(
                "swap-file", "\(file) is in use as swap, and nothing with an active swap file can be a point",
                mend: "`swapoff \(file)`, and put it into a subvolume of its own", isRefusal: true)
        }
    }

    func preflightRollback(to handle: String) throws -> [Preflight] {
        var findings = try coverage() + preflightCreate()
        let subvolume = try liveSubvolume()
        let info = try subvolume.subvolumeInfo()
        let mounts = try mountsOfLive()
        for mount in mounts where mountsByNumber(mount) {
            findings.append(
                Preflight(
                    "mounted-by-number",
                    "\(mount.point) is mounted by subvolume number in /etc/fstab, so the next boot would mount the old state",
                    mend: "replace subvolid=\(info.id) by subvol=/\(live) there", isRefusal: true))
        }
        if try top.defaultSubvolume() == info.id {
            findings.append(
                Preflight(
                    "default-subvolume",
                    "\(live) is the file system's default subvolume, which is known by its number: the next mount would show the "
                        + "old state",
                    mend: "mount it with subvol=/\(live) and `btrfs subvolume set-default 5` its file system",
                    isRefusal: true))
        }
        let all = try Mount.all()
        let point = try points().open(Array(handle.utf8), .directory)
        for nested in try subvolume.nestedSubvolumes() {
            if let obstacle = try Self.obstacle(to: nested, in: point) {
                findings.append(
                    Preflight(
                        "nested-place",
                        "the subvolume \(nested) in \(root) has no place in the point, where \(obstacle) is no folder",
                        mend: "move it elsewhere", isRefusal: true))
            }
            if let mount = all.first(where: {
                $0.device == self.mount.device
                    && $0.root == BytePath([UInt8(ascii: "/")] + live.appending(nested.bytes).bytes)
            }) {
                findings.append(
                    Preflight(
                        "nested-mounted",
                        "the subvolume \(nested) in \(root) is mounted at \(mount.point) and cannot be moved",
                        mend: "`umount \(mount.point)`", isRefusal: true))
            }
        }
        if mounts.isEmpty {
            // No mount of its own: programs that work in it would go on in the state that is left.
            findings += try Preflight.busy(root, at: place, isWhole: true)
            findings += try Preflight.mountedInside(root, at: place)
        }
        return findings
    }

    /// What on the way to a nested subvolume is no folder in a point; nil where it can be put there.
    private static func obstacle(to nested: BytePath, in point: Descriptor) throws -> BytePath? {
        var folder = point
        var way = BytePath([])
        for name in nested.components.dropLast().map(Array.init) {
            way = way.bytes.isEmpty ? BytePath(name) : way.appending(name)
            do throws(SystemError) {
                guard try folder.status(of: name).kind == .directory else { return way }
                folder = try folder.open(name, .directory)
            } catch {
                // What is not there is made.
                if error.isAbsent { return nil }
                throw error
            }
        }
        return nil
    }

    func mountsOfLive() throws -> [Mount] {
        let path = BytePath([UInt8(ascii: "/")] + live.bytes)
        return try Mount.all().filter { $0.type == "btrfs" && $0.device == mount.device && $0.root == path }
    }

    /// Whether the table of file systems names the subvolume by its number, which an exchange of names does not change.
    private func mountsByNumber(_ mount: Mount) -> Bool {
        FileSystemTable.read().contains { entry in
            entry.point == mount.point && entry.options.contains { $0.hasPrefix("subvolid=") }
        }
    }
}
