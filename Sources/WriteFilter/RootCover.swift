// The filter of `/`: put over it by the start of the machine, before anything uses it.
//
// All of it is built beside, where no path of the system leads, and takes the place of `/` in one step at the end: whatever fails before leaves
// the machine as it is. What is protected stays reachable, as with the filter of a folder.

internal import Boot
internal import Machine
internal import Platform
internal import Reporting

struct RootCover {
    let plan: FilterPlan
    /// Where `/` is mounted.
    let root: BytePath
    /// Where the state is now, and once the machine runs.
    let state: (now: BytePath, path: BytePath)
    private let base = FilterMounts.base(of: "/")

    init(_ plan: FilterPlan, over root: BytePath, state: (now: BytePath, path: BytePath)) {
        self.plan = plan
        self.root = root
        self.state = state
    }

    /// - Returns: what was done, as the session has it.
    func put() throws -> [SessionLine] {
        do { return try build() } catch {
            // What was built goes with what is mounted in it; the machine is as it was.
            for name in ["new", "small", "overlay", "lower"] { unmountTrees(at: base.appending(name)) }
            SessionClone.tryToDrop(of: root)
            throw error
        }
    }

    private func build() throws -> [SessionLine] {
        let (lower, new) = (base.appending("lower"), base.appending("new"))
        for place in [lower, new] { try makeFolders(place, mode: 0o755) }
        let nested = try NestedMounts(in: root)
        try Descriptor.open(root, .directory).cloneMount().attach(to: Descriptor.open(lower, [.directory, .noFollow]))
        let ground = try Descriptor.open(lower, .directory)
        ExceptionMounts.make(plan.toMake, of: "/", in: ground)
        try layer(over: lower, at: new)
        let seen = try Descriptor.open(new, .directory)
        try nested.bring(to: seen)
        let place = try seen.makeFolders(BytePath("/").remainder(of: state.path))
        try Descriptor.open(state.now, .directory).cloneMount().attach(to: place)
        var lines: [SessionLine] = [.mode(.overlay)]
        lines += ExceptionMounts.letPass(plan.exceptions, of: "/", from: ground, in: seen)
        // What only makes a session pleasanter is no reason to run without the filter.
        let passed = lines
        lines += missing("the order in which exceptions are unmounted") { try makeUnits(passed) }
        for small in plan.small {
            var isMade = false
            lines += missing("the room of its own of \(small.path)") { isMade = try make(small, lower, seen) }
            if isMade { lines.append(.small(small.path)) }
        }
        lines += missing("what hides / in /etc/fstab") { try hideRoot(in: seen, ground: ground) }
        try takePlace(from: new)
        return lines
    }

    private func missing(_ what: String, _ body: () throws -> Void) -> [SessionLine] {
        do { try body() } catch { return [.alarm("\(what) is missing: \(explained(error).sentence)")] }
        return []
    }

    private func layer(over lower: BytePath, at place: BytePath) throws {
        switch plan.overlay {
        case .memory:
            guard try OverlayLayer.isKnown() else { throw FilterError.noOverlay }
            let memory = base.appending("overlay")
            try OverlayLayer.makeMemory(plan.size, at: memory, for: Descriptor.open(lower, .directory))
            try OverlayLayer.make(over: lower, in: memory).attach(to: Descriptor.open(place, [.directory, .noFollow]))
        case .disk:
            guard let clone = try SessionClone(of: root) else {
                throw FilterError.badPlace(
                    path: "/", reason: "its file system makes no clones",
                    mend: "`holdfast filter enable --overlay memory`")
            }
            try clone.drop()
            try clone.make(of: root, at: place)
        }
    }

    /// The last step. The program itself may run from what goes aside; that is gone once the program ends.
    private func takePlace(from new: BytePath) throws {
        let aside = base.appending("aside")
        try makeFolders(aside, mode: 0o755)
        try Descriptor.open(root, [.directory, .place]).attach(to: Descriptor.open(aside, [.directory, .noFollow]))
        do {
            // A crash between the two is mended by whoever started this program.
            try Descriptor.open(new, [.directory, .place]).attach(to: Descriptor.open(root, .directory))
        } catch {
            try Descriptor.open(aside, [.directory, .place]).attach(to: Descriptor.open(root, .directory))
            throw error
        }
        try unmountTree(aside)
    }

    /// A folder with some room of its own.
    /// - Returns: false where the disk has no such folder.
    private func make(_ small: FilterPlan.Small, _ lower: BytePath, _ seen: Descriptor) throws -> Bool {
        let name = Array(BytePath("/").remainder(of: small.path))
        let ground = try Descriptor.open(lower, .directory)
        guard let folder = try? ground.openBeneath(name, .directory) else { return false }
        let memory = base.appending("small").appending(FilterMounts.name(of: small.path))
        try OverlayLayer.makeMemory(small.size, at: memory, for: folder)
        try OverlayLayer.make(over: lower.appending(name), in: memory).attach(to: seen.openBeneath(name, .place))
        return true
    }

    /// Logs are written to the end: an exception goes with the last of the mounts, not before. A drop-in would not be read, as there is no unit that
    /// it belongs to.
    private func makeUnits(_ lines: [SessionLine]) throws {
        let folder: BytePath = "/run/systemd/system"
        try makeFolders(folder, mode: 0o755)
        for case .exception(let path, true) in lines where path.isPlainInScripts {
            let unit = """
                [Unit]
                DefaultDependencies=no
                [Mount]
                What=\(base)/lower\(path)
                Where=\(path)
                Type=none
                Options=bind

                """
            try replaceFile(folder.appending(FilterPlan.unit(of: path)), Array(unit.utf8), mode: 0o644)
        }
    }

    /// `/` is not to be mounted again by what the table of file systems says of the disk.
    private func hideRoot(in seen: Descriptor, ground: Descriptor) throws {
        let name = Array("etc/fstab".utf8)
        guard let place = try? ground.openBeneath(name, [.place, .noFollow]), try place.status().kind == .file else {
            return
        }
        let table = try ground.openBeneath(name, .noFollow)
        let file = base.appending("fstab")
        try replaceFile(
            file, FileSystemTable.hiding("/", in: readWhole(table, limit: 1 << 20, named: "/etc/fstab")), mode: 0o644)
        try Descriptor.open(file, .place).cloneMount().attach(to: seen.openBeneath(name, .place))
    }

    /// All mounts at a place or below it.
    private func unmountTrees(at place: BytePath) {
        for mount in ((try? Mount.all()) ?? []).reversed() where mount.point == place || mount.point.isBelow(place) {
            try? unmountTree(mount.point)
        }
    }
}
