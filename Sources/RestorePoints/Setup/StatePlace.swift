// Where the state of a protected `/` is: outside of what a rollback exchanges, and mounted where everybody looks for it.

internal import Machine
internal import Platform

enum StatePlace {
    private static let subvolume = Array("@holdfast-state".utf8)

    /// Gives the state of `/` a place of its own, and the configuration with it. What is there already is left as it is.
    static func make(_ state: BytePath, kind: BackendKind) throws {
        try makeFolders(state, mode: 0o755)
        switch kind {
        case .btrfs: try makeSubvolume(state)
        case .zfs: try makeDataset(state)
        case .tree: break
        }
        try moveConfiguration(to: state)
    }

    /// A subvolume beside the protected one, mounted by /etc/fstab.
    private static func makeSubvolume(_ state: BytePath) throws {
        let place = try Descriptor.open(state, .directory)
        let root = try Descriptor.open("/", .directory)
        guard try place.status().device == root.status().device else { return }
        guard try DirectoryListing(of: place).count == 0 else {
            throw PointError.noBackend(
                root: "/", reason: "\(state) is not empty, and would be rolled back with it; give another with --state")
        }
        guard let mount = try Mount.holding(root) else {
            throw PointError.noBackend(root: "/", reason: "it is on no mount that can be seen")
        }
        let top = try Descriptor.topLevel(of: mount)
        if let there = try? top.open(subvolume, .directory) {
            if (try? there.status(of: Array("protected.json".utf8))) != nil {
                throw PointError.noBackend(
                    root: "/",
                    reason:
                        "the file system holds the state of another system in @holdfast-state; mount that at \(state), or remove it"
                )
            }
        } else {
            try top.makeSubvolume(subvolume)
            try top.open(subvolume, .directory).setMode(0o755)
        }
        let options = "subvol=/@holdfast-state"
        let table = FileSystemTable.read()
        if !table.contains(where: { $0.point == state }) {
            let device = table.first { $0.point == "/" }?.device ?? mount.source
            try FileSystemTable.append(
                FileSystemTable.Entry(device: device, point: state, options: [options, "nofail"]), type: "btrfs",
                remark: "made by `holdfast setup`: what it knows, outside of what a rollback exchanges")
        }
        try mountFileSystem("btrfs", source: mount.source, at: state, options: options)
    }

    /// A dataset beside the boot environments, which ZFS mounts by itself.
    private static func makeDataset(_ state: BytePath) throws {
        let place = try Descriptor.open(state, .directory)
        let root = try Descriptor.open("/", .directory)
        guard try place.status().device == root.status().device else { return }
        guard let mount = try Mount.holding(root), mount.type == "zfs" else { return }
        let dataset = "\(ZFS.pool(of: mount.source.text))/holdfast-state"
        if ZFS.guidIfThere(dataset) != nil {
            throw PointError.noBackend(
                root: "/",
                reason:
                    "the pool holds the state of another system in \(dataset); mount that at \(state), or destroy it")
        }
        try ZFS.run("zfs", "create", "-o", "mountpoint=\(state)", "\(dataset)")
    }

    /// The configuration goes where the state is, and /etc/holdfast leads there.
    private static func moveConfiguration(to state: BytePath) throws {
        let folder = Places.standardConfiguration
        let new = Places.movedConfiguration(in: state)
        guard !exists(new) else { return }
        if exists(folder) {
            let result = try runProgram(["cp", "-a", "--", ProgramWord(folder), ProgramWord(new)])
            if result.status != 0 { throw PointError.library("cannot copy \(folder): \(result.complaint)") }
            // The old one stays until the link has its name.
            try renameFile(folder, to: BytePath(folder.bytes + Array(".before-setup".utf8)))
        } else {
            try makeFolders(new, mode: 0o755)
        }
        try replaceLink(folder, to: new)
    }
}
