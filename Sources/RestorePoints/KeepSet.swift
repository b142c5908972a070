// What a factory reset may leave as it is.

internal import Images
internal import Platform
internal import Reporting

/// A set of files that a factory reset keeps, by the places that systems of this kind have for them.
public enum KeepSet: String, Sendable, CaseIterable {
    case identity, network, licences

    /// Below the root of the tree; a `*` at the end stands for any rest of the name.
    private var patterns: [String] {
        switch self {
        case .identity:
            ["etc/hostname", "etc/hosts", "etc/machine-id", "var/lib/dbus/machine-id", "etc/ssh/ssh_host_*"]
        case .network:
            [
                "etc/network", "etc/netplan", "etc/NetworkManager/system-connections", "etc/systemd/network",
                "etc/wpa_supplicant", "etc/resolv.conf",
            ]
        case .licences:
            ["etc/TwinCAT/3.1/Target/License", "usr/local/etc/TwinCAT/3.1/Target/License"]
        }
    }

    /// What of it there is in a tree, below its root.
    func paths(in root: Descriptor) -> [BytePath] {
        patterns.flatMap { pattern -> [BytePath] in
            let path = BytePath(pattern)
            let parent = path.parent
            guard let folder = try? root.openBeneath(parent.bytes, .directory) else { return [] }
            guard path.lastComponent.last == UInt8(ascii: "*") else {
                return (try? folder.status(of: path.lastComponent)) == nil ? [] : [path]
            }
            guard let names = try? DirectoryListing(of: folder) else { return [] }
            return (0..<names.count).map { names[$0] }.filter { $0.starts(with: path.lastComponent.dropLast()) }
                .sorted { $0.lexicographicallyPrecedes($1) }.map { parent.appending($0) }
        }
    }
}

/// Puts what is kept of one tree onto another, in place of what is there.
/// - Parameters:
///   - root: what messages call the trees.
///   - state: where it is in between.
func bringKept(
    _ paths: [BytePath], from old: Descriptor, to new: Descriptor, root: BytePath, state: BytePath, findings: Findings
) throws {
    let (folder, name) = (try Descriptor.open(state, .directory), Array("keeping".utf8))
    // What a crash left.
    try folder.removeTree(name)
    try folder.makeDirectory(name)
    let parts = TreeParts(whole: Set(paths.map(\.bytes)))
    let kept = KeptParts(in: state.appending(name))
    let missed = try kept.keep(parts, of: old, named: root, progress: Progress(), findings: findings)
    if missed > 0 { throw PointError.unreadable(root: root, findings: missed) }
    for path in paths {
        do throws(SystemError) {
            try new.openFolder(of: path).removeTree(path.lastComponent)
        } catch { if !error.isAbsent { throw error } }
    }
    let left = try kept.bring(parts, onto: new, named: root, progress: Progress(), findings: findings)
    if left > 0 { throw PointError.notKept(root: root, findings: left) }
    try folder.removeTree(name)
}
