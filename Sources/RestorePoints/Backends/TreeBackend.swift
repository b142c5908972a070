// Restore points of a plain tree, on any file system: images in a store of their own, beside the state. The store's identity
// lies with it, readable by root: it guards integrity, not secrecy.
//
// A switch is decided by the journal: once it says `committing`, the tree is brought into the target's state, again and again
// if need be, until it is. Only what differs is touched.

internal import Cryptography
internal import Glibc
internal import Images
internal import Platform

final class TreeBackend: Backend {
    let kind = BackendKind.tree
    private let root: BytePath
    private let state: BytePath
    private let progress: Progress
    private let findings: Findings

    private var storeFolder: BytePath { state.appending("store") }
    private var identityFile: BytePath { state.appending("identity.txt") }
    private var machine: MachineState {
        MachineState(state: state.appending("machine"), cache: state.appending("cache"))
    }
    private var own: [BytePath] { [state] }

    init(root: BytePath, state: BytePath, progress: Progress, findings: Findings) {
        self.root = root
        self.state = state
        self.progress = progress
        self.findings = findings
    }

    private func credentials() throws -> Credentials {
        Credentials(identities: try AgeIdentity.identities(inFile: try readWhole(identityFile, limit: 1 << 12)))
    }

    /// The store; made with its identity the first time.
    private func store() throws -> Store {
        if !exists(identityFile) {
            let identity = try AgeIdentity.generate()
            try replaceFile(identityFile, identity.encoded().withUnsafeBytes { Array($0) })
        }
        let credentials = try credentials()
        if !Store.exists(storeFolder) {
            return try Store.create(
                storeFolder, recipients: credentials.identities.map { .age($0.recipient) }, group: nil, machine: machine
            )
        }
        return try Store.open(storeFolder, for: .read, credentials: credentials, machine: machine)
    }

    private func writableStore() throws -> Store {
        _ = try store()
        return try Store.open(storeFolder, for: .write, credentials: credentials(), machine: machine)
    }

    // MARK: Points

    func create(_ id: String) throws -> (handle: String, findings: UInt64) {
        var request = BackupRequest(sources: [root], name: id)
        request.own = own
        let before = findings.count
        let report = try writableStore().backup(request, machine: machine, progress: progress, findings: findings)
        return (report.id.description, findings.count - before)
    }

    func destroy(_ handle: String) throws { try store().remove(image: handle) }

    func clear(keeping handles: Set<String>, isThorough: Bool) throws {
        guard isThorough, Store.exists(storeFolder) else { return }
        try store().removeImages(except: handles)
    }

    func listing(of handle: String?) throws -> any TreeListing {
        if let handle { return try store().listing(of: handle) }
        return try FolderListing(Descriptor.open(root, .directory), isThorough: true, own: own)
    }

    func snapshot(of handle: String?) throws -> Snapshot? { nil }

    // MARK: Preflight

    func coverage() throws -> [Preflight] { [] }

    func preflightRollback() throws -> [Preflight] {
        if root == "/" {
            return [
                Preflight(
                    "running-root", "the running system on a plain tree cannot be rolled back while it runs",
                    mend: "use btrfs or ZFS for /, or restore from a rescue system", isRefusal: true)
            ]
        }
        guard let device = try? Descriptor.open(root, .directory).status().device else { return [] }
        let users = RunningProcess.using(device: device, below: root)
        return users.isEmpty
            ? []
            : [
                Preflight(
                    "busy", "programs work in \(root): " + users.prefix(5).map(\.description).joined(separator: ", "),
                    mend: "stop them first", isRefusal: true)
            ]
    }

    // MARK: The switch

    func prepare(target: String, before id: String) throws -> Switch {
        var change = Switch(before: id, target: target)
        let (handle, missed) = try create(id)
        // What could not be read could not come back either.
        if missed > 0 { throw PointError.unreadable(root: root, findings: missed) }
        change.facts["before"] = handle
        // A drill of what is going to be written: nothing half-way because of damage that could have been seen before.
        var drill = RestoreRequest(target: root)
        drill.isDryRun = true
        drill.otherHardware = true
        let store = try store()
        drill.known = try store.knownEntries(of: handle)
        let before = findings.count
        _ = try restore(store.imageReader(target), drill, progress: Progress(), findings: findings)
        if findings.count > before { throw PointError.damagedPoint(findings: findings.count - before) }
        return change
    }

    /// The tree itself does not say; whatever has been done is done again.
    func isCommitted(_ change: Switch) throws -> Bool? { nil }

    func commit(_ change: Switch) throws -> SwitchResult {
        let store = try store()
        var request = RestoreRequest(target: root)
        request.isExact = true
        request.devices = true
        request.otherHardware = true
        request.own = own
        let before = findings.count
        // What an interrupted attempt has changed is no longer as the state of before says; so nothing is known then.
        if change.facts["attempted"] == nil, let handle = change.facts["before"] {
            request.known = try store.knownEntries(of: handle)
        }
        _ = try restore(
            store.imageReader(change.target), request, progress: progress, findings: findings)
        return SwitchResult(findings: findings.count - before)
    }

    func isEffective(_ change: Switch) throws -> Bool { true }

    func finish(_ change: Switch) throws -> String { change.facts["before"] ?? "" }

    func abandon(_ change: Switch) throws {
        if let handle = change.facts["before"] { try destroy(handle) }
    }
}
