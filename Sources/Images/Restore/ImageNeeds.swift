// What an image says is needed to restore its machine: a document that whoever makes the image gives, and that no restore reads.

internal import Cryptography
internal import Platform
internal import Reporting

extension BackupRequest {
    /// The longest that an image carries.
    public static let maximumNeedsLength = Format.maximumNeedsLength
}

/// Reads what an image says is needed to restore its machine. It is in the first piece of the manifest: little else is read.
/// - Returns: nil where it says nothing, as one of a folder.
/// - Throws: `ImageError` where that piece is lost.
public func needs(of reader: any ImageReader) throws -> [UInt8]? {
    try firstSource(of: reader, field: RecordKind.needsOfSource)
}

/// A field of the first *source* record of an image.
func firstSource(of reader: any ImageReader, field: UInt64) throws -> [UInt8]? {
    guard let reader = reader as? any BatchedImageReader else { return nil }
    do {
        while let batch = try reader.nextBatch() {
            if let problem = reader.problems().first(where: { $0.kind != .note }) {
                throw ImageError.damaged(subject: problem.subject, detail: problem.reason)
            }
            guard let records = batch.records else {
                throw ImageError.damaged(
                    subject: reader.restoredSubject, detail: "the beginning of its manifest is lost")
            }
            var items = RecordReader(records)
            while let item = try items.next() {
                if item.kind == .position { continue }
                guard item.kind == .source else { return nil }
                return try value(of: field, in: item.payload)
            }
        }
        return nil
    } catch let error as FormatError {
        throw ImageError.damaged(subject: reader.restoredSubject, detail: error.description)
    }
}

private func value(of tag: UInt64, in payload: WireReader) throws(FormatError) -> [UInt8]? {
    var reader = payload
    while let field = try reader.field() {
        guard field.tag == tag else { continue }
        var value = field.value
        guard value.remaining <= Format.maximumNeedsLength else {
            throw FormatError("what a source says is longer than any can be")
        }
        return value.rest()
    }
    return nil
}
