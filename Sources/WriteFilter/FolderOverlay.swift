// The filter of a folder: an overlay over it, at once and again at each start. What is below stays reachable beside it, for
// exceptions, commits, points and backups.

internal import Machine
internal import Platform

enum FolderOverlay {
    /// Options with which an overlay never writes below, and keeps nothing that would make what is below unreadable without it.
    static let options = "xino=on,redirect_dir=off,metacopy=off,index=off"

    /// Puts the overlay there. What an interrupted attempt left is taken away first; a crash leaves nothing, as all of it is mounts.
    static func start(_ plan: FilterPlan) throws {
        let base = try FilterMounts.makeBase(of: plan.path)
        let (lower, overlay) = (base.appending("lower"), base.appending("overlay"))
        try stop(plan.path)
        let folder = try Descriptor.open(plan.path, [.directory, .noFollow])
        let status = try folder.status()
        for place in [lower, overlay] { try makeFolders(place, mode: 0o755) }
        do {
            try mountFolder(plan.path, at: lower)
            try mountFileSystem(
                "tmpfs", source: FilterMounts.source, at: overlay, options: "size=\(plan.size),mode=0755")
            let room = try Descriptor.open(overlay, .directory)
            for name in ["upper", "work"] {
                try room.makeDirectory(Array(name.utf8), mode: 0o755)
                let made = try room.open(Array(name.utf8), .directory)
                try made.setOwner(user: status.user, group: status.group)
                try made.setMode(status.mode)
            }
            for path in plan.toMake {
                let below = lower.appending(plan.path.remainder(of: path))
                if !exists(below) { try makeFolders(below, mode: 0o755) }
            }
            try cover(plan, base)
        } catch {
            try? stop(plan.path)
            throw error
        }
    }

    private static func cover(_ plan: FilterPlan, _ base: BytePath) throws {
        let overlay = base.appending("overlay")
        try mountFileSystem(
            "overlay", source: FilterMounts.source, at: plan.path,
            options: "lowerdir=\(base)/lower,upperdir=\(overlay)/upper,workdir=\(overlay)/work,\(options)")
        try FilterSession.write(["mode overlay"] + letPass(plan, base.appending("lower")), for: plan.path)
    }

    /// Mounts the exceptions; one that is missing is made read-only, so that nothing is written there that would be forgotten.
    private static func letPass(_ plan: FilterPlan, _ lower: BytePath) throws -> [String] {
        var lines: [String] = []
        for path in plan.exceptions {
            let below = lower.appending(plan.path.remainder(of: path))
            do {
                guard try Descriptor.open(below, [.place, .noFollow]).status().kind == .directory else {
                    throw FilterError.unknownException(path: path)
                }
                try mountFolder(below, at: path)
                lines.append("except \(path) yes")
            } catch {
                try makeFolders(path, mode: 0o755)
                try mountFolder(path, at: path)
                try remountReadOnly(path)
                lines += ["alarm the exception \(path) is not there: it is read-only now", "except \(path) no"]
            }
        }
        return lines
    }

    /// Takes it away, with everything that was written; what is not there is fine.
    /// - Throws: `FilterError.busy`, with everything as it was.
    static func stop(_ path: BytePath) throws {
        let base = FilterMounts.base(of: path)
        guard exists(base) else { return }
        if FilterMounts.lower(of: path) != nil { try uncover(path) }
        for place in ["overlay", "lower"] {
            let place = base.appending(place)
            while try Mount.at(place) != nil { try unmount(place) }
        }
        for name in ["session", "usage", "level"] where exists(base.appending(name)) {
            try removeFile(base.appending(name))
        }
    }

    private static func uncover(_ path: BytePath) throws {
        let users = users(of: path)
        if !users.isEmpty { throw FilterError.busy(path: path, by: users) }
        for mount in try Mount.all().reversed() where mount.point.isBelow(path) { try unmount(mount.point) }
        try unmount(path)
    }

    /// Takes the overlay away, does something below it, and puts it back with all that it held. A crash in between leaves the folder
    /// as it is on the disk, and the start of the machine goes on.
    /// - Throws: `FilterError.busy`, with nothing done.
    static func pausing(_ plan: FilterPlan, _ body: () throws -> Void) throws {
        try uncover(plan.path)
        let result = Result { try body() }
        try cover(plan, FilterMounts.base(of: plan.path))
        try result.get()
    }

    /// Programs that would go on with what is not there any more.
    static func users(of path: BytePath) -> [RunningProcess] {
        var devices: Set<UInt64> = []
        for place in [path] + ((try? Mount.all()) ?? []).map(\.point).filter({ $0.isBelow(path) }) {
            if let status = try? Descriptor.open(place, .place).status() { devices.insert(status.device) }
        }
        let all = devices.flatMap { RunningProcess.using(device: $0, below: path) }
        return Array(Set(all)).sorted { $0.id < $1.id }
    }
}
