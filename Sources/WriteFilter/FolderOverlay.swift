// The filter of a folder: an overlay over it, at once and again at each start. What is below stays reachable beside it, for
// exceptions, commits, points and backups.
//
// All of it is mounts, made and placed by descriptors: the folder may be a user's own, who may rename and link as he likes meanwhile.

internal import Glibc
internal import Machine
internal import Platform

enum FolderOverlay {
    /// Options with which an overlay never writes below, and keeps nothing that would make what is below unreadable without it.
    static let options = [("xino", "on"), ("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")]
    static let optionText = options.map { "\($0.0)=\($0.1)" }.joined(separator: ",")

    /// Puts the overlay there. What an interrupted attempt left is taken away first; a crash leaves nothing, as all of it is mounts.
    static func start(_ plan: FilterPlan) throws {
        let base = try FilterMounts.makeBase(of: plan.path)
        try stop(plan.path)
        do {
            let folder = try Descriptor.openWithoutLinks(plan.path, .directory)
            let (lower, overlay) = (base.appending("lower"), base.appending("overlay"))
            for place in [lower, overlay] { try makeFolders(place, mode: 0o755) }
            let below = try folder.cloneMount()
            try below.attach(to: Descriptor.open(lower, [.directory, .noFollow]))
            let memory = try Descriptor.makeMount(
                "tmpfs", source: FilterMounts.source, options: [("size", "\(plan.size)"), ("mode", "0755")])
            try memory.attach(to: Descriptor.open(overlay, [.directory, .noFollow]))
            try makeUpper(in: memory, like: folder)
            let ground = try Descriptor.open(lower, .directory)
            for path in plan.toMake { try ground.makeFolders(plan.path.remainder(of: path)) }
            try cover(plan, base, exceptions: plan.exceptions)
        } catch {
            try? stop(plan.path)
            throw error
        }
    }

    /// The uppermost folder of an overlay is its own, and is to look like the one below.
    private static func makeUpper(in memory: Descriptor, like folder: Descriptor) throws {
        let status = try folder.status()
        for name in ["upper", "work"].map({ Array($0.utf8) }) {
            try memory.makeDirectory(name, mode: 0o755)
            let made = try memory.open(name, .directory)
            try made.setOwner(user: status.user, group: status.group)
            try made.setMode(status.mode)
        }
        let upper = try memory.open(Array("upper".utf8), .directory)
        let attributes = try folder.extendedAttributes().filter { !OverlayMarks.isOne($0.name) }
        if let problem = upper.setExtendedAttributes(attributes, fresh: true).first { throw problem }
        try upper.setModificationTime(seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds)
    }

    /// - Parameter exceptions: those that are let pass.
    private static func cover(_ plan: FilterPlan, _ base: BytePath, exceptions: [BytePath]) throws {
        let inside = try Inside(plan.path)
        let overlay = base.appending("overlay")
        let covering = try Descriptor.makeMount(
            "overlay", source: FilterMounts.source,
            options: [
                ("lowerdir", "\(base)/lower"), ("upperdir", "\(overlay)/upper"), ("workdir", "\(overlay)/work"),
            ] + options)
        try covering.attach(to: Descriptor.openWithoutLinks(plan.path, [.directory, .place]))
        let seen = try Descriptor.openWithoutLinks(plan.path, .directory)
        try inside.bring(to: seen)
        let ground = try Descriptor.open(base.appending("lower"), .directory)
        try FilterSession.write(
            ["mode overlay"] + letPass(exceptions, plan.path, from: ground, in: seen), for: plan.path)
    }

    /// Mounts the exceptions; one that is missing is made read-only, so that nothing is written there that would be forgotten.
    private static func letPass(
        _ exceptions: [BytePath], _ place: BytePath, from ground: Descriptor, in seen: Descriptor
    ) throws -> [String] {
        var lines: [String] = []
        for path in exceptions {
            let name = Array(place.remainder(of: path))
            do {
                let kept = try ground.openBeneath(name, .directory)
                try kept.cloneMount().attach(to: seen.openBeneath(name, [.directory, .place]))
                lines.append("except \(path) yes")
            } catch {
                try seen.makeFolders(name[...])
                let locked = try seen.openBeneath(name, .directory).cloneMount()
                try locked.makeMountReadOnly()
                try locked.attach(to: seen.openBeneath(name, [.directory, .place]))
                lines += ["alarm the exception \(path) is not there: it is read-only now", "except \(path) no"]
            }
        }
        return lines
    }

    /// What is mounted in a folder that is about to be covered: it comes to the same place on top, with its own writes.
    private struct Inside {
        private var mounts: [(name: [UInt8], mount: Descriptor)] = []

