// What a factory reset may leave as it is.

internal import Platform

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

/// Copies what is kept from one tree into another, in place of what is there.
func copyKept(_ paths: [BytePath], from old: BytePath, to new: BytePath) throws {
    for path in paths {
        let (source, target) = (old.appending(path.bytes), new.appending(path.bytes))
        try makeFolders(target.parent, mode: 0o755)
        for words: [ProgramWord] in [
            ["rm", "-rf", "--", ProgramWord(target)], ["cp", "-a", "--", ProgramWord(source), ProgramWord(target)],
        ] {
            let result = try runProgram(words)
            if result.status != 0 {
                throw PointError.program(words.map(\.shown), status: result.status, complaint: result.complaint)
            }
        }
    }
}
