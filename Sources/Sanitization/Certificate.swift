// The certificate of a sanitization: what was done to which medium, how it was checked, and by whom (NIST SP 800-88 Rev. 2, 4.6 and
// Appendix C), as data that is signed and as a page of the same data.

internal import AuditLog
public import Cryptography
internal import FoundationEssentials
internal import Glibc
public import Platform

public struct Certificate: Codable, Sendable, Hashable {
    public static let namespace = "holdfast-certificate"

    public var version = 1
    /// By which paper and file name each other; nil in one of an older program.
    public var number: String?
    public var medium = Medium()
    public var sanitization = Sanitization()
    public var verification = Verification()
    /// Who sanitized, who validated the result, and who concurred.
    public var sanitizedBy = Person()
    public var validatedBy = Person()
    public var concurredBy = Person()
    /// What people said of what is measured where it can be, by the names of the fields.
    public var stated: [String: String]?
    public var host = HostFacts.hostName
    /// The order that it was done for; nil: none was named.
    public var ticket: String?
    /// Whose signature over the plan was verified before; nil: nobody was asked.
    public var approvedBy: String?
    /// Whose command it was, as the machine knows it.
    public var account: String?
    /// Where the machine's audit log ended.
    public var logHead = notRecorded

    /// What was not given is said to be that, and not left out.
    public static let notRecorded = "not recorded"

    public struct Medium: Codable, Sendable, Hashable {
        public var manufacturer = notRecorded
        public var model = notRecorded
        public var serialNumber = notRecorded
        public var propertyNumber = notRecorded
        public var mediaType = notRecorded
        public var mediaSource = notRecorded
        public var bytes: UInt64 = 0
        public var kernelName = notRecorded
        public var confidentialityBefore = notRecorded
        public var confidentialityAfter = notRecorded
        public var destination = notRecorded
    }

    public struct Sanitization: Codable, Sendable, Hashable {
        /// `clear`, `purge` or `destroy`.
        public var methodRequested = notRecorded
        /// The same, or `not achieved`.
        public var methodAchieved = notRecorded
        public var technique = notRecorded
        public var passes = 0
        public var tool = notRecorded
        public var started = notRecorded
        public var ended = notRecorded
        public var interruptions = 0
        /// Ranges, in bytes, that could not be written or read.
        public var unreachable: [DeviceRange] = []
        public var witness = notRecorded
        /// What else there is to know, as why it was not achieved.
        public var remarks = notRecorded
    }

    public struct Verification: Codable, Sendable, Hashable {
        public var method = notRecorded
        public var bytes: UInt64 = 0
        /// How the places of a sample were chosen.
        public var sampleSeed = notRecorded
        /// That one altered block of 4 KiB would have been read.
        public var probability = notRecorded
        /// Ranges, in bytes, that held something else than what was written.
        public var different: [DeviceRange] = []
    }

    public struct Person: Codable, Sendable, Hashable {
        public var name = notRecorded
        public var position = notRecorded
        public var date = notRecorded
        public var location = notRecorded
        public var contact = notRecorded
    }

    public init() {
        // Without random numbers there are no keys either; the time tells them apart well enough.
        let random = (try? SecureRandom.bytes(4)).map { hexadecimal($0) } ?? "0"
        number = "\(Timestamp.now().text.filter(\.isNumber))-\(random)"
    }

    /// Of a device that nothing was done to yet.
    public init(_ device: BlockDevice) {
        self.init()
        medium.model = device.model.isEmpty ? Self.notRecorded : device.model
        medium.serialNumber = device.serial.isEmpty ? Self.notRecorded : device.serial
        medium.mediaType = device.kind.rawValue
        medium.bytes = device.size
        medium.kernelName = device.name
    }

    /// Of a wipe.
    public init(_ report: WipeReport, tool: String, logHead: String?) {
        self.init(report.device)
        sanitization.methodRequested = report.request.level.rawValue
        sanitization.methodAchieved = report.achieved?.rawValue ?? "not achieved"
        sanitization.tool = tool
        sanitization.started = report.started.text
        sanitization.ended = report.ended.text
        sanitization.interruptions = report.interruptions
        sanitization.unreachable = report.bad
        sanitization.remarks = ([report.failure].compactMap { $0 } + report.notes).joined(separator: "; ")
        if sanitization.remarks.isEmpty { sanitization.remarks = "none" }
        verification.bytes = report.verified
        verification.different = report.different
        switch report.method {
        case .overwrite: describeOverwrite(report)
        case .firmware(let ability):
            sanitization.technique = "\(ability.technique.text), by the firmware of the drive"
            sanitization.passes = 1
            verification.method = "16 random markers, written before at both ends and in between, looked for afterwards"
        }
        account = HostFacts.userName
        sanitizedBy.name = HostFacts.userName
        sanitizedBy.date = report.ended.text
        if let logHead { self.logHead = logHead }
    }

    private mutating func describeOverwrite(_ report: WipeReport) {
        sanitization.technique = "overwrite of every addressable sector, \(report.request.pattern)"
        sanitization.passes = report.request.passes
        verification.method =
            report.request.verification == .full ? "full read back and comparison" : "sample read back and comparison"
        verification.sampleSeed = report.sampleSeed.map { "\($0)" } ?? Self.notRecorded
        let size = report.device.size
        let share = size == 0 ? 0 : report.verified * 1000 / size
        verification.probability = share >= 1000 ? "100 %" : "\(share / 10).\(share % 10) %"
    }

