// Whether the log is what was written, by whom it says, and all of it.

internal import Cryptography
public import Platform

/// What is wrong with a log. Any of these means that it cannot be believed as a whole.
public enum AuditFinding: Sendable, Hashable, CustomStringConvertible {
    /// The line is not what was signed.
    case edited(sequence: UInt64)
    /// Signed by a key that the record before did not announce: written, or signed anew, by somebody else or later.
    case foreignKey(sequence: UInt64)
    /// Records are not there.
    case missing(first: UInt64, last: UInt64)
    /// A record stands where its number does not belong.
    case misplaced(sequence: UInt64)
    /// It does not carry the hash of the record before it.
    case unlinked(sequence: UInt64)
    /// A line that is no record, and that no record speaks of.
    case inserted(file: BytePath, line: Int)
    /// Fewer records than the key has signed.
    case truncated(last: UInt64?, signed: UInt64)
    /// More records than the key has signed.
    case keyBehind(last: UInt64, signed: UInt64)
    case keyMissing
    /// The key is not the one that the last record announced.
    case keyForeign
    case originMissing
    /// Does not contain a record that was noted elsewhere.
    case anchorMissing(AuditAnchor)

    public var description: String {
        switch self {
        case .edited(let sequence): "record \(sequence) was changed: its signature does not fit"
        case .foreignKey(let sequence):
            "record \(sequence) is signed by a key that the record before it did not announce"
        case .missing(let first, let last):
            first == last ? "record \(first) is missing" : "records \(first) to \(last) are missing"
        case .misplaced(let sequence): "record \(sequence) stands in the wrong place"
        case .unlinked(let sequence): "record \(sequence) does not follow the one that stands before it"
        case .inserted(let file, let line): "\(file), line \(line) is no record"
        case .truncated(let last, let signed):
            "the end was cut off: \(signed) records were signed, "
                + (last.map { "the last one here is record \($0)" } ?? "none is here")
        case .keyBehind(let last, let signed):
            "record \(last) is there, but only \(signed) records were signed: the key is an older one"
        case .keyMissing: "the key is missing, so nobody can tell whether the end was cut off"
        case .keyForeign: "the key is not the one that the last record announced"
        case .originMissing: "the log's origin is missing"
        case .anchorMissing(let anchor): "it does not contain record \(anchor.sequence) as it was noted elsewhere"
        }
    }
}

/// What was verified.
public struct AuditVerification: Sendable {
    public var findings: [AuditFinding] = []
    /// What is no sign of anybody's doing, and ought to be known.
    public var notes: [String] = []
    public var records: UInt64 = 0
    /// Anchors that the log contains.
    public var anchors = 0
    /// The last record, to be noted elsewhere.
    public var head: AuditAnchor?

    public var isSound: Bool { findings.isEmpty }
}

extension AuditLog {
    /// Goes through the whole log. Wants to be root: whether the end was cut off is told by the key.
    /// - Parameter anchors: records that were noted elsewhere, in images, certificates or on paper. Only they tell whether log
    ///   and key were both put back to an older state.
    public func verify(anchors: [AuditAnchor] = []) throws -> AuditVerification {
        let lock = try lock()
        defer { withExtendedLifetime(lock) {} }
        let ratchet = try ratchetFile.read()
        // One that is missing, or cannot be read, is a finding of its own.
        var chain = Chain(origin: try? originKey(), anchors: anchors)
        for file in try files() {
            let bytes = try readRegular(file, limit: 1 << 30)
            var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            // Behind the last newline stands nothing, or what an interrupted writer left.
            let rest = lines.popLast() ?? []
            for (number, line) in lines.enumerated() { chain.take(line, file: file, line: number + 1) }
            if rest.isEmpty { continue }
            // One that lacks nothing but its end is whole, as long as the key has not moved on.
            if let line = AuditLine(parsing: rest), line.record.sequence == ratchet?.sequence {
                chain.take(rest, file: file, line: lines.count + 1)
            } else {
                chain.takeFragment(rest, file: file, line: lines.count + 1)
            }
        }
        chain.finish(ratchet: ratchet)
        return chain.result
    }

    private func originKey() throws -> String {
        String(decoding: try readRegular(origin, limit: 256).prefix { $0 > 0x20 }, as: UTF8.self)
    }
}

/// The chain as far as it has been gone through.
private struct Chain {
    var result = AuditVerification()
    private var expected: UInt64 = 0
    private var previous = Digest.zero.hex
    /// The key by which the next record has to be signed; nil: whatever it says, since what announced it is missing.
    private var key: String?
    private var last: AuditRecord?
    /// Lines that are no records, since the last that was one.
    private var torn: [UInt8] = []
    private var tornPlace: (file: BytePath, line: Int)?
    private var anchors: Set<AuditAnchor>

