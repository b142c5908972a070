// The report of a drill: which image was restored, by whom, how far, how long it took, and what came of it, as data that is signed and as a page
// of the same data. Somebody who asks in a year whether the backups could be restored is shown this.

internal import AuditLog
public import Cryptography
internal import FoundationEssentials
public import Platform

public struct DrillReport: Codable, Sendable, Hashable {
    /// What `ssh-keygen -Y verify -n` wants to be told.
    public static let namespace = "holdfast-drill"
    /// What was not given is said to be that, and not left out.
    public static let notRecorded = "not recorded"
    /// So many names of files, and so many findings, stand in a report; how many there were is counted.
    public static let mostNames = 500

    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Some files that chance has chosen, and all that the start needs.
        case sample
        /// The whole tree.
        case full
        /// The whole of a /, started in a virtual machine until a command in it has answered.
        case boot
        /// By a technician, who says what was seen.
        case hands
    }

    public enum Verdict: String, Codable, Sendable, CaseIterable {
        case passed
        case findings = "passed with findings"
        case failed
        /// Nothing is proven, one way or the other.
        case notCompleted = "not completed"

        /// Whether it proves that the image can be restored.
        public var isProof: Bool { self == .passed || self == .findings }
    }

    public var version = 1
    /// By which paper and file name each other. What chance chose follows from it, so that a drill can be repeated.
    public var id: String
    public var tool: String
    public var kind: Kind
    public var verdict = Verdict.notCompleted
    /// What decided it, in a sentence.
    public var reason = notRecorded
    /// The job of the configuration that it is a drill of.
    public var job: String?
    public var started = Timestamp.now().text
    public var ended = notRecorded
    public var image = Image()
    public var store = Store()
    public var who = Who()
    public var machine = Machine()
    public var scope = Scope()
    public var seed: String?
    public var steps: [Step] = []
    public var recoveryTime = RecoveryTime()
    public var recoveryPoint = RecoveryPoint()
    public var files = Files()
    /// Of a disk that was restored as one: what lies on it, and what became of that; nil of trees.
    public var volumes: [Volume]?
    public var findings: [String] = []
    public var findingCount: UInt64 = 0
    public var identity = Identity()
    /// What was done otherwise than a restore in earnest would do it, or than it was asked for.
    public var deviations: [String] = []
    public var nextDue: String?
    /// Where the machine's audit log ended.
    public var logHead = notRecorded

    public struct Image: Codable, Sendable, Hashable {
        public var id = notRecorded
        public var name = notRecorded
        public var series = notRecorded
        public var sequence: UInt64 = 0
        public var host = notRecorded
        public var hardware = notRecorded
        public var sources: [String] = []
        /// As the label says it.
        public var time = notRecorded
        /// As the store's own clock had it; nil where it has none.
        public var storeTime: String?
        public var entries: UInt64 = 0
        public var bytes: UInt64 = 0
        /// What was missing or inconsistent when it was made.
        public var findings: UInt64 = 0

        public init() {}
    }

    public struct Store: Codable, Sendable, Hashable {
        /// Without what is secret of it.
        public var place = notRecorded
        public var id = notRecorded
        public var fingerprint = notRecorded

        public init() {}
    }

    public struct Who: Codable, Sendable, Hashable {
        /// Whose command it was, as the machine knows it.
        public var account = HostFacts.userName
        /// Who logged in, whatever the account is by now.
        public var login: String?
        /// A terminal or an address; nil: nobody was there.
        public var origin: String?
        /// Who restored, by his own word.
        public var name: String?

        public init() {
            login = HostFacts.loginName
            origin = HostFacts.origin
        }
    }

    public struct Machine: Codable, Sendable, Hashable {
        public var host = HostFacts.hostName
        public var identifier = HostFacts.machineIdentifier ?? notRecorded
        public var hardware = HostFacts.hardwareSeries
        /// Whether its clock follows a time source.
        public var isClockSynchronized = HostFacts.clockIsSynchronised
        /// Where it was, by the word of who restored.
        public var place: String?

        public init() {}

        /// Another one than this, by the word of who restored there; nil: nothing was said.
        public init(statedBy host: String?, place: String?) {
            self.host = host ?? notRecorded
            self.place = place
            (identifier, hardware, isClockSynchronized) = (notRecorded, notRecorded, false)
        }
    }

    public struct Scope: Codable, Sendable, Hashable {
        /// What was restored.
        public var entries: UInt64 = 0
        public var files: UInt64 = 0
        public var bytes: UInt64 = 0
        /// Of these: what the start needs.
        public var bootFiles: UInt64 = 0
        /// Thousandths of the image's bytes.
        public var share: UInt64 = 0

        public init() {}
    }

    public struct Step: Codable, Sendable, Hashable {
        public var name: String
        public var started: String
        public var ended: String
        public var milliseconds: UInt64
        public var bytes: UInt64?
        public var bytesPerSecond: UInt64?

        public init(
            _ name: String, started: String, ended: String, milliseconds: UInt64, bytes: UInt64? = nil,
            bytesPerSecond: UInt64? = nil
        ) {
            self.name = name
            self.started = started
            self.ended = ended
            self.milliseconds = milliseconds
            self.bytes = bytes
            self.bytesPerSecond = bytesPerSecond
        }
    }

    public struct Volume: Codable, Sendable, Hashable {
        /// As the image calls it: `part1`.
        public var name: String
        /// Its file system, or what else it is.
        public var content: String
        /// By what it was taken: blocks, files, raw, swap.
        public var way: String
        public var bytes: UInt64
        /// What became of it, in words.
        public var result: String

        public init(_ name: String, content: String, way: String, bytes: UInt64, result: String) {
            self.name = name
            self.content = content
            self.way = way
            self.bytes = bytes
            self.result = result
        }
    }

    /// Seconds until the whole is there again. What was measured is of a restore of the whole, and of nothing else.
    public struct RecoveryTime: Codable, Sendable, Hashable {
        public var target: Int64?
        public var measured: Int64?
        /// What a restore of the whole would take at the rate of what was restored.
        public var projected: Int64?

        public init() {}
    }

    /// Seconds of work that would be lost.
    public struct RecoveryPoint: Codable, Sendable, Hashable {
        public var target: Int64?
        /// Of the image, when the drill began.
        public var age: Int64?

        public init() {}
    }

    public struct Files: Codable, Sendable, Hashable {
        /// Entries that were compared with the manifest.
        public var compared: UInt64 = 0
        public var different: UInt64 = 0
        public var unreadable: UInt64 = 0
        /// Those that are not what the image says, or whose content could not be read, each with why.
        public var differentNames: [String] = []
        public var unreadableNames: [String] = []

        public init() {}
    }

    /// Of what kind the key was; never the key.
    public struct Identity: Codable, Sendable, Hashable {
        /// The public halves of the identities at hand, or `passphrase`.
        public var recipients: [String] = []
        public var from = notRecorded
        /// Of a key that nobody gave: whether it was on the machine that was backed up, which is said wherever the policy is checked. nil: somebody
        /// gave it, or the report is of an older program.
        public var isOnMachine: Bool?

        public init() {}
    }

    public init(_ kind: Kind, tool: String, id: String? = nil) throws {
        self.kind = kind
        self.tool = tool
        self.id = try id ?? hexadecimal(SecureRandom.bytes(16))
    }

    // MARK: What others ask

    public var startedAt: Int64? { Timestamp(text: started)?.seconds }
    public var endedAt: Int64? { Timestamp(text: ended)?.seconds }
    public var isSuccess: Bool { verdict.isProof }

    /// The result in a sentence.
    public var sentence: String {
        let what = image.name == Self.notRecorded ? "drill" : "drill of \(image.name) (\(image.id.prefix(8)))"
        return "\(what), \(kind.rawValue): \(verdict.rawValue)" + (reason == Self.notRecorded ? "" : "; \(reason)")
    }

    /// Adds a finding; beyond the limit they are counted.
    public mutating func add(finding: String) {
        findingCount.add(saturating: 1)
        if findings.count < Self.mostNames { findings.append(finding) }
    }

    public mutating func add(different name: String) {
        files.different.add(saturating: 1)
        if files.differentNames.count < Self.mostNames { files.differentNames.append(name) }
    }

    public mutating func add(unreadable name: String) {
        files.unreadable.add(saturating: 1)
        if files.unreadableNames.count < Self.mostNames { files.unreadableNames.append(name) }
    }
}

