// What was found of a plant: its stores, one by one, certificates and reports. What could not be looked at is that, and is never taken for absent.

public import Images

/// A store, as whoever checks the policy saw it.
public struct StoreView: Sendable {
    public enum Look: Sendable {
        case found(StoreEvidence)
        /// Why nothing was seen.
        case failed(String)
    }

    public enum MediumLook: Sendable {
        case facts(MediumFacts)
        case failed(String)
    }

    /// By which the policy knows it.
    public var name: String
    public var site: String?
    public var isOffsite: Bool
    public var look: Look
    public var medium: MediumLook?

    public init(name: String, site: String?, isOffsite: Bool, look: Look, medium: MediumLook? = nil) {
        (self.name, self.site, self.isOffsite, self.look, self.medium) = (name, site, isOffsite, look, medium)
    }

    public var evidence: StoreEvidence? {
        if case .found(let evidence) = look { return evidence }
        return nil
    }
}

/// What is mounted on a machine and in no image of it.
public enum MountsLook: Sendable {
    /// The mounts that its newest image says are not in it.
    case missing([String], image: ObjectID)
    /// That says nothing of it.
    case silent(ObjectID)
    case failed(String)
}

/// Of a folder with files that somebody signed: those that hold, and those that do not.
public enum SignedFolder<Item: Sendable>: Sendable {
    case items([Item], refused: [String])
    case failed(String)
}

/// A certificate of a medium that was wiped or destroyed.
public struct MediumCertificate: Sendable {
    public var file: String
    public var serial: String
    public var achieved: String
    public var ended: String

    public init(file: String, serial: String, achieved: String, ended: String) {
        (self.file, self.serial, self.achieved, self.ended) = (file, serial, achieved, ended)
    }
}

/// A restore that somebody made to see whether it works, as its signed report says.
public struct DrillEvidence: Sendable {
    public var file: String
    public var series: String
    /// The id of the image, as the report has it.
    public var image: String
    /// When it ended, in seconds since 1970.
    public var time: Int64
    /// `sample`, `full`, `boot`, `hands`.
    public var kind: String
    /// Whether what was wanted came back, with findings or without.
    public var hasPassed: Bool
    /// In the report's own words.
    public var verdict: String
    /// The id of the store; nil: any.
    public var store: String?
    /// Of a key that nobody gave: where it came from, and whether that was on the machine that was backed up; nil: somebody gave it, or nobody knows.
    public var unattendedKey: UnattendedKey?

    public struct UnattendedKey: Sendable, Hashable {
        public var from: String
        public var host: String
        public var isOnMachine: Bool

        public init(from: String, host: String, isOnMachine: Bool) {
            (self.from, self.host, self.isOnMachine) = (from, host, isOnMachine)
        }
    }

    public init(
        file: String, series: String, image: String, time: Int64, kind: String, hasPassed: Bool, verdict: String,
        store: String? = nil, unattendedKey: UnattendedKey? = nil
    ) {
        self.unattendedKey = unattendedKey
        self.store = store
        (self.file, self.series, self.image, self.time) = (file, series, image, time)
        (self.kind, self.hasPassed, self.verdict) = (kind, hasPassed, verdict)
    }
}

/// What a job of this machine has noted of its last comparison.
public struct IntegrityLook: Sendable {
    public var job: String
    public var record: JobRecord.IntegrityRecord?
    /// How old a comparison may be, in seconds, before it says nothing of the machine any more; nil: as old as any, of a job that is done by hand.
    public var limit: Int64?

    /// - Parameter record: nil: there is none yet.
    public init(_ job: Job, _ record: JobRecord.IntegrityRecord?) {
        (self.job, self.record) = (job.name, record)
        limit = job.timing.flatMap { AgeLimits().filled(every: $0.every).critical }
    }
}

public struct PolicyEvidence: Sendable {
    public var stores: [StoreView] = []
    /// By series.
    public var mounts: [ExactText: MountsLook] = [:]
    /// nil: no folder is named.
    public var certificates: SignedFolder<MediumCertificate>?
    public var drills: SignedFolder<DrillEvidence>?
    /// Jobs of this machine that compare it with its past.
    public var integrity: [IntegrityLook] = []
    /// By whom it is looked, in seconds since 1970.
    public var time: Int64

    public init(time: Int64) { self.time = time }
}

extension Store {
    /// What its image says that is mounted and not in it.
    public func mounts(of image: PruneImage) throws -> MountsLook {
        guard canRead else {
            return .failed("what an image says of its machine opens with an identity, and not with a steward's key")
        }
        guard let bytes = try needs(of: image) else { return .silent(image.id.image) }
        let needs = try MachineNeeds(decoding: bytes, of: "image \(image.id.image.description.prefix(8))")
        return .missing((needs.notCovered ?? []).filter(\.isMount).map(\.what), image: image.id.image)
    }
}
