// What somebody has found by reading: an image whole, a volume damaged. Writers cite nothing in what is damaged, so that the next backup
// stores again what is still on the machine: the store heals. And they build on other machines' content only where an identity has read
// every chunk of it: a machine cannot tell itself, since it opens none.

internal import Cryptography
internal import Platform
internal import Stores

/// A signed statement on one object.
struct Verdict: Sendable {
    enum Result: UInt64, Sendable {
        case whole = 1
        case damaged = 2
        /// Whole, and others may build on it.
        case seed = 3
        /// An image that stays, whatever rules say.
        case pinned = 4
        case unpinned = 5
    }

    /// What was read to know it.
    enum Extent: UInt64, Sendable {
        case directories = 1
        case everyChunk = 2
    }

    var kind: ObjectName.Kind
    var writer: Identifier
    var target: RootReference
    var result: Result
    var extent: Extent
    /// Seconds since 1970.
    var time: Int64
    var tool: String
    /// Of a seed: the index objects that agree with the volumes' directories.
    var indexes: [VolumeReference] = []

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(field: 1, text: kind.rawValue)
        bytes.append(field: 2, writer.bytes + target.encoded)
        bytes.append(field: 3, integer: result.rawValue)
        bytes.append(field: 4, integer: extent.rawValue)
        bytes.append(field: 5, signed: time)
        bytes.append(field: 6, text: tool)
        for index in indexes { bytes.append(field: 7, index.encoded) }
        return bytes
    }

    init(
        _ kind: ObjectName.Kind, writer: Identifier, target: RootReference, result: Result, extent: Extent,
        tool: String, indexes: [VolumeReference] = []
    ) {
        self.kind = kind
        self.writer = writer
        self.target = target
        self.result = result
        self.extent = extent
        time = Timestamp.now().seconds
        self.tool = tool
        self.indexes = indexes
    }

    init(decoding bytes: [UInt8]) throws {
        var reader = WireReader(bytes)
        var kind: ObjectName.Kind?
        var target: (writer: Identifier, reference: RootReference)?
        var result: Result?
        extent = .directories
        time = 0
        tool = ""
        while let field = try reader.field() {
            var value = field.value
            switch field.tag {
            case 1: kind = ObjectName.Kind(rawValue: try value.text())
            case 2: target = (try value.identifier(), try value.rootReference())
            case 3: result = Result(rawValue: try value.varint())
            case 4: extent = Extent(rawValue: try value.varint()) ?? .directories
            case 5: time = try value.signed()
            case 6: tool = String(decoding: value.rest(), as: UTF8.self)
            case 7: indexes.append(try VolumeReference(&value))
            default: break
            }
        }
        guard let kind, let target, let result else { throw FormatError("a verdict is incomplete") }
        self.kind = kind
        writer = target.writer
        self.target = target.reference
        self.result = result
    }
}

/// Whoever states something about objects of one group: a steward, or an identity that governs with a key made for it.
struct Attester: ObjectSigner {
    let epoch: UInt32
    let sealing: SealingPublicKey
    let indexKey: Secret
    let certificate: Certificate
    let groupID: Identifier
    let signing: SigningKey
}

extension Store {
    /// All verdicts on a group's objects. One that cannot be read is an error, since it may say that something is damaged; one that is
    /// not authentic, or of a steward whose right was ended, says nothing.
    func verdicts(group: Identifier) throws -> [Verdict] {
        try listed(.verdict, group: group).compactMap { try verdict($0.name) }
    }

    /// What an object states; nil where it says nothing.
    func verdict(_ name: ObjectName) throws -> Verdict? {
        let reader: ObjectReader
        do { reader = try smallReader(name) } catch let error as ImageError {
            if case .damaged = error { return nil }
            throw error
        }
        guard reader.indexKey != nil, let proof = try? reader.verifySignature(),  // Unsigned: it says nothing.
            chain.newest.revocation(of: proof.certificate.writer) == nil,
            let frame = proof.frames.first(where: { $0.kind == .verdict }),
            let content = try? reader.content(of: frame)  // As above.
        else { return nil }
        return try? Verdict(decoding: content)  // As above.
    }

    /// States verdicts on objects of one group.
    func state(_ verdicts: [Verdict], group: Identifier) throws {
        if verdicts.isEmpty { return }
        try state(verdicts, by: attester(group, for: .attest))
    }

    private func state(_ verdicts: [Verdict], by attester: Attester) throws {
        let run = try ObjectID.random()
        for verdict in verdicts {
            let object = try makeObject(.verdict, id: .random(), run: run, writer: attester) {
                try $0.append(.verdict, verdict.encoded())
            }
            let name = ObjectName(
                .verdict, group: attester.groupID, writer: attester.certificate.writer, id: object.summary.id)
            try objects.put(name.text, object.bytes)
        }
    }

