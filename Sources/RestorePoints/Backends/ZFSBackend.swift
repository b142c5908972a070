// Restore points as snapshots of a ZFS dataset, known by their GUIDs. Nothing is ever rolled back in place: a rollback clones the
// point and switches to the clone, so that newer points and the state that is left stay where they are.
//
// A boot environment, which is `/` where the boot follows the pool's `bootfs`, is switched by that one property. Any other dataset
// changes its name with the clone, which the journal carries over a crash.
//
//     <container>/<base>-<id>       a clone that is, or was, the live one
//     <dataset>@holdfast-<point>    a point, in whichever dataset was live when it was made

internal import Glibc
internal import Images
internal import Machine
internal import Platform
internal import Reporting

final class ZFSBackend: Backend {
    var kind: BackendKind { .zfs }
    let facts: [String: String]
    let root: BytePath
    /// Where the tree is read: below a write filter, where one covers it.
    let place: BytePath
    private let tree: String
    private let state: BytePath
    private let findings: Findings
    /// Below which all clones and points are.
    let container: String
    /// How the datasets that take turns are called at the beginning.
    private let base: String
    var isEnvironment: Bool { root == "/" }

    private static let prefix = "holdfast-"
    private static let viewPrefix = "holdfast-view-"

    /// - Parameter facts: what an earlier run found out; empty at set-up.
    init(root: BytePath, place: BytePath, tree: String, facts: [String: String], state: BytePath, findings: Findings)
        throws
    {
        self.root = root
        self.place = place
        self.tree = tree
        self.state = state
        self.findings = findings
        if let container = facts["container"], let base = facts["base"] {
            (self.container, self.base, self.facts) = (container, base, facts)
            return
        }
        let mount = try Mount.holding(Descriptor.open(place, .directory))
        guard let mount, mount.type == "zfs", mount.point == place else {
            throw PointError.noBackend(root: root, reason: "no ZFS dataset is mounted there")
        }
        let dataset = mount.source.text
        guard let container = ZFS.parent(of: dataset) else {
            throw PointError.noBackend(
                root: root, reason: "it is the top dataset of its pool, which cannot be exchanged for another")
        }
        let base = String(dataset.dropFirst(container.count + 1))
        (self.container, self.base) = (container, base)
        self.facts = ["container": container, "base": base]
        try ZFS.run("zfs", "set", "\(ZFS.treeProperty)=\(tree)", "\(dataset)")
    }

    // MARK: Places

    /// The dataset that is live now.
    func live() throws -> String {
        guard isEnvironment else { return "\(container)/\(base)" }
        guard let mount = try Mount.holding(Descriptor.open(place, .directory)), mount.type == "zfs" else {
            throw PointError.noBackend(root: root, reason: "it is not on ZFS any more")
        }
        return mount.source.text
    }

    /// Every snapshot that is a point of this tree, or was made to be one.
    private func points() throws -> [ZFSObject] {
        try ZFS.list("snapshot", below: container).filter {
            $0.tree == tree && Self.isOurs(snapshot: $0.snapshot ?? "")
        }
    }

    /// The property alone does not tell: snapshots that others make of our datasets inherit it.
    private static func isOurs(snapshot name: String) -> Bool {
        if name.hasPrefix(viewPrefix) { return Int32(name.dropFirst(viewPrefix.count)) != nil }
        return name.hasPrefix(prefix) && name.utf8.count == prefix.utf8.count + 16
            && decodeHexadecimal(name.dropFirst(prefix.count)) != nil
    }

    private func snapshot(_ guid: String) throws -> String {
        guard let found = try points().first(where: { $0.guid == guid }) else {
            throw PointError.lostPoint(handle: "the snapshot with GUID \(guid)")
        }
        return found.name
    }

    private func makeSnapshot(of dataset: String, named name: String) throws -> String {
        let full = "\(dataset)@\(name)"
        try ZFS.run("zfs", "snapshot", "-o", "\(ZFS.treeProperty)=\(tree)", "\(full)")
        return full
    }

