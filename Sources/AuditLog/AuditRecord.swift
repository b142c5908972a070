// One line of the log.

internal import Cryptography
internal import FoundationEssentials
internal import Platform

/// What happened, in the words of whoever reports it.
public struct AuditEvent: Sendable, Hashable {
    public enum Phase: String, Codable, Sendable {
        /// About to be done.
        case intent
        case result
        /// Not done, by a safety rule or for want of a confirmation, a key or a privilege.
        case refusal
        /// The chain of keys begins, or begins anew; the text says why.
        case beginning
    }

    public var phase: Phase
    /// The command: `rollback`.
    public var verb: String
    /// Its arguments; never a secret.
    public var arguments: [String]
    /// What it was done to.
    public var object: String?
    /// The exit status.
    public var status: Int32?
    public var text: String?

    public init(
        _ phase: Phase, verb: String, arguments: [String] = [], object: String? = nil, status: Int32? = nil,
        text: String? = nil
    ) {
        self.phase = phase
        self.verb = verb
        self.arguments = arguments
        self.object = object
        self.status = status
        self.text = text
    }
}

/// A record of the log: an event, who caused it, and its place in the chain.
public struct AuditRecord: Codable, Sendable, Hashable {
    static let version = 1
    /// No log gets there; a record or a key that says more is none, so that counting on from it is safe.
    static let lastSequence = UInt64(Int64.max)

    var version = AuditRecord.version
    /// From 0, without a gap.
    public var sequence: UInt64
    /// Seconds since 1970, UTC.
    public var seconds: Int64
    /// The same for people.
    public var time: String
    /// Whether the clock followed a time source.
    public var clockIsSynchronised: Bool
    public var boot: String
    /// Who logged in, behind sudo or doas.
    public var login: String?
    /// As whom the command ran.
    public var user: String
    public var origin: String?
    public var host: String
    public var phase: AuditEvent.Phase
    public var verb: String
    public var arguments: [String]
    public var object: String?
    public var status: Int32?
    public var text: String?
    /// SHA-256 of the line before, its end excluded; zeros for the first.
    var previous: String
    /// SHA-256 of what an interrupted writer left between that line and this one.
    var torn: String?
    /// The public key by which this line is signed.
    var key: String
    /// The one by which the next line has to be signed.
    var next: String
}

/// A place in the log, as images, certificates and people keep it: what a log has to contain to be the same one.
public struct AuditAnchor: Sendable, Hashable, CustomStringConvertible {
    public var sequence: UInt64
    /// SHA-256 of the line.
    public var digest: String

    init(sequence: UInt64, digest: String) {
        self.sequence = sequence
        self.digest = digest
    }

    /// `12:` and 64 hexadecimal digits; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = UInt64(parts[0]), let bytes = decodeHexadecimal(parts[1]),
            bytes.count == Digest.length
        else { return nil }
        self.init(sequence: sequence, digest: String(parts[1]))
    }

    public var description: String { "\(sequence):\(digest)" }
}

/// A record as it stands in the file. What is signed are the very bytes before the signature, so that nothing depends on how
/// somebody writes JSON.
struct AuditLine {
    private static let mark = Array(#","signature":""#.utf8)
    private static let end = Array(#""}"#.utf8)

    let record: AuditRecord
    /// The line without its end.
    let bytes: [UInt8]
    private let signed: ArraySlice<UInt8>
    private let signature: [UInt8]

    /// Takes a line apart; nil where it is none of ours.
    init?(parsing bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        let digits = 2 * VerifyingKey.signatureLength
        let tail = Self.mark.count + digits + Self.end.count
        guard bytes.count > tail, bytes.ends(with: Self.end) else { return nil }
        let start = bytes.count - tail
        let text = bytes[(start + Self.mark.count)..<(bytes.count - Self.end.count)]
        guard bytes[start...].starts(with: Self.mark),
            let signature = decodeHexadecimal(String(decoding: text, as: UTF8.self)),
            // What cannot be decoded is no record; the verification says so.
            let record = try? JSONDecoder().decode(AuditRecord.self, from: Data(bytes)),
            record.version == AuditRecord.version, record.sequence <= AuditRecord.lastSequence
        else { return nil }
        self.record = record
        self.bytes = bytes
        self.signature = signature
        signed = bytes[..<start]
    }

    init(_ record: AuditRecord, signedBy key: SigningKey) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let signed = Array(try encoder.encode(record).dropLast())
        let signature = try key.signature(for: signed)
        self.record = record
        self.signed = signed[...]
        self.signature = signature
        bytes = signed + Self.mark + Array(hexadecimal(signature).utf8) + Self.end
    }

    /// Whether the key that the line names has signed it.
    var isSigned: Bool {
        // A key that is none has signed nothing.
        guard let raw = decodeHexadecimal(record.key), let key = try? VerifyingKey(rawBytes: raw) else { return false }
        return key.isValid(signature, for: Array(signed))
    }

    var anchor: AuditAnchor { AuditAnchor(sequence: record.sequence, digest: sha256(bytes)) }
}

func sha256(_ bytes: some Sequence<UInt8>) -> String {
    // libcrypto refuses this only where it cannot work at all; an empty digest fits nothing.
    let digest = try? Array(bytes).withUnsafeBytes { try SHA256.digest(of: $0) }
    return digest?.hex ?? ""
}

extension Collection<UInt8> {
    func ends(with other: [UInt8]) -> Bool { suffix(other.count).elementsEqual(other) }
}