    /// Who states: the steward whose key is at hand, else who governs.
    /// - Parameter role: what it has to have the right to.
    func attester(_ group: Identifier, for role: CertificateRoles) throws -> Attester {
        let newest = chain.newest
        if let steward = keyring.steward, steward.certificate.roles.contains(role),
            newest.revocation(of: steward.certificate.writer) == nil,
            let indexKey = try steward.indexKey(group, epoch: newest.epoch)
        {
            return Attester(
                epoch: newest.epoch, sealing: newest.sealing, indexKey: indexKey, certificate: steward.certificate,
                groupID: group, signing: steward.signing)
        }
        guard let secret = keyring.secret else {
            throw keyring.steward == nil ? ImageError.noIdentity(store: subject) : .stewardEnded(store: subject)
        }
        guard let rootKey = secret.rootKey, secret.newest.epoch == newest.epoch else {
            throw ImageError.notGoverning(store: subject)
        }
        return try attester(group, secret, rootKey, role)
    }

    /// Who governs, with a key made for this.
    private func attester(
        _ group: Identifier, _ secret: StoreSecret, _ rootKey: SigningKey, _ role: CertificateRoles
    ) throws -> Attester {
        let signing = try SigningKey.generate()
        return Attester(
            epoch: secret.newest.epoch, sealing: secret.newest.sealing.publicKey,
            indexKey: try secret.newest.indexKey(group),
            certificate: try .issue(
                to: signing.verifyingKey, sealing: SealingPrivateKey.generate().publicKey, store: id, rootKey: rootKey,
                group: group, name: HostFacts.hostName, time: Timestamp.now().seconds, roles: role),
            groupID: group, signing: signing)
    }

    /// States which volumes a verification found damaged, and which that were called damaged it found whole.
    public func mark(_ report: VerifyReport, tool: String) throws {
        do {
            for (group, found) in Dictionary(grouping: report.judged, by: \.group) {
                let known = try verdicts(group: group)
                let damaged = Self.damaged(known)
                let newest = Dictionary(known.map { ($0.target.id, $0.time) }, uniquingKeysWith: max)
                let extent: Verdict.Extent = report.readData ? .everyChunk : .directories
                let verdicts = found.compactMap { volume -> Verdict? in
                    let wasDamaged = damaged.contains(volume.reference.id)
                    // Who has read the directories alone can tell damage, and not its absence.
                    guard volume.isDamaged != wasDamaged, volume.isDamaged || report.readData else { return nil }
                    var verdict = Verdict(
                        .volume, writer: volume.reference.writer,
                        target: RootReference(id: volume.reference.id, digest: volume.reference.digest),
                        result: volume.isDamaged ? .damaged : .whole, extent: extent, tool: tool)
                    // The newest one counts: this one, whatever the clocks of whoever stated the others said.
                    if let time = newest[volume.reference.id] {
                        verdict.time = max(verdict.time, time.adding(saturating: 1))
                    }
                    return verdict
                }
                try state(verdicts, group: group)
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// How old, in seconds, what was stated of an image has to be before it is stated anew.
    private static let renewal: Int64 = 43_200

    /// Lets other machines of the group build on the images that a verification has read whole. Of each series the newest of these is stated anew where it
    /// is a seed already: a policy asks when something of it was read last.
    /// - Returns: how many became seeds.
    public func share(_ report: VerifyReport, tool: String) throws -> Int {
        do {
            var count = 0
            for (group, roots) in Dictionary(grouping: report.whole, by: \.name.group) {
                let seeds = Dictionary(
                    try verdicts(group: group).filter { $0.result == .seed }.map { ($0.target, $0.time) },
                    uniquingKeysWith: max)
                let new = roots.filter { seeds[$0.reference] == nil }
                let bound = Timestamp.now().seconds.subtracting(saturating: Self.renewal)
                let old = Self.newestOfSeries(roots).filter { seeds[$0.reference].map { $0 < bound } ?? false }
                try state(
                    (new + old).map {
                        Verdict(
                            .image, writer: $0.name.writer, target: $0.reference, result: .seed, extent: .everyChunk,
                            tool: tool, indexes: $0.named.indexes)
                    }, group: group)
                count += new.count
            }
            return count
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    private static func newestOfSeries(_ roots: [ImageRoot]) -> [ImageRoot] {
        Dictionary(grouping: roots) { ExactText($0.label.series) }.values.compactMap { own in
            own.max { $0.label.sequence < $1.label.sequence }
        }
    }

    /// The volumes that are to be cited no more: damaged outweighs whole, and a newer whole ends it.
    static func damaged(_ verdicts: [Verdict]) -> Set<ObjectID> { Set(standing(verdicts).map(\.target.id)) }

    /// Of each volume that is called damaged, the verdict that counts.
    static func standing(_ verdicts: [Verdict]) -> [Verdict] {
        var newest: [ObjectID: Verdict] = [:]
        for verdict in verdicts where verdict.kind == .volume {
            if let other = newest[verdict.target.id],
                (other.time, other.result == .damaged ? 1 : 0) > (verdict.time, verdict.result == .damaged ? 1 : 0)
            {
                continue
            }
            newest[verdict.target.id] = verdict
        }
        return newest.values.filter { $0.result == .damaged }
    }

    /// States anew, under a new root key, which volumes are damaged, and which images pinned: what those before it certified to state such
    /// things does not count under this one. Who else was called whole or a seed is read again first.
    func restateDamage(with secret: StoreSecret, rootKey: SigningKey) throws {
        for group in Set(try listed(.verdict).map(\.name.group)) {
            let known = try verdicts(group: group)
            try state(Self.standing(known) + Self.pins(known), by: attester(group, secret, rootKey, .attest))
        }
    }
}
