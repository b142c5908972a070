// Restore points of a plain tree, on any file system: images in a store of their own, beside the state.
//
// A switch is decided by the journal: once it says `committing`, the tree is brought into the target's state, again and again
// if need be, until it is. Only what differs is touched. `/` is switched at boot, before anything uses it.

internal import Boot
internal import Images
internal import Machine
internal import Platform
internal import Reporting

final class TreeBackend: Backend {
    var kind: BackendKind { .tree }
    private let root: BytePath
    /// Where the tree is read: below a write filter, where one covers it.
    private let place: BytePath
    private let isAtRest: Bool
    private let state: BytePath
    private let store: LocalStore
    private let open: () throws -> Descriptor

    /// - Parameters:
    ///   - isAtRest: nothing of the machine that it belongs to runs.
    ///   - open: opens the tree, or throws where what has its name is another one.
    init(
        root: BytePath, place: BytePath, isAtRest: Bool, state: BytePath, progress: Progress, findings: Findings,
        open: @escaping () throws -> Descriptor
    ) {
        self.open = open
        self.isAtRest = isAtRest
        self.root = root
        self.place = place
        self.state = state
        store = LocalStore(
            root: root, area: state, own: [state], progress: progress, findings: findings, openingRoot: open)
    }

    // MARK: Points

    func create(_ id: String) throws -> (handle: String, findings: UInt64) { try store.create(id) }

    func destroy(_ handle: String) throws { try store.destroy(handle) }

    func discard(_ id: String) throws { try store.discard(id) }

    func stray(of left: [String]) throws -> FoundPoint? { try store.image(named: left) }

    func tidy() throws { try store.tidy() }

    func forget() throws { try store.forget() }

    func checkBeforeSetUp() throws { try store.checkKey() }

    func listing(of handle: String?) throws -> any TreeListing {
        if let handle { return try store.listing(of: handle) }
        return try FolderListing(open(), isThorough: true, own: [state])
    }

    func snapshot(of handle: String?) throws -> Snapshot? { nil }

    func space(of handles: [String]) throws -> [String: UInt64] { try store.space(of: handles) }

    // MARK: Preflight

    func coverage() throws -> [Preflight] { try atBoot(isRefusal: false) }

    private func atBoot(isRefusal: Bool) throws -> [Preflight] {
        guard appliesAtBoot, let obstacle = try Self.obstacleAtBoot(state: state, isRefusal: isRefusal) else {
            return []
        }
        return [obstacle]
    }

    /// What stands in the way of switching `/` at the start of the machine.
    static func obstacleAtBoot(state: BytePath, isRefusal: Bool) throws -> Preflight? {
        guard let obstacle = try Initramfs.obstacle(state: state) else { return nil }
        return Preflight(
            "no-initramfs", "nothing would bring / back at the next boot: \(obstacle)", mend: obstacle.mend,
            isRefusal: isRefusal)
    }

    func preflightCreate() throws -> [Preflight] {
        try Preflight.swapFiles(in: root).map { file in
            Preflight(
                "swap-file", "\(file) is in use as swap, and its content is kept with the point, for nothing",
                mend: "put it on a partition of its own", isRefusal: false)
        }
    }

    func preflightRollback(to handle: String) throws -> [Preflight] {
        if appliesAtBoot { return try atBoot(isRefusal: true) }
        let mount = try Mount.holding(Descriptor.open(place, .directory))
        return try Preflight.busy(root, at: place, isWhole: mount?.point == place && mount?.root == "/")
    }

    // MARK: The switch

    /// Nothing uses the `/` of a machine at rest.
    var appliesAtBoot: Bool { root == "/" && !isAtRest }

    var isSwitchedInOneStep: Bool { false }

    func check(target: String) throws { try store.check(target, known: nil) }

    func prepare(target: String, before id: String, keeping kept: [BytePath]) throws -> Switch {
        var change = Switch(before: id, target: target)
        let (handle, missed) = try create(id)
        // What could not be read could not come back either.
        if missed > 0 { throw PointError.unreadable(root: root, findings: missed) }
        change.facts["before"] = handle
        change.lists["kept"] = kept.map { hexadecimal($0.bytes) }
        try store.check(target, known: handle)
        // The way back has to be one, too.
        try store.check(handle, known: target)
        return change
    }

    /// The tree itself does not say how far it is; whatever has been done is done again.
    func commit(_ change: Switch) throws -> SwitchResult {
        // What an interrupted attempt has changed is no longer as the state of before says; so nothing is known then.
        let known = change.facts["attempted"] == nil ? change.facts["before"] : nil
        var findings = try store.restore(change.target, known: known)
        let kept = (change.lists["kept"] ?? []).compactMap(decodeHexadecimal)
        if !kept.isEmpty, let before = change.facts["before"] {
            findings += try store.restore(before, known: nil, parts: TreeParts(whole: Set(kept)))
        }
        return SwitchResult(findings: findings)
    }

    func isEffective(_ change: Switch) throws -> Bool { true }

    func finish(_ change: Switch) throws -> String { change.facts["before"] ?? "" }

    /// The tree may be on its way already: it comes back before what it was goes.
    func abandon(_ change: Switch) throws {
        guard let handle = change.facts["before"] else { return }
        if try store.restore(handle, known: nil) > 0 { throw PointError.library("\(root) could not be brought back") }
        try destroy(handle)
    }
}