extension DrillReport {
    static let document = SignedDocument(namespace: namespace, words: "the report of a drill")

    public var bytes: [UInt8] { get throws { try SignedDocument.canonical(self) } }

    /// Refuses a place at which a report could not be written, or where one is.
    public static func checkPlace(_ file: BytePath) throws { try document.checkPlace(file) }

    /// The machine's own key for what it signs: the one of certificates.
    public static func key(state: BytePath) throws -> SigningKey { try SignedDocument.key(state: state) }

    /// Writes FILE, FILE.sig and FILE.html; it replaces nothing.
    /// - Returns: the SHA-256 of the file, as the audit log names it.
    @discardableResult
    public func write(_ file: BytePath, key: SigningKey) throws -> String {
        let bytes = try bytes
        try Self.document.write(bytes, to: file, key: key, page: page(signedBy: key.verifyingKey, of: bytes))
        return SignedPage.digest(of: bytes)
    }

    /// Reads a report and checks its signature, and the page where there is one.
    /// - Returns: the report, and who signed it: whether that key is to be trusted is for the caller to know.
    /// - Throws: `SignedDocumentError.bad`, which names what fails.
    public static func check(_ file: BytePath) throws -> (report: DrillReport, signer: VerifyingKey) {
        let checked = try document.check(file)
        let report = try DrillReport(checked.bytes, at: file)
        try document.checkPage(of: file, is: report.page(signedBy: checked.signer, of: checked.bytes))
        return (report, checked.signer)
    }

    init(_ bytes: [UInt8], at file: BytePath) throws {
        guard let report = try? JSONDecoder().decode(DrillReport.self, from: Data(bytes)), report.version == 1 else {
            throw SignedDocumentError.bad(file: file, reason: "it does not read like a report of this version")
        }
        self = report
    }
}