    // MARK: Points

    func create(_ id: String) throws -> (handle: String, findings: UInt64) {
        (try ZFS.guid(of: makeSnapshot(of: live(), named: Self.prefix + id)), 0)
    }

    func destroy(_ handle: String) throws {
        guard let point = try points().first(where: { $0.guid == handle }) else { return }
        // One on which the live dataset hangs, or that another program holds, goes when they do.
        try ZFS.run("zfs", "destroy", "-d", "\(point.name)")
    }

    /// The dataset that was live, where its name was changed already, or the snapshot that was made of it.
    func stray(of left: [String]) throws -> FoundPoint? {
        for id in left {
            if !isEnvironment {
                let dataset = leftName(before: id)
                if try ZFS.guidIfThere(dataset) != nil, try ZFS.guidIfThere("\(dataset)@\(Self.prefix)\(id)") == nil {
                    _ = try makeSnapshot(of: dataset, named: Self.prefix + id)
                }
            }
            if let point = try points().first(where: { $0.snapshot == Self.prefix + id }) {
                return FoundPoint(id: id, handle: point.guid, time: point.time, number: point.made)
            }
        }
        return nil
    }

    func discard(_ id: String) throws {
        for point in try points() where point.snapshot == Self.prefix + id {
            try ZFS.run("zfs", "destroy", "-d", "\(point.name)")
        }
        let clone = "\(container)/\(base)-\(id.prefix(8))"
        if try ZFS.guidIfThere(clone) != nil { try ZFS.run("zfs", "destroy", "\(clone)") }
    }

    func found() throws -> [String: [FoundPoint]] {
        var result: [String: [FoundPoint]] = [:]
        for snapshot in try ZFS.list("snapshot", below: container) {
            guard let name = snapshot.snapshot, name.hasPrefix(Self.prefix), !snapshot.isLeaving,
                let id = RestorePoint.identifier(Array(name.utf8.dropFirst(Self.prefix.utf8.count))),
                let tree = RestorePoint.identifier(Array(snapshot.tree.utf8))
            else { continue }
            result[tree, default: []].append(
                FoundPoint(id: id, handle: snapshot.guid, time: snapshot.time, number: snapshot.made))
        }
        return result
    }

    func tidy() throws {
        for point in try points() where Snapshot.isLeft(view: point.snapshot ?? "", prefix: Self.viewPrefix) {
            try ZFS.run("zfs", "destroy", "-d", "\(point.name)")
        }
        try clearDatasets()
    }

    /// Datasets that were live once and hold no point any more. Where the live one hangs on one of them, the two change roles
    /// first, and what is older than that goes along.
    private func clearDatasets() throws {
        let live = try live()
        let next = isEnvironment ? try bootDataset() : live
        let idle = try ZFS.list("filesystem", below: container).filter {
            $0.tree == tree && $0.name != live && $0.name != next && isOurs($0.name)
        }
        for dataset in idle {
            // Each one that goes may change what the others hang on.
            let snapshots = try ZFS.list("snapshot", below: container)
            let origin = try ZFS.list("filesystem", below: container).first { $0.name == live }?.origin
            let hook = snapshots.first { $0.name == origin && $0.dataset == dataset.name }
            let held = snapshots.filter { $0.dataset == dataset.name && !$0.isLeaving && $0.made > hook?.made ?? 0 }
            if !held.isEmpty { continue }
            if hook != nil { try ZFS.run("zfs", "promote", "\(live)") }
            // One that still holds something, or is held, stays until the next time.
            _ = try? ZFS.run("zfs", "destroy", "\(dataset.name)")
        }
    }

    private func isOurs(_ dataset: String) -> Bool {
        dataset == "\(container)/\(base)" || dataset.hasPrefix("\(container)/\(base)-")
    }

