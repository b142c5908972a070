// Several machines, an owner and a store, and objects in it that somebody made by hand.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

/// A store that several machines write to, and whose owner governs it.
struct Plant {
    let scratch: Scratch
    let path: BytePath
    let owner: AgeIdentity
    /// Where the owner sits: it writes nothing.
    let office: MachineState
    var credentials: Credentials { Credentials(identities: [owner]) }

    init() throws {
        scratch = try Scratch()
        path = scratch.file("store")
        owner = try AgeIdentity.generate()
        office = scratch.machine("office")
        _ = try Store.create(
            FolderStore(path), recipients: [.age(owner.recipient)], JoinRequest(group: "office", series: ["office/"]),
            machine: office)
    }

    /// A machine that may write the series that begin with its name.
    func machine(_ name: String, group: String) throws -> MachineState {
        let machine = scratch.machine(name)
        _ = try Store.join(
            FolderStore(path), JoinRequest(group: group, series: ["\(name)/"]), credentials: credentials,
            machine: machine)
        return machine
    }

    func opened(
        _ machine: MachineState, for purpose: Store.Purpose = .write, _ credentials: Credentials = Credentials()
    ) throws -> Store {
        try Store.open(path, for: purpose, credentials: credentials, machine: machine)
    }

    /// As the owner sees it.
    func owned() throws -> Store { try opened(office, for: .read, credentials) }

    @discardableResult
    func backup(_ tree: BytePath, on machine: MachineState, series: String? = nil) throws -> BackupReport {
        var request = BackupRequest(sources: [tree], name: "plc")
        request.series = series
        return try opened(machine).backup(request, progress: Progress(), findings: Findings())
    }

    func restore(_ image: String, as credentials: Credentials? = nil, of series: String? = nil) throws -> RestoreReport
    {
        let target = scratch.file("restored")
        run("/bin/rm", ["-rf", target.description])
        return try Images.restore(
            opened(office, for: .read, credentials ?? self.credentials).imageReader(image, ImageFilter(series: series)),
            RestoreRequest(target: target), progress: Progress(), findings: Findings())
    }

    func verify(_ image: String? = nil) throws -> VerifyReport {
        try owned().verify(image: image, readData: true, progress: Progress(), findings: Findings())
    }

    /// A small tree, each content in it a chunk of its own.
    func tree(_ name: String = "tree", seed: UInt64 = 1) throws -> BytePath {
        var random = SplitMix64(seed: seed)
        for index in 0..<3 { try put(scratch.file(name).appending("file \(index)"), random.bytes(400_000)) }
        return scratch.file(name)
    }

    func key(of machine: MachineState) throws -> WriterKey {
        try #require(try machine.writerKey(of: StoreHeader.read(FolderStore(path)).store))
    }

    /// The root key, as who governs has it.
    func rootKey() throws -> SigningKey { try #require(try owned().keyring.secret?.rootKey) }

    func file(_ name: String) -> BytePath { path.appending(name) }

    func overwrite(_ name: String, _ bytes: [UInt8]) throws { try put(file(name), bytes) }

    /// A root of any label and content, signed with this key, at its own place, twice.
    @discardableResult
    func plantRoot(
        by key: WriterKey, like root: ImageRoot? = nil, id: ObjectID? = nil, copies: [String] = ["", ".2"],
        _ change: (inout ImageLabel, inout NamedObjects, inout ImageBody) -> Void
    ) throws -> ObjectName {
        var label = root?.label ?? ImageLabel()
        var named = root?.named ?? NamedObjects()
        var body = root?.body ?? ImageBody()
        change(&label, &named, &body)
        let id = try id ?? .random()
        let bytes = try makeObject(.image, id: id, run: .random(), writer: key) {
            try $0.append(.label, label.encoded())
            try $0.append(.volumes, named.encoded())
            try $0.append(.body, body.encoded())
        }.bytes
        let name = ObjectName(.image, group: key.group.id, writer: key.writer, id: id)
        for copy in copies { try overwrite(name.text + copy, bytes) }
        return name
    }

    /// A steward's tombstone on these volumes.
    func condemn(_ volumes: [VolumeReference], by steward: StewardKey, group: Identifier) throws {
        let newest = try owned().chain.newest
        let signer = StewardSigner(
            epoch: newest.epoch, sealing: newest.sealing,
            indexKey: try #require(try steward.indexKey(group, epoch: newest.epoch)), certificate: steward.certificate,
            groupID: group, signing: steward.signing)
        let tombstone = try makeObject(.tombstone, id: .random(), run: .random(), writer: signer) {
            var bytes: [UInt8] = []
            for volume in volumes { bytes.append(field: 1, volume.encoded) }
            try $0.append(.tombstone, bytes)
        }
        try overwrite("d/\(group)/\(steward.certificate.writer)/\(tombstone.summary.id)", tombstone.bytes)
    }

    private struct StewardSigner: ObjectSigner {
        var epoch: UInt32
        var sealing: SealingPublicKey
        var indexKey: Secret
        var certificate: Certificate
        var groupID: Identifier
        var signing: SigningKey
    }

    /// The image with this id, whoever may say what of it.
    func root(_ id: ObjectID) throws -> ImageRoot {
        let store = try owned()
        let object = try #require(try store.listed(.image).first { $0.name.id == id })
        return try store.image(object.name)
    }
}

/// The exit status that a command would end with; nil where nothing is thrown.
func status(_ body: () throws -> Void) -> Int32? {
    do {
        try body()
        return nil
    } catch { return explained(error).exitStatus }
}
