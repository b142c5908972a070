// Restore points as read-only snapshots of a btrfs subvolume. A rollback makes a writable snapshot beside them and exchanges its
// name with the live one's in one rename; the subvolume that was live becomes the point `before-rollback`.
//
// Everything is reached from the top level of the file system, which is mounted where no path leads: what the machine has
// mounted, and where, does not matter, and nothing has to be unmounted afterwards.
//
// On the file system:
//     <live>                        the protected subvolume
//     @holdfast/<tree>/<point>      a point, read-only
//     @holdfast/<tree>/incoming     the other side of an exchange, while one is under way
//     @holdfast/<tree>/view-<pid>   a snapshot that a running backup reads

internal import Glibc
internal import Images
internal import Platform
internal import Reporting

final class BtrfsBackend: Backend {
    var kind: BackendKind { .btrfs }
    /// The names are exchanged in the initramfs, and the machine starts once more.
    var returnsAtBoot: Bool { root == "/" }
    private static let container = Array("@holdfast".utf8)
    private static let incoming = Array("incoming".utf8)

    let root: BytePath
    /// Where the tree is read: below a write filter, where one covers it.
    let place: BytePath
    let state: BytePath
    private let findings: Findings
    private let tree: [UInt8]
    /// The top level of the file system.
    let top: Descriptor
    let mount: Mount
    /// Where the live subvolume hangs, below the top level.
    let live: BytePath

    /// - Parameters:
    ///   - tree: whose points these are; a file system may hold several protected trees.
    ///   - state: what a comparison leaves out.
    ///   - live: the place of the subvolume below the top level, or nil to look where `root` is.
    init(root: BytePath, place: BytePath, tree: String, live: BytePath?, state: BytePath, findings: Findings) throws {
        let folder = try Descriptor.open(place, .directory)
        guard let mount = try Mount.holding(folder) else {
            throw PointError.noBackend(root: root, reason: "it is on no mount that can be seen")
        }
        self.root = root
        self.place = place
        self.state = state
        self.findings = findings
        self.tree = Array(tree.utf8)
        self.mount = mount
        top = try .topLevel(of: mount)
        self.live = try live ?? Self.place(of: folder, below: top, root: root)
    }

    /// What a later run needs to find the subvolume again: a running root may be another one than the live one.
    var facts: [String: String] { ["live": hexadecimal(live.bytes)] }

    private static func place(of folder: Descriptor, below top: Descriptor, root: BytePath) throws -> BytePath {
        guard folder.isSubvolume else {
            throw PointError.noBackend(
                root: root, reason: "it is a folder in a btrfs subvolume, not a subvolume itself")
        }
        var info = try folder.subvolumeInfo()
        var components: [[UInt8]] = []
        while info.parent != 0 {
            components.insert(info.name, at: 0)
            let above = try top.path(ofInode: info.folder, inSubvolume: info.parent)
            components.insert(contentsOf: above.components.map(Array.init), at: 0)
            if info.parent == Descriptor.topLevelSubvolume { break }
            // The parent hangs somewhere too; its own folder is looked up by its number.
            info = try parentInfo(info.parent, below: top)
        }
        guard !components.isEmpty else {
            throw PointError.noBackend(
                root: root, reason: "it is the top level of its file system, which cannot be exchanged")
        }
        return BytePath(Array(components.joined(separator: [UInt8(ascii: "/")])))
    }

    private static func parentInfo(_ id: UInt64, below folder: Descriptor) throws -> SubvolumeInfo {
        for path in try folder.nestedSubvolumes() {
            let child = try folder.openBeneath(path.bytes, .directory)
            let info = try child.subvolumeInfo()
            if info.id == id { return info }
            if let found = try? parentInfo(id, below: child) { return found }
        }
        throw SystemError(ENOENT, "find", "the subvolume \(id)")
    }

    // MARK: Places

    func liveFolder() throws -> Descriptor { try top.openFolder(of: live) }

    func liveSubvolume() throws -> Descriptor { try liveFolder().open(live.lastComponent, .directory) }

    /// The folder with this tree's points; made where there is none.
    func points() throws -> Descriptor {
        if (try? top.status(of: Self.container)) == nil {
            try top.makeSubvolume(Self.container)
            try top.open(Self.container, .directory).setMode(0o700)
        }
        let all = try top.open(Self.container, .directory)
        if (try? all.status(of: tree)) == nil {
            try all.makeDirectory(tree)
            try all.synchronizeFileSystem()
        }
        return try all.open(tree, .directory)
    }