    init(origin: String?, anchors: [AuditAnchor]) {
        key = origin
        self.anchors = Set(anchors)
        if origin == nil { result.findings.append(.originMissing) }
    }

    mutating func takeFragment(_ bytes: ArraySlice<UInt8>, file: BytePath, line: Int) {
        torn += bytes
        if tornPlace == nil { tornPlace = (file, line) }
    }

    mutating func take(_ bytes: ArraySlice<UInt8>, file: BytePath, line number: Int) {
        guard let line = AuditLine(parsing: bytes) else {
            return takeFragment(bytes + [UInt8(ascii: "\n")], file: file, line: number)
        }
        let record = line.record
        result.records += 1
        judgeTorn(by: record)
        if anchors.remove(line.anchor) != nil { result.anchors += 1 }
        if !line.isSigned {
            result.findings.append(.edited(sequence: record.sequence))
        } else if let key, record.key != key, isInOrder(record) {
            judgeKey(record)
        }
        judgePlace(record)
        if let last, record.seconds < last.seconds {
            result.notes.append("the clock was set back before record \(record.sequence)")
        }
        (expected, previous, key, last) = (record.sequence &+ 1, line.anchor.digest, record.next, record)
        result.head = line.anchor
    }

    private func isInOrder(_ record: AuditRecord) -> Bool { record.sequence == expected }

    /// A chain may begin anew, and says so; but what it says of itself convinces nobody.
    private mutating func judgeKey(_ record: AuditRecord) {
        result.findings.append(.foreignKey(sequence: record.sequence))
        if record.phase == .beginning, let text = record.text {
            result.notes.append("a new chain begins with record \(record.sequence): \(text)")
        }
    }

    private mutating func judgePlace(_ record: AuditRecord) {
        if record.sequence > expected {
            result.findings.append(.missing(first: expected, last: record.sequence - 1))
        } else if record.sequence < expected {
            result.findings.append(.misplaced(sequence: record.sequence))
        } else if record.previous != previous {
            result.findings.append(.unlinked(sequence: record.sequence))
        }
    }

    private mutating func judgeTorn(by record: AuditRecord) {
        defer { (torn, tornPlace) = ([], nil) }
        guard let place = tornPlace else {
            if record.torn != nil { result.findings.append(.unlinked(sequence: record.sequence)) }
            return
        }
        if record.torn == sha256(torn) {
            result.notes.append("a writer was interrupted before record \(record.sequence)")
        } else {
            result.findings.append(.inserted(file: place.file, line: place.line))
        }
    }

    mutating func finish(ratchet: Ratchet?) {
        for anchor in anchors.sorted(by: { $0.sequence < $1.sequence }) {
            result.findings.append(.anchorMissing(anchor))
        }
        guard let ratchet else {
            result.findings.append(.keyMissing)
            if let place = tornPlace { result.findings.append(.inserted(file: place.file, line: place.line)) }
            return
        }
        let isAtEnd = judgeEnd(ratchet)
        guard let place = tornPlace else { return }
        if isAtEnd, isCut(torn) {
            // The key has not moved on, so this line was never complete: what it was about to say did not begin.
            result.notes.append("the last line is torn: a writer was interrupted; the next record will say so")
        } else {
            result.findings.append(.inserted(file: place.file, line: place.line))
        }
    }

    /// Whether it is what interrupted writers leave: the beginning of a record, behind that of another, or no more than that one's end.
    private func isCut(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: UInt8(ascii: "\n")).allSatisfy { $0.starts(with: Array("{\"".utf8).prefix($0.count)) }
    }

    /// Whether the log ends where the key says.
    private mutating func judgeEnd(_ ratchet: Ratchet) -> Bool {
        guard let last else {
            if ratchet.sequence == 0 { return true }
            result.findings.append(.truncated(last: nil, signed: ratchet.sequence))
            return false
        }
        if ratchet.sequence > last.sequence + 1 {
            result.findings.append(.truncated(last: last.sequence, signed: ratchet.sequence))
        } else if ratchet.sequence < last.sequence {
            result.findings.append(.keyBehind(last: last.sequence, signed: ratchet.sequence))
        } else if ratchet.publicKey != (ratchet.sequence == last.sequence ? last.key : last.next) {
            result.findings.append(.keyForeign)
        } else {
            return true
        }
        return false
    }
}
