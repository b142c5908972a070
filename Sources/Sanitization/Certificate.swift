// The certificate of a sanitization: what was done to which medium, how it was checked, and by whom (NIST SP 800-88 Rev. 2, 4.6 and
// Appendix C), as data that is signed and as a page of the same data.

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
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        }
    }

    /// Refuses a place at which a certificate could not be written, or where one is: that shows before hours of work, not after.
    /// - Throws: `WipeError.certificateExists`, or `SystemError`.
    public static func checkPlace(_ file: BytePath) throws {
        if try kind(of: file) != nil { throw WipeError.certificateExists(file: file) }
        // Without a certificate they mean nothing, and were left by one that was cut off.
        for part in parts(of: file) {
            if let kind = try kind(of: part), kind != .file { throw WipeError.certificateExists(file: part) }
        }
        // What the folder says of itself is not all: a read-only or full medium shows when something is written.
        try replaceFile(new(file), Array("a certificate is to be made here\n".utf8), mode: 0o600)
        try removeFile(new(file))
    }

    private static func kind(of file: BytePath) throws -> FileKind? {
        do throws(SystemError) {
            return try Descriptor.open(file.parent, .directory).status(of: file.lastComponent).kind
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }

    private static func parts(of file: BytePath) -> [BytePath] { [page(of: file), signature(of: file), new(file)] }
    /// What it is called until it is whole.
    private static func new(_ file: BytePath) -> BytePath { BytePath(file.bytes + Array(".new".utf8)) }

    /// Writes FILE, FILE.sig and FILE.html. The certificate comes last, and replaces nothing: without it the others mean nothing.
    /// - Throws: `WipeError.certificateExists` where somebody else made one meanwhile.
    public func write(_ file: BytePath, key: SigningKey) throws {
        try Self.checkPlace(file)
        let bytes = try bytes
        let signature = try SSHSignature(of: bytes, for: Self.namespace, by: key)
        try replaceFile(Self.page(of: file), Array(page(signedBy: key.verifyingKey, of: bytes).utf8), mode: 0o644)
        try replaceFile(Self.signature(of: file), Array(signature.armored.utf8), mode: 0o644)
        try replaceFile(Self.new(file), bytes, mode: 0o644)
        let folder = try Descriptor.open(file.parent, .directory)
        do throws(SystemError) {
            try folder.move(Self.new(file).lastComponent, to: file.lastComponent, in: folder)
        } catch {
            // A file system that knows no such step (NTFS): it was looked at just now.
            guard error.code == EINVAL else {
                throw error.isPresent ? WipeError.certificateExists(file: file) : WipeError.system(error)
            }
            try folder.rename(Self.new(file).lastComponent, to: file.lastComponent)
        }
        try folder.synchronize()
    }

    static func signature(of file: BytePath) -> BytePath { BytePath(file.bytes + Array(".sig".utf8)) }
    static func page(of file: BytePath) -> BytePath { BytePath(file.bytes + Array(".html".utf8)) }

    /// Reads a certificate and checks its signature, and the page where there is one.
    /// - Returns: the certificate, and who signed it: whether that key is to be trusted is for the caller to know.
    /// - Throws: `WipeError.badCertificate`, which names what fails.
    public static func check(_ file: BytePath) throws -> (certificate: Certificate, signer: VerifyingKey) {
        func bad(_ reason: String, _ what: BytePath? = nil) -> WipeError {
            .badCertificate(file: what ?? file, reason: reason)
        }
        let bytes = try readWhole(file, limit: 1 << 24)
        let sigFile = signature(of: file)
        guard exists(sigFile) else { throw bad("there is no signature \(sigFile)") }
        let signature: SSHSignature
        do {
            signature = try SSHSignature(armored: String(decoding: readWhole(sigFile, limit: 1 << 16), as: UTF8.self))
        } catch let error as CryptographyError { throw bad("\(error)", sigFile) }
        guard signature.namespace == namespace else { throw bad("it signs something else than a certificate", sigFile) }
        guard signature.isValid(for: bytes) else { throw bad("it or its signature was changed") }
        guard let certificate = try? JSONDecoder().decode(Certificate.self, from: Data(bytes)), certificate.version == 1
        else { throw bad("it does not read like a certificate of this version") }
        let pageFile = page(of: file)
        if exists(pageFile),
            try readWhole(pageFile, limit: 1 << 24) != Array(certificate.page(signedBy: signature.key, of: bytes).utf8)
        {
            throw bad("the page says something else than the certificate", pageFile)
        }
        return (certificate, signature.key)
    }

    /// The machine's own key for certificates, made when it is first needed.
    public static func key(state: BytePath) throws -> SigningKey {
        let file = state.appending("certificate").appending("key")
        if !exists(file) {
            try makeFolders(file.parent, mode: 0o755)
            try replaceFile(file, SigningKey.generate().seed.withUnsafeBytes { Array($0) })
        }
        let key = try SigningKey(seed: Secret(readRegular(file, limit: 64)))
        let line = "\(SSHSignature.line(of: key.verifyingKey)) holdfast@\(HostFacts.hostName)\n"
        let publicFile = BytePath(file.bytes + Array(".pub".utf8))
        if !exists(publicFile) { try replaceFile(publicFile, Array(line.utf8), mode: 0o644) }
        return key
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
