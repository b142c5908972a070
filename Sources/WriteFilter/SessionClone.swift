// A clone of `/` on the disk, which holds the writes of a session: a snapshot of the subvolume that can be written to, or a clone of a snapshot of
// the dataset. It is made afresh at each start; what is there already is of the session before, or of a start that was cut.

internal import Machine
internal import Platform
internal import RestorePoints

struct SessionClone {
    private let mount: Mount

    /// - Parameter root: where `/` is mounted.
    /// - Returns: nil where its file system makes no clones.
    init?(of root: BytePath) throws {
        guard let mount = try Mount.holding(Descriptor.open(root, .directory)), ["btrfs", "zfs"].contains(mount.type)
        else { return nil }
        self.mount = mount
    }

    private var subvolume: [UInt8] { Array("@\(FilterMounts.session)".utf8) }
    private var clone: String { "\(ZFS.pool(of: mount.source.text))/\(FilterMounts.session)" }
    private var snapshot: String { "\(mount.source.text)@\(FilterMounts.session)" }

    /// Takes away the one of the session before; one that is not there is fine.
    func drop() throws {
        switch mount.type {
        case "btrfs":
            let top = try Descriptor.topLevel(of: mount)
            do throws(SystemError) { _ = try top.status(of: subvolume) } catch {
                if error.isAbsent { return }
                throw error
            }
            try top.destroySubvolumeTree(subvolume)
        default:
            // It may hang on the dataset that a rollback has left since. With a snapshot goes what was cloned from it, and nothing else was.
            let origin =
                try ZFS.guidIfThere(clone) == nil
                ? nil : try ZFS.run("zfs", "get", "-Hpo", "value", "origin", "\(clone)").first
            for name in Set([snapshot, origin].compactMap { $0 })
            where try name.hasSuffix("@\(FilterMounts.session)") && ZFS.guidIfThere(name) != nil {
                try ZFS.run("zfs", "destroy", "-R", "\(name)")
            }
        }
    }

    /// Where it cannot go now it takes room until the next start, and nothing else.
    static func tryToDrop(of root: BytePath) { try? SessionClone(of: root)?.drop() }

    /// Makes it and mounts it.
    func make(of root: BytePath, at place: BytePath) throws {
        switch mount.type {
        case "btrfs":
            try Descriptor.topLevel(of: mount).makeSnapshot(
                of: Descriptor.open(root, .directory), named: subvolume, readOnly: false)
            let path = "/\(String(decoding: subvolume, as: UTF8.self))"
            try Descriptor.makeMount("btrfs", source: mount.source, options: [("subvol", path)]).attach(
                to: Descriptor.open(place, [.directory, .noFollow]))
        default:
            try ZFS.run("zfs", "snapshot", "\(snapshot)")
            try ZFS.run("zfs", "clone", "-o", "canmount=noauto", "-o", "mountpoint=/", "\(snapshot)", "\(clone)")
            try mountFileSystem("zfs", source: BytePath(clone), at: place, options: "zfsutil")
        }
    }
}
