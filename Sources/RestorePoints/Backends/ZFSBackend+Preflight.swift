// What a pool has to be like for points and rollbacks of a dataset: what they leave out, and what would make a rollback untrue or stop it half-way.

internal import Machine
internal import Platform
internal import Reporting

extension ZFSBackend {
    func coverage() throws -> [Preflight] {
        let live = try live()
        let nested = try ZFS.list("filesystem", below: live).map(\.name).filter { $0 != live }
        return nested.isEmpty
            ? []
            : [
                Preflight(
                    "nested-datasets",
                    "datasets below \(live) are not covered by its points and stay as they are: "
                        + nested.joined(separator: ", "),
                    mend: "`holdfast setup --root` each that is to have points of its own", isRefusal: false)
            ]
    }

    func preflightRollback(to handle: String) throws -> [Preflight] {
        var findings = try coverage()
        if isEnvironment {
            findings += try preflightBoot()
        } else {
            if !findings.isEmpty {
                findings[0].isRefusal = true
                findings[0].mend = "move them to another place with `zfs rename`; a clone cannot take them along"
            }
            findings += try preflightUse()
        }
        return findings
    }

    /// Whether the boot follows `bootfs`, or goes its own way.
    private func preflightBoot() throws -> [Preflight] {
        let line = String(decoding: try readWhole("/proc/cmdline", limit: 1 << 16), as: UTF8.self)
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        let root = words.last { $0.lowercased().hasPrefix("root=") }?.dropFirst(5) ?? "?"
        if !["zfs", "zfs:auto", "zfs=auto"].contains(root.lowercased()) {
            return [
                Preflight(
                    "bootfs-not-followed",
                    "the boot goes by root=\(root) and not by the pool's bootfs, so it would start the old state again",
                    mend: "boot with root=zfs:AUTO, in GRUB's menu entry", isRefusal: true)
            ]
        }
        let next = try bootDataset()
        if next != (try live()) {
            return [
                Preflight(
                    "bootfs-elsewhere", "the pool's bootfs is \(next), and \(try live()) runs",
                    mend: "restart, or `zpool set bootfs=\(try live()) \("\(ZFS.pool(of: container))")`",
                    isRefusal: true)
            ]
        }
        return []
    }

    private func preflightUse() throws -> [Preflight] {
        let inner = try live() + "/"
        return try Preflight.busy(root, at: place, isWhole: true)
            + Preflight.mountedInside(root, at: place) { $0.type == "zfs" && "\($0.source)".hasPrefix(inner) }
    }
}