    func listing(of handle: String?) throws -> any TreeListing {
        guard let handle else {
            return try FolderListing(Descriptor.open(place, .directory), isThorough: true, own: [state])
        }
        return try FolderListing(open(snapshot(handle)), isThorough: true)
    }

    func snapshot(of handle: String?) throws -> Snapshot? {
        if let handle { return Snapshot(try open(snapshot(handle))) }
        let name = "\(try live())@\(Self.viewPrefix)\(getpid())"
        _ = try? ZFS.run("zfs", "destroy", "\(name)")
        _ = try makeSnapshot(of: live(), named: "\(Self.viewPrefix)\(getpid())")
        return Snapshot(try open(name)) { _ = try? ZFS.run("zfs", "destroy", "-d", "\(name)") }
    }

    private func open(_ snapshot: String) throws -> Descriptor {
        try Descriptor.mountDetached("zfs", source: BytePath(snapshot))
    }

    func space(of handles: [String]) throws -> [String: UInt64] {
        let lines = try ZFS.run("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", "guid,used", "\(container)")
        let used = lines.map { $0.split(separator: "\t") }.filter { $0.count == 2 }
        let all = Dictionary(used.map { (String($0[0]), UInt64($0[1]) ?? 0) }, uniquingKeysWith: { first, _ in first })
        return all.filter { handles.contains($0.key) }
    }

    func bootDataset() throws -> String {
        try ZFS.run("zpool", "get", "-Hpo", "value", "bootfs", "\(ZFS.pool(of: container))").first ?? "-"
    }

    // MARK: The switch

    func prepare(target: String, before id: String, keeping kept: [BytePath]) throws -> Switch {
        var change = Switch(before: id, target: target)
        let live = try live()
        let new = "\(container)/\(base)-\(id.prefix(8))"
        // One that nobody knows is what a crash left before its journal was written.
        if try ZFS.guidIfThere(new) != nil { try ZFS.run("zfs", "destroy", "\(new)") }
        var words: [ProgramWord] = ["zfs", "clone", "-o", "canmount=noauto", "-o", "\(ZFS.treeProperty)=\(tree)"]
        for property in try ZFS.ownProperties(of: live)
        where !["canmount", ZFS.treeProperty, "reservation", "refreservation"].contains(property.name) {
            words += ["-o", "\(property.name)=\(property.value)"]
        }
        change.facts["canmount"] = try ZFS.run("zfs", "get", "-Hpo", "value", "canmount", "\(live)").first
        try ZFS.run(words + ["\(snapshot(target))", "\(new)"])
        if !kept.isEmpty { try keep(kept, in: new) }
        change.facts["new"] = new
        change.facts["newGuid"] = try ZFS.guid(of: new)
        change.facts["old"] = live
        change.facts["oldGuid"] = try ZFS.guid(of: live)
        return change
    }

    /// A dataset that is to be written to is mounted where nobody else looks, for as long as that takes.
    private func keep(_ kept: [BytePath], in dataset: String) throws {
        let folder = Places.runtime.appending("clone-\(getpid())")
        try makeFolders(folder)
        try mountFileSystem("zfs", source: BytePath(dataset), at: folder, options: "zfsutil")
        defer {
            _ = try? runProgram(["umount", ProgramWord(folder)])
            _ = try? runProgram(["rmdir", ProgramWord(folder)])
        }
        try bringKept(
            kept, from: Descriptor.open(place, .directory), to: Descriptor.open(folder, .directory), root: root,
            state: state, findings: findings)
    }

    private func fact(_ name: String, of change: Switch) throws -> String {
        guard let value = change.facts[name] else {
            throw PointError.damagedState(file: root, reason: "the journal does not say \(name)")
        }
        return value
    }

    /// Where the state that is left has gone: the dataset itself for a boot environment, another name for others.
    private func leftName(_ change: Switch) throws -> String {
        isEnvironment ? try fact("old", of: change) : leftName(before: change.before)
    }