    /// nil where there is none; what cannot be looked at may be there.
    private func info(of name: [UInt8], in folder: Descriptor) throws(SystemError) -> SubvolumeInfo? {
        do throws(SystemError) { return try folder.open(name, .directory).subvolumeInfo() } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }

    private func uuid(of name: [UInt8], in folder: Descriptor) throws(SystemError) -> String? {
        try info(of: name, in: folder)?.uuid
    }

    // MARK: Points

    func create(_ id: String) throws -> (handle: String, findings: UInt64) {
        // The running root, where a rollback has put another one in its place, is not what would be snapshotted here.
        try points().makeSnapshot(of: liveSubvolume(), named: Array(id.utf8), readOnly: true)
        return (id, 0)
    }

    func destroy(_ handle: String) throws {
        let points = try points()
        do throws(SystemError) { _ = try points.status(of: Array(handle.utf8)) } catch {
            if error.isAbsent { return }
            throw error
        }
        try points.destroySubvolume(Array(handle.utf8))
    }

    func discard(_ id: String) throws { try destroy(id) }

    func discardPreparation(of id: String) throws {
        try destroy(id)
        try destroy(String(decoding: Self.incoming, as: UTF8.self))
    }

    /// The other side of an exchange of which there is no record: what was live before it, as far as anybody knows.
    func stray(of left: [String]) throws -> FoundPoint? {
        guard let info = try info(of: Self.incoming, in: points()) else { return nil }
        // The same one gets the same name, however often this is interrupted.
        let id = String(info.uuid.prefix(16))
        return FoundPoint(id: id, handle: id, time: info.made, number: info.id)
    }

    func keep(stray: FoundPoint) throws {
        let points = try points()
        try points.open(Self.incoming, .directory).setSubvolumeReadOnly(true)
        try points.move(Self.incoming, to: Array(stray.handle.utf8), in: points)
        try top.synchronizeFileSystem()
    }

    func found() throws -> [String: [FoundPoint]] {
        do throws(SystemError) { _ = try top.status(of: Self.container) } catch {
            if error.isAbsent { return [:] }
            throw error
        }
        let all = try top.open(Self.container, .directory)
        let trees = try DirectoryListing(of: all)
        var result: [String: [FoundPoint]] = [:]
        for index in 0..<trees.count {
            guard let id = RestorePoint.identifier(trees[index]) else { continue }
            let points = try all.open(trees[index], .directory)
            let names = try DirectoryListing(of: points)
            for number in 0..<names.count {
                guard let name = RestorePoint.identifier(names[number]) else { continue }
                let info = try points.open(names[number], .directory).subvolumeInfo()
                result[id, default: []].append(
                    FoundPoint(id: name, handle: name, time: info.made, number: info.id))
            }
        }
        return result
    }

    func tidy() throws {
        let points = try points()
        let names = try DirectoryListing(of: points)
        for index in 0..<names.count {
            let name = String(decoding: names[index], as: UTF8.self)
            if Snapshot.isLeft(view: name, prefix: Self.viewPrefix) { try points.destroySubvolume(names[index]) }
        }
    }

    func leave() throws {
        try tidy()
        let all = try top.open(Self.container, .directory)
        // What somebody else has put there keeps it.
        for (folder, name) in [(all, tree), (top, Self.container)] {
            do throws(SystemError) { try folder.remove(name, directory: true) } catch {
                guard error.code == ENOTEMPTY || error.isAbsent else { throw error }
            }
        }
    }

    private static let viewPrefix = "view-"

    func snapshot(of handle: String?) throws -> Snapshot? {
        let points = try points()
        if let handle { return Snapshot(try points.open(Array(handle.utf8), .directory)) }
        let name = Array("\(Self.viewPrefix)\(getpid())".utf8)
        if (try? points.status(of: name)) != nil { try points.destroySubvolume(name) }
        try points.makeSnapshot(of: Descriptor.open(place, .directory), named: name, readOnly: true)
        return Snapshot(try points.open(name, .directory)) { try? points.destroySubvolume(name) }
    }

    func listing(of handle: String?) throws -> any TreeListing {
        guard let handle else {
            return try FolderListing(Descriptor.open(place, .directory), isThorough: true, own: [state])
        }
        return try FolderListing(points().open(Array(handle.utf8), .directory), isThorough: true)
    }