        init(_ path: BytePath) throws {
            let folder = try Descriptor.openWithoutLinks(path, [.directory, .place])
            var taken: [BytePath] = []
            for mount in try Mount.all() where mount.point.isBelow(path) && !taken.contains(mount.point) {
                // With the outer one comes what is mounted in it.
                if taken.contains(where: { mount.point.isBelow($0) }) { continue }
                taken.append(mount.point)
                let name = Array(path.remainder(of: mount.point))
                // One that no path leads to is seen by nobody.
                guard let root = try? folder.openBeneath(name, .place), try root.status().mount != folder.status().mount
                else { continue }
                mounts.append((name, try root.cloneMount(recursively: true)))
            }
        }

        func bring(to seen: Descriptor) throws {
            for (name, mount) in mounts { try mount.attach(to: seen.openBeneath(name, .place)) }
        }
    }

    /// Takes it away, with everything that was written; what is not there is fine.
    /// - Throws: `FilterError.busy`, with everything as it was.
    static func stop(_ path: BytePath) throws {
        let base = FilterMounts.base(of: path)
        guard exists(base) else { return }
        if FilterMounts.lower(of: path) != nil { try uncover(path) }
        for place in ["overlay", "lower"] {
            let place = base.appending(place)
            while try Mount.at(place) != nil { try letGo(place) }
        }
        for name in ["session", "usage", "level"] where exists(base.appending(name)) {
            try removeFile(base.appending(name))
        }
    }

    /// What was on it a moment ago is let go of by the kernel in its own time.
    private static func letGo(_ place: BytePath) throws(SystemError) {
        for attempt in 0... {
            do throws(SystemError) { return try unmount(place) } catch {
                if error.code != EBUSY || attempt == 40 { throw error }
                usleep(50_000)
            }
        }
    }

    /// Takes away what covers the folder and all that is mounted on it, the innermost first. Where one is busy, what went already comes back.
    private static func uncover(_ path: BytePath) throws {
        let users = users(of: path)
        if !users.isEmpty { throw FilterError.busy(path: path, by: users) }
        let all = try Mount.all()
        guard let cover = all.last(where: { $0.point == path && FilterMounts.isSession($0) }) else { return }
        // Those on it, then those on these, whatever their order in the list.
        var inside: [Mount] = []
        var level: Set<UInt64> = [cover.id]
        while !level.isEmpty {
            let next = all.filter { level.contains($0.parent) && $0.id != $0.parent }
            inside += next
            level = Set(next.map(\.id))
        }
        var taken: [(mount: Mount, clone: Descriptor)] = []
        do {
            for mount in inside.reversed() + [cover] {
                // Its own descriptor would hold it.
                let clone = try Descriptor.openWithoutLinks(mount.point, .place).cloneMount()
                try Descriptor.openWithoutLinks(mount.point.parent, .place).unmount(mount.point.lastComponent)
                taken.append((mount, clone))
            }
        } catch {
            for (mount, clone) in taken.reversed() {
                try clone.attach(to: Descriptor.openWithoutLinks(mount.point, .place))
            }
            guard error.code == EBUSY else { throw error }
            throw FilterError.busy(path: path, by: Self.users(of: path))
        }
    }

    /// Takes the overlay away, does something below it, and puts it back with all that it held. A crash in between leaves the folder
    /// as it is on the disk, and the start of the machine goes on.
    /// - Throws: `FilterError.busy`, with nothing done.
    static func pausing(_ plan: FilterPlan, _ body: () throws -> Void) throws {
        // Those of this session: what was decided since is for the next one, and its content is in the overlay still.
        let exceptions = FilterSession(path: plan.path).exceptions.map(\.path)
        try uncover(plan.path)
        let result = Result { try body() }
        try cover(plan, FilterMounts.base(of: plan.path), exceptions: exceptions)
        try result.get()
    }

    /// What would go on with what is not there any more: on the overlay and in its memory, and on what is mounted in it.
    static func users(of path: BytePath) -> [TreeUse] {
        let memory = FilterMounts.base(of: path).appending("overlay")
        var found: [TreeUse] = []
        func add(_ uses: [TreeUse]) { for use in uses where !found.contains(use) { found.append(use) } }
        for place in [path, memory] {
            guard let folder = try? Descriptor.open(place, .directory), let mount = try? Mount.holding(folder) else {
                continue
            }
            add((try? TreeUse.all(of: folder, at: place, isWhole: FilterMounts.isSession(mount))) ?? [])
        }
        // What is mounted in it stays as it is, but for its place.
        for mount in (try? Mount.all()) ?? [] where mount.point.isBelow(path) {
            guard let status = try? Descriptor.open(mount.point, .place).status() else { continue }
            add(TreeUse.programs(on: status.device, below: mount.point))
        }
        return found
    }
}
