// Where the state of a protected `/` is: outside of what a rollback exchanges, and mounted where everybody looks for it.

internal import Images
internal import Machine
internal import Platform
internal import Reporting

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
        try carry(place, to: top.open(subvolume, .directory), named: state)
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

    /// What is in the folder already, as keys of stores and the log, comes along: it would be rolled back with `/`, and what is mounted over it
    /// would hide it. It goes from the old place once it is durable in the new one.
    private static func carry(_ old: Descriptor, to new: Descriptor, named state: BytePath) throws {
        let names = try DirectoryListing(of: old)
        if names.count == 0 { return }
        let parts = TreeParts(whole: Set((0..<names.count).map { names[$0] }))
        try makeFolders(Places.runtime)
        let runtime = try Descriptor.open(Places.runtime, .directory)
        try runtime.setMode(0o700)
        let name = Array("carried".utf8)
        try runtime.removeTree(name)
        try runtime.makeDirectory(name)
        let (kept, findings) = (KeptParts(in: Places.runtime.appending(name)), Findings())
        let missed =
            try kept.keep(parts, of: old, named: state, progress: Progress(), findings: findings)
            + kept.bring(parts, onto: new, named: state, progress: Progress(), findings: findings)
        if missed > 0 { throw PointError.unreadable(root: state, findings: missed) }
        try new.synchronizeFileSystem()
        for index in 0..<names.count { try old.removeTree(names[index], liftsProtection: true) }
        try runtime.removeTree(name)
    }

    /// A dataset beside the boot environments, which ZFS mounts by itself.
    private static func makeDataset(_ state: BytePath) throws {
        let place = try Descriptor.open(state, .directory)
        let root = try Descriptor.open("/", .directory)
        guard try place.status().device == root.status().device else { return }
        guard let mount = try Mount.holding(root), mount.type == "zfs" else { return }
        let dataset = "\(ZFS.pool(of: mount.source.text))/holdfast-state"
        if try ZFS.guidIfThere(dataset) == nil {
            // It gets its place once what is there has come along: a folder that is not empty is no place for it.
            try ZFS.run("zfs", "create", "-u", "-o", "canmount=noauto", "-o", "mountpoint=\(state)", "\(dataset)")
        }
        let there = Places.runtime.appending("new-state")
        try makeFolders(there)
        try mountFileSystem("zfs", source: BytePath(dataset), at: there, options: "zfsutil")
        // One without it is what an interrupted set-up left.
        if Places.isSetUp(there) {
            try unmount(there)
            throw PointError.noBackend(
                root: "/",
                reason:
                    "the pool holds the state of another system in \(dataset); mount that at \(state), or destroy it")
        }
        let carried = Result { try carry(place, to: Descriptor.open(there, .directory), named: state) }
        try unmount(there)
        try carried.get()
        try ZFS.run("zfs", "set", "canmount=on", "\(dataset)")
        if try Mount.at(state) == nil { try ZFS.run("zfs", "mount", "\(dataset)") }
    }

    /// The configuration goes where the state is, and /etc/holdfast leads there.
    static func moveConfiguration(to state: BytePath) throws {
        let folder = Places.standardConfiguration
        let new = Places.movedConfiguration(in: state)
        let above = try Descriptor.open(folder.parent, .directory)
        let there: FileKind?
        do throws(SystemError) { there = try above.status(of: folder.lastComponent).kind } catch {
            guard error.isAbsent else { throw error }
            there = nil
        }
        if there == .symbolicLink { return }
        try makeFolders(new, mode: 0o755)
        if there != nil {
            // What the state has already is what holds: a package that was purged and installed again brings a folder of its own.
            let result = try runProgram([
                "cp", "-a", "-n", "--", ProgramWord(folder.appending(".")), ProgramWord(new),
            ])
            if result.status != 0 { throw PointError.library("cannot copy \(folder): \(result.complaint)") }
            // The old one stays until the link has its name.
            let old = BytePath(folder.bytes + Array(".before-setup".utf8))
            if exists(old) {
                try above.removeTree(folder.lastComponent)
            } else {
                try renameFile(folder, to: old)
            }
        }
        try replaceLink(folder, to: new)
    }
}
