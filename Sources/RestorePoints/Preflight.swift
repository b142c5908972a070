// What would make a point or a rollback untrue, or stop it half-way, whatever the backend: found before anything is touched.

internal import Glibc
internal import Machine
internal import Platform

extension Preflight {
    /// What every change of a tree wants: room, and the right to write.
    static func common(_ root: BytePath) throws -> [Preflight] {
        let folder = try Descriptor.open(root, .directory)
        var findings: [Preflight] = []
        if let mount = try Mount.holding(folder), mount.isReadOnly {
            findings.append(
                Preflight(
                    "read-only", "\(root) is mounted read-only", mend: "`mount -o remount,rw \(mount.point)`",
                    isRefusal: true))
        }
        let space = try folder.space()
        // The last hundredth is what a full machine needs to be mended.
        if space.free < space.total / 100, space.free < 256 << 20 {
            findings.append(
                Preflight(
                    "low-space",
                    "the file system of \(root) is full: \(space.free >> 20) MiB of \(space.total >> 20) are free",
                    mend:
                        "`holdfast status --space` shows what each point would free, and `holdfast destroy` frees it; `du -x \(root)` shows the rest",
                    isRefusal: true))
        }
        return findings
    }

    /// What a write filter forgets at the next boot belongs to no point.
    static func filtered(_ root: BytePath) -> Preflight {
        Preflight(
            "filter-active",
            "a write filter covers \(root): the point holds what is protected and the exceptions, and nothing that was only written since the start",
            mend: "`holdfast filter commit --all` first keeps that, too", isRefusal: false)
    }

    /// What lies below an active filter is not changed under it; `/` is switched at the start, before the filter.
    static func filterInTheWay(_ root: BytePath, _ place: BytePath) throws -> [Preflight] {
        if root == "/" { return [] }
        var filtered = root == place ? [] : [root]
        for mount in try Mount.all()
        where FilterMounts.isSession(mount) && mount.point.isBelow(root) && FilterMounts.lower(of: mount.point) != nil {
            filtered.append(mount.point)
        }
        // A command that was cut short has left one uncovered, and what the session wrote beside it.
        filtered += try Mount.all().compactMap(FilterMounts.place(ofGround:)).filter { $0 == root || $0.isBelow(root) }
        return Array(Set(filtered)).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map { filtered in
            Preflight(
                "filtered", "a write filter covers \(filtered), and what is below it cannot be changed now",
                mend:
                    "`holdfast filter commit --all --path \(filtered)` keeps what it would forget; `holdfast filter disable --path \(filtered)` first, `enable` afterwards",
                isRefusal: true)
        }
    }

    /// What would go on in the state that is left.
    /// - Parameter isWhole: the tree is all of a file system, or a subvolume.
    static func busy(_ root: BytePath, at place: BytePath, isWhole: Bool) throws -> [Preflight] {
        let users = try TreeUse.all(of: Descriptor.open(place, .directory), at: place, isWhole: isWhole)
        if users.isEmpty { return [] }
        return [
            Preflight(
                "busy", "it is in use in \(root): " + users.prefix(5).map(\.description).joined(separator: ", "),
                mend: "stop that first; a shell that stands in it leaves with `cd /`", isRefusal: true)
        ]
    }

    /// What is mounted in a tree that is exchanged whole: it would stay in the state that is left, where nobody sees it.
    /// - Parameter isCovered: what is told otherwise.
    static func mountedInside(
        _ root: BytePath, at place: BytePath, isCovered: (Mount) -> Bool = { _ in false }
    ) throws -> [Preflight] {
        try TreeUse.mounts(in: Descriptor.open(place, .directory), at: place)
            .filter { !FilterMounts.isSession($0) && !isCovered($0) }
            .map { mount in
                Preflight(
                    "mounted-inside",
                    "\(mount.source) is mounted at \(mount.point), and would go out of sight with \(root)",
                    mend: "`umount \(mount.point)` first, and mount it again afterwards", isRefusal: true)
            }
    }

    /// Swap files in a tree: a snapshot of them cannot be made, or an image of them is worth nothing.
    static func swapFiles(in root: BytePath) throws -> [BytePath] {
        try TreeUse.swapFiles().filter { $0.isBelow(root) }
    }

    /// A package manager at work: a state in the middle of an upgrade is none to go back to.
    static func packages(in root: BytePath, isRefusal: Bool) -> [Preflight] {
        for name in ["var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock"] {
            guard let file = try? Descriptor.open(root.appending(name), .readWrite), file.isLockedByRecord else {
                continue
            }
            return [
                Preflight(
                    "packages-in-progress", "packages are being installed in \(root)",
                    mend: "wait until that has ended",
                    isRefusal: isRefusal)
            ]
        }
        return []
    }
}