    /// What no other subvolume shares. It takes a look at each extent.
    func space(of handles: [String]) throws -> [String: UInt64] {
        let points = try points()
        var result: [String: UInt64] = [:]
        for handle in handles {
            let folder = try points.open(Array(handle.utf8), .directory)
            let words: [ProgramWord] = [
                "btrfs", "filesystem", "du", "-s", "--raw", "/proc/\(getpid())/fd/\(folder.raw)/.",
            ]
            let answer = try runProgram(words)
            // Total, exclusive, shared, name; below a line with these words.
            let fields = answer.lines.last?.split(separator: " ") ?? []
            guard answer.status == 0, fields.count >= 3, let bytes = UInt64(fields[1]) else {
                throw PointError.program(words.map(\.shown), status: answer.status, complaint: answer.complaint)
            }
            result[handle] = bytes
        }
        return result
    }

    // MARK: The switch

    func prepare(target: String, before id: String, keeping kept: [BytePath]) throws -> Switch {
        let points = try points()
        let source = try points.open(Array(target.utf8), .directory)
        try points.makeSnapshot(of: source, named: Self.incoming, readOnly: false)
        if !kept.isEmpty {
            let incoming = try points.open(Self.incoming, .directory)
            try bringKept(
                kept, from: Descriptor.open(place, .directory), to: incoming, root: root, state: state,
                findings: findings)
            try incoming.synchronizeFileSystem()
        }
        var change = Switch(before: id, target: target)
        let subvolume = try liveSubvolume()
        change.facts["old"] = try subvolume.subvolumeInfo().uuid
        change.facts["new"] = try uuid(of: Self.incoming, in: points)
        change.facts["mounted"] = try mountsOfLive().isEmpty ? "no" : "yes"
        change.lists["nested"] = try subvolume.nestedSubvolumes().map { hexadecimal($0.bytes) }
        return change
    }

    func isCommitted(_ change: Switch) throws -> Bool {
        try uuid(of: live.lastComponent, in: liveFolder()) == change.facts["new"]
    }

    func commit(_ change: Switch) throws -> SwitchResult {
        if try !isCommitted(change) {
            try liveFolder().exchange(live.lastComponent, with: Self.incoming, in: points())
        }
        // The exchange is in a transaction of its own; a crash before this leaves the old state, after it the new one.
        try top.synchronizeFileSystem()
        return SwitchResult()
    }

    func isEffective(_ change: Switch) throws -> Bool {
        if change.facts["mounted"] != "yes" { return true }
        // Nobody has the old one mounted any more. Its name is another one by now, its number is not.
        let running = try Descriptor.open(place, .directory).subvolumeInfo().uuid
        return running != change.facts["old"]
    }

    func finish(_ change: Switch) throws -> String {
        let points = try points()
        let name = Array(change.before.utf8)
        if let old = try uuid(of: Self.incoming, in: points), old == change.facts["old"] {
            let left = try points.open(Self.incoming, .directory)
            try moveNested(change, from: left)
            try left.setSubvolumeReadOnly(true)
            try points.move(Self.incoming, to: name, in: points)
        }
        try top.synchronizeFileSystem()
        guard try uuid(of: name, in: points) == change.facts["old"] else {
            throw PointError.damagedState(file: live, reason: "the state that was left is not where it was put")
        }
        return change.before
    }

    /// Subvolumes that hung in the old state go on in the new one, where their stubs are. One that is moved already is not in
    /// the old state any more.
    private func moveNested(_ change: Switch, from old: Descriptor) throws {
        let new = try liveSubvolume()
        for text in change.lists["nested"] ?? [] {
            let path = BytePath(decodeHexadecimal(text) ?? [])
            let components = path.components.map(Array.init)
            guard let name = components.last else { continue }
            let child: Descriptor
            do throws(SystemError) { child = try old.openBeneath(path.bytes, .directory) } catch {
                if error.isAbsent { continue }
                throw error
            }
            guard child.isSubvolume else { continue }
            var (from, to) = (old, new)
            for component in components.dropLast() {
                from = try from.open(component, .directory)
                if (try? to.status(of: component)) == nil {
                    let status = try from.status()
                    try to.makeDirectory(component, mode: status.mode)
                }
                to = try to.open(component, .directory)
            }
            if let stub = try? to.status(of: name) {
                // Something else than a stub has the name now: it is kept beside.
                do throws(SystemError) {
                    try to.remove(name, directory: stub.kind == .directory)
                } catch {
                    try to.move(name, to: name + Array(".before-\(change.before)".utf8), in: to)
                }
            }
            try from.move(name, to: name, in: to)
        }
    }

    func abandon(_ change: Switch) throws {
        let points = try points()
        if try isCommitted(change) {
            try liveFolder().exchange(live.lastComponent, with: Self.incoming, in: points)
            try top.synchronizeFileSystem()
        }
        if try uuid(of: Self.incoming, in: points) == change.facts["new"] { try points.destroySubvolume(Self.incoming) }
    }
}
