// A store of images beside the state, with an identity of its own that lies with it, readable by root: it guards integrity, not
// secrecy. One command at a time uses it.

internal import Cryptography
internal import Images
internal import Platform
internal import Reporting
internal import Stores

/// Images of one folder, kept on the machine itself.
final class LocalStore {
    private let root: BytePath
    private let openRoot: () throws -> Descriptor
    /// What neither an image nor a restore touches.
    private let own: [BytePath]
    private let folder: BytePath
    private let identityFile: BytePath
    private let machine: MachineState
    private let state: StateArea
    private let progress: Progress
    private let findings: Findings
    /// Owners and permissions of what it restores to are those of its mount, and nobody misses others.
    var hasOwnersOfMount = false

    /// - Parameters:
    ///   - root: the folder of which it holds images.
    ///   - area: where store, identity and cache are; made when the first image is.
    ///   - openingRoot: opens the folder; nil: what has its path.
    ///   - state: where the table of points is; nil: in the area.
    init(
        root: BytePath, area: BytePath, own: [BytePath], progress: Progress, findings: Findings,
        openingRoot: (() throws -> Descriptor)? = nil, state: BytePath? = nil
    ) {
        self.state = StateArea(folder: state ?? area)
        self.root = root
        openRoot = openingRoot ?? { try Descriptor.open(root, .directory) }
        self.own = own
        self.progress = progress
        self.findings = findings
        folder = area.appending("store")
        identityFile = area.appending("identity.txt")
        machine = MachineState(state: area.appending("machine"), cache: area.appending("cache"))
    }

    private func open(for purpose: Store.Purpose) throws -> Store {
        if !exists(identityFile) {
            try checkKey()
            let identity = try AgeIdentity.generate()
            try makeFolders(identityFile.parent)
            try replaceFile(identityFile, identity.encoded().withUnsafeBytes { Array($0) })
        }
        let identities = try AgeIdentity.identities(inFile: try readRegular(identityFile, limit: 1 << 12))
        if try !Store.exists(folder) {
            _ = try Store.create(
                folder, recipients: identities.map { .age($0.recipient) }, group: nil, machine: machine)
        }
        let credentials = Credentials(identities: identities)
        do {
            return try Store.open(folder, for: purpose, credentials: credentials, machine: machine)
        } catch ImageError.seriesTaken(_, _, let writer, _) {
            // The key that wrote here is lost with a part of the state, and nobody else ever does.
            return try Store.join(
                FolderStore(folder), JoinRequest(replaces: writer), credentials: credentials, machine: machine)
        }
    }

    /// A store whose key is lost is nobody's to begin anew.
    func checkKey() throws {
        if try !exists(identityFile) && Store.exists(folder) {
            throw PointError.damagedState(
                file: identityFile, reason: "it is not there, and nothing else opens the points in \(folder)")
        }
    }

    /// Makes an image of the folder as it is now.
    /// - Returns: its handle, and how many entries could not be read.
    func create(_ name: String) throws -> (handle: String, findings: UInt64) {
        var request = BackupRequest(sources: [root], name: name)
        request.own = own
        // Whatever has the folder's name meanwhile, this is the folder.
        let tree = try openRoot()
        request.views[root] = tree.view
        let store = try open(for: .write)
        try forgetRemoved(in: store)
        let before = findings.count
        let report = try withExtendedLifetime(tree) {
            try store.backup(request, progress: progress, findings: findings)
        }
        return (report.id.description, findings.count - before)
    }

    /// The table says which images have to be there. What the memory has besides was removed, by an older program that was cut off before it
    /// forgot it.
    private func forgetRemoved(in store: Store) throws {
        // While a set-up makes its first point there is none; one that cannot be read says nothing, and whoever needs it says so.
        guard let points = try? state.readTable().points else { return }
        try store.forgetLostImages(
            except: Set(points.flatMap { [$0.handle] + ($0.boot ?? []).map(\.image) }))
    }

    /// One that is gone already is fine.
    func destroy(_ handle: String) throws { try open(for: .read).remove(image: handle) }

    /// Deletes the images of this name: those of a point that was being made.
    func discard(_ name: String) throws {
        guard try Store.exists(folder) else { return }
        try open(for: .read).removeImages(named: name)
    }

    /// The first image that has one of these names.
    func image(named names: [String]) throws -> FoundPoint? {
        guard try !names.isEmpty && Store.exists(folder) else { return nil }
        return try open(for: .read).images().lazy.compactMap { image in
            image.label.flatMap { label in
                names.contains(label.name)
                    ? FoundPoint(
                        id: label.name, handle: image.id.description, time: label.time.seconds, number: 0) : nil
            }
        }.first
    }

    /// Forgets what backups remember of the folder.
    func forget() throws {
        guard exists(machine.cache) else { return }
        try Descriptor.open(machine.cache.parent, .directory).removeTree(machine.cache.lastComponent)
    }

    /// Gives back what no image needs.
    func tidy() throws {
        guard try Store.exists(folder) else { return }
        try open(for: .read).removeUnneeded()
    }

    /// Bytes of the volumes that no other image needs.
    func space(of handles: [String]) throws -> [String: UInt64] { try open(for: .read).space(ofImages: handles) }

    func listing(of handle: String) throws -> any TreeListing { try open(for: .read).listing(of: handle) }

    /// Opens and checks all that a restore would write, and writes nothing: nothing half-way because of damage that could have
    /// been seen before.
    /// - Parameter known: an image of what the folder holds.
    func check(_ handle: String, known: String?) throws {
        var drill = RestoreRequest(target: root)
        drill.folder = try openRoot()
        drill.isDryRun = true
        drill.otherHardware = true
        let store = try open(for: .read)
        if let known { drill.known = try store.knownEntries(of: known) }
        let before = findings.count
        _ = try Images.restore(store.imageReader(handle), drill, progress: Progress(), findings: findings)
        if findings.count > before { throw PointError.damagedPoint(findings: findings.count - before) }
    }

    /// Brings the folder into the state of an image. Idempotent.
    /// - Parameter parts: what of it; nil: all.
    /// - Returns: how many entries could not be brought there.
    func restore(_ handle: String, known: String?, parts: TreeParts? = nil) throws -> UInt64 {
        let store = try open(for: .read)
        var request = RestoreRequest(target: root)
        request.folder = try openRoot()
        request.isExact = true
        request.devices = true
        request.otherHardware = true
        request.own = own
        request.parts = parts
        request.hasOwnersOfMount = hasOwnersOfMount
        if let known { request.known = try store.knownEntries(of: known) }
        let before = findings.count
        _ = try Images.restore(store.imageReader(handle), request, progress: progress, findings: findings)
        return findings.count - before
    }
}