    // MARK: What people add

    /// What can be given, as `operator.name=…`.
    public static let fields =
        [
            "manufacturer", "model", "serial", "property", "type", "source", "before", "after", "destination",
            "technique",
            "witness",
        ]
        + ["operator", "validator", "concurrence"].flatMap { who in
            ["name", "position", "date", "location", "contact"].map { "\(who).\($0)" }
        }

    /// What the device says and what is done: nobody sets it on a certificate of a wipe.
    private static let measured: Set<String> = ["model", "serial", "type", "technique"]

    /// Fills in a field of a certificate of a wipe. What was measured stays; what could not be is put beside, as stated by people.
    /// - Returns: false where there is no such field, or where it was measured.
    public mutating func state(_ field: String, as value: String) -> Bool {
        guard Self.measured.contains(field) else { return set(field, to: value) }
        let found = [
            "model": medium.model, "serial": medium.serialNumber, "type": medium.mediaType,
            "technique": sanitization.technique,
        ]
        guard found[field] == Self.notRecorded, field != "technique" else { return false }
        stated = (stated ?? [:]).merging([field: value]) { _, new in new }
        return true
    }

    /// Fills in a field, where nothing is measured; false where there is none of that name.
    public mutating func set(_ field: String, to value: String) -> Bool {
        switch field {
        case "manufacturer": medium.manufacturer = value
        case "model": medium.model = value
        case "serial": medium.serialNumber = value
        case "property": medium.propertyNumber = value
        case "type": medium.mediaType = value
        case "source": medium.mediaSource = value
        case "before": medium.confidentialityBefore = value
        case "after": medium.confidentialityAfter = value
        case "destination": medium.destination = value
        case "technique": sanitization.technique = value
        case "witness": sanitization.witness = value
        default:
            let words = field.split(separator: ".")
            guard words.count == 2 else { return false }
            switch words[0] {
            case "operator": return sanitizedBy.set(words[1], to: value)
            case "validator": return validatedBy.set(words[1], to: value)
            case "concurrence": return concurredBy.set(words[1], to: value)
            default: return false
            }
        }
        return true
    }

    // MARK: Writing and checking

    public var bytes: [UInt8] {
        get throws { try SignedDocument.canonical(self) }
    }

    private static let document = SignedDocument(namespace: namespace, words: "a certificate")

    /// Refuses a place at which a certificate could not be written, or where one is: that shows before hours of work, not after.
    /// - Throws: `WipeError.certificateExists`, or `SystemError`.
    public static func checkPlace(_ file: BytePath) throws {
        do { try document.checkPlace(file) } catch { throw WipeError(ofCertificate: error) }
    }

    /// Writes FILE, FILE.sig and FILE.html. The certificate comes last, and replaces nothing: without it the others mean nothing.
    /// - Throws: `WipeError.certificateExists` where somebody else made one meanwhile.
    public func write(_ file: BytePath, key: SigningKey) throws {
        let bytes = try bytes
        do {
            try Self.document.write(bytes, to: file, key: key, page: page(signedBy: key.verifyingKey, of: bytes))
        } catch { throw WipeError(ofCertificate: error) }
    }

    /// Reads a certificate and checks its signature, and the page where there is one.
    /// - Returns: the certificate, and who signed it: whether that key is to be trusted is for the caller to know.
    /// - Throws: `WipeError.badCertificate`, which names what fails.
    public static func check(_ file: BytePath) throws -> (certificate: Certificate, signer: VerifyingKey) {
        do {
            let checked = try document.check(file)
            guard let certificate = try? JSONDecoder().decode(Certificate.self, from: Data(checked.bytes)),
                certificate.version == 1
            else {
                throw WipeError.badCertificate(
                    file: file, reason: "it does not read like a certificate of this version")
            }
            try document.checkPage(of: file, is: certificate.page(signedBy: checked.signer, of: checked.bytes))
            return (certificate, checked.signer)
        } catch { throw WipeError(ofCertificate: error) }
    }

    /// The machine's own key for certificates, made when it is first needed.
    public static func key(state: BytePath) throws -> SigningKey { try SignedDocument.key(state: state) }
}

extension WipeError {
    /// The same in the words of certificates.
    fileprivate init(ofCertificate error: any Error) {
        switch error {
        case let error as WipeError: self = error
        case SignedDocumentError.exists(let file): self = .certificateExists(file: file)
        case SignedDocumentError.bad(let file, let reason): self = .badCertificate(file: file, reason: reason)
        case SignedDocumentError.system(let error): self = .system(error)
        case let error as SystemError: self = .system(error)
        default: self = .system(SystemError(EIO, "write", "the certificate", detail: "\(error)"))
        }
    }
}

extension Certificate.Person {
    fileprivate mutating func set(_ field: Substring, to value: String) -> Bool {
        switch field {
        case "name": name = value
        case "position": position = value
        case "date": date = value
        case "location": location = value
        case "contact": contact = value
        default: return false
        }
        return true
    }
}
