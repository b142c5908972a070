// The filter of a folder: an overlay over it, at once and again at each start. What is below stays reachable beside it, for
// exceptions, commits, points and backups.
//
// All of it is mounts, made and placed by descriptors: the folder may be a user's own, who may rename and link as he likes meanwhile.
//
// What is under way is written down beside them before it begins: whoever comes after a crash goes on with it (see `WriteFilter.settle`).

internal import Glibc
internal import Machine
internal import Platform

enum FolderOverlay {
    /// Puts the overlay there. What an interrupted attempt left is taken away first.
    static func start(_ plan: FilterPlan) throws {
        try clear(plan.path)
        let base = try FilterMounts.makeBase(of: plan.path)
        do {
            let folder = try Descriptor.openWithoutLinks(plan.path, .directory)
            let lower = base.appending("lower")
            try makeFolders(lower, mode: 0o755)
            try folder.cloneMount().attach(to: Descriptor.open(lower, [.directory, .noFollow]))
            try OverlayLayer.makeMemory(plan.size, at: base.appending("overlay"), for: folder)
            let ground = try Descriptor.open(lower, .directory)
            ExceptionMounts.make(plan.toMake, of: plan.path, in: ground)
            try cover(plan, base, exceptions: plan.exceptions)
        } catch {
            // That it is under way stays written down: whoever comes next goes on, and until then it is said.
            try? clear(plan.path)
            throw error
        }
    }

    /// - Parameter exceptions: those that are let pass.
    private static func cover(_ plan: FilterPlan, _ base: BytePath, exceptions: [BytePath]) throws {
        // What is written from here on, whoever crashes, is this session's.
        try FilterSession.note(.keeping, of: plan.path, exceptions: exceptions)
        let nested = try NestedMounts(in: plan.path)
        let covering = try OverlayLayer.make(over: base.appending("lower"), in: base.appending("overlay"))
        try covering.attach(to: Descriptor.openWithoutLinks(plan.path, [.directory, .place]))
        let seen = try Descriptor.openWithoutLinks(plan.path, .directory)
        try nested.bring(to: seen)
        let ground = try Descriptor.open(base.appending("lower"), .directory)
        let passed = ExceptionMounts.letPass(exceptions, of: plan.path, from: ground, in: seen)
        try FilterSession.write([.mode(.overlay)] + passed, for: plan.path)
    }

    /// Takes it away, with everything that was written; what is not there is fine.
    /// - Throws: `FilterError.busy`, with everything as it was.
    static func stop(_ path: BytePath) throws {
        let base = FilterMounts.base(of: path)
        guard exists(base) else { return }
        try clear(path)
        try removeFile(FilterSession.file(of: path))
        for place in [base.appending("overlay"), base.appending("lower"), base] {
            // An empty one that stays is no harm.
            try? Descriptor.open(place.parent, .directory).remove(place.lastComponent, directory: true)
        }
    }

    /// Takes away all that is mounted, while it stays written down that this is under way.
    /// - Throws: `FilterError.busy`, with everything as it was.
    static func clear(_ path: BytePath) throws {
        let base = FilterMounts.base(of: path)
        try FilterSession.noting(.forgetting, of: path) {
            if FilterMounts.lower(of: path) != nil { try uncover(path) }
        }
        for place in ["overlay", "lower"] {
            let place = base.appending(place)
            while try Mount.at(place) != nil { try letGo { () throws(SystemError) in try unmount(place) } }
        }
        for name in ["usage", "level"] where exists(base.appending(name)) { try removeFile(base.appending(name)) }
    }

    /// What was on it a moment ago is let go of by the kernel in its own time, and whoever looks at all open files holds each for a moment.
    /// - Parameter path: what has to be in use by nobody meanwhile; nil: that has been seen.
    private static func letGo(of path: BytePath? = nil, _ unmount: () throws(SystemError) -> Void) throws(SystemError) {
        for attempt in 0... {
            do throws(SystemError) { return try unmount() } catch {
                if error.code != EBUSY || attempt == 40 { throw error }
                if let path, !users(of: path).isEmpty { throw error }
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
                try letGo(of: path) { () throws(SystemError) in
                    try Descriptor.openWithoutLinks(mount.point.parent, .place).unmount(mount.point.lastComponent)
                }
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

    /// Whether what is below, and what the session wrote, are there still, be the folder covered or not.
    static func isKept(_ path: BytePath) throws -> Bool {
        let base = FilterMounts.base(of: path)
        guard let memory = try Mount.at(base.appending("overlay")) else { return false }
        return try FilterMounts.isSession(memory) && Mount.at(base.appending("lower")) != nil
    }

    /// Takes the overlay away, does something below it, and puts it back with all that it held. A crash in between leaves the folder
    /// as it is on the disk, and the next command of the filter, or the start of the machine, goes on.
    /// - Throws: `FilterError.busy`, with nothing done.
    static func pausing(_ plan: FilterPlan, _ body: () throws -> Void) throws {
        // Those of this session: what was decided since is for the next one, and its content is in the overlay still.
        let exceptions = FilterSession(path: plan.path).exceptions.map(\.path)
        try FilterSession.noting(.keeping, of: plan.path, exceptions: exceptions) { try uncover(plan.path) }
        let result = Result { try body() }
        try cover(plan, FilterMounts.base(of: plan.path), exceptions: exceptions)
        try result.get()
    }

    /// What uses it, and goes on doing so: what is about to end, or looks at all files for a moment, is no reason to wait for the next start.
    static func lastingUsers(of path: BytePath) -> [TreeUse] {
        var users = users(of: path)
        for _ in 0..<10 where !users.isEmpty {
            usleep(50_000)
            users = self.users(of: path)
        }
        return users
    }

    /// - Throws: `FilterError.busy`
    static func requireUnused(_ path: BytePath) throws {
        let users = lastingUsers(of: path)
        if !users.isEmpty { throw FilterError.busy(path: path, by: users) }
    }

    /// What would go on with what is not there any more: on the overlay and in its memory, and on what is mounted in it.
    static func users(of path: BytePath) -> [TreeUse] {
        let base = FilterMounts.base(of: path)
        let memory = base.appending("overlay")
        var found: [TreeUse] = []
        func add(_ uses: [TreeUse]) {
            for use in uses where !found.contains(use) {
                // What is below is the filter's own, also where a command that was cut short left it.
                if let point = use.mountPoint, point.isBelow(base) { continue }
                found.append(use)
            }
        }
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