    private func leftName(before id: String) -> String { "\(container)/\(base)-left-\(id.prefix(8))" }

    /// Whether the next boot goes to the new environment.
    private func isNext(_ change: Switch) throws -> Bool { try bootDataset() == fact("new", of: change) }

    func commit(_ change: Switch) throws -> SwitchResult {
        let new = try fact("new", of: change)
        if isEnvironment {
            // One property of the pool, in one transaction group.
            if try !isNext(change) {
                try ZFS.run("zpool", "set", "bootfs=\(new)", "\(ZFS.pool(of: container))")
            }
            return SwitchResult()
        }
        let live = "\(container)/\(base)"
        // Two names change one after the other. A crash between leaves none of that name mounted; the next run goes on.
        if try ZFS.guidIfThere(live) == (fact("oldGuid", of: change)) {
            // So that no boot between mounts the one that is left.
            try ZFS.run("zfs", "set", "canmount=noauto", "\(live)")
            try unmount(live)
            try ZFS.run("zfs", "rename", "\(live)", "\(leftName(change))")
        }
        if try ZFS.guidIfThere(live) == nil { try ZFS.run("zfs", "rename", "\(new)", "\(live)") }
        try mount(live, change)
        return SwitchResult()
    }

    /// Has what is live mounted now and at each start, as it was.
    private func mount(_ live: String, _ change: Switch) throws {
        try ZFS.run("zfs", "set", "canmount=\(change.facts["canmount"] ?? "on")", "\(live)")
        if try !isMounted(live) { try ZFS.run("zfs", "mount", "\(live)") }
    }

    private func isMounted(_ dataset: String) throws -> Bool {
        try Mount.all().contains { $0.type == "zfs" && $0.source == BytePath(dataset) }
    }

    private func unmount(_ dataset: String) throws {
        guard try isMounted(dataset) else { return }
        do {
            try ZFS.run("zfs", "unmount", "\(dataset)")
        } catch {
            // It stays as it is until then.
            _ = try? ZFS.run("zfs", "set", "canmount=on", "\(dataset)")
            throw error
        }
    }

    func isCommitted(_ change: Switch) throws -> Bool {
        try isEnvironment
            ? isNext(change) : ZFS.guidIfThere("\(container)/\(base)") == fact("newGuid", of: change)
    }

    func isEffective(_ change: Switch) throws -> Bool { try !isEnvironment || live() == fact("new", of: change) }

    func finish(_ change: Switch) throws -> String {
        let left = try leftName(change)
        let name = "\(left)@\(Self.prefix)\(change.before)"
        if try ZFS.guidIfThere(name) == nil { _ = try makeSnapshot(of: left, named: Self.prefix + change.before) }
        if isEnvironment { try ZFS.run("zfs", "set", "canmount=noauto", "\(left)") }
        return try ZFS.guid(of: name)
    }

    func abandon(_ change: Switch) throws {
        if isEnvironment, try isNext(change) {
            try ZFS.run("zpool", "set", "bootfs=\(fact("old", of: change))", "\(ZFS.pool(of: container))")
        }
        let new = try fact("new", of: change)
        if !isEnvironment { try takeBackNames(change) }
        if try ZFS.guidIfThere(new) == (fact("newGuid", of: change)) { try ZFS.run("zfs", "destroy", "\(new)") }
    }

    /// The dataset that was live gets its name again, from wherever between the two renames a failure came.
    private func takeBackNames(_ change: Switch) throws {
        let (live, new, left) = ("\(container)/\(base)", try fact("new", of: change), try leftName(change))
        if try isCommitted(change) {
            try unmount(live)
            try ZFS.run("zfs", "rename", "\(live)", "\(new)")
        }
        guard try ZFS.guidIfThere(live) == nil, try ZFS.guidIfThere(left) == (fact("oldGuid", of: change)) else {
            return
        }
        try ZFS.run("zfs", "rename", "\(left)", "\(live)")
        try mount(live, change)
    }
}
