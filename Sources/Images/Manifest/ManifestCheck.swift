// The writer's look at its own manifest, before anything names it: with the eyes of a reader, record by record.

internal import Platform

/// Reads a piece of a manifest as a reader would, from its position on.
/// - Throws: `ImageError` where a reader would refuse any of it: then no image is made of it.
func checkManifest(_ piece: [UInt8]) throws(ImageError) {
    do throws(FormatError) {
        guard piece.count <= Format.maximumChunkLength else { throw FormatError("a piece is too long") }
        var reader = RecordReader(piece)
        guard let first = try reader.next(), case .position(let position)? = try Record(first) else {
            throw FormatError("a piece does not begin with its position")
        }
        var depth = position.depth
        while let item = try reader.next() {
            switch try Record(item) {
            case .enter: depth += 1
            case .leave: depth -= 1
            case .position, nil: throw FormatError("a record is in the wrong place")
            case .source, .entry, .content, .restart, .finish: break
            }
            guard depth >= 0 else { throw FormatError("a directory is left that was not entered") }
            guard depth <= Format.maximumDepth else { throw FormatError("a tree is deeper than any can be") }
        }
    } catch {
        throw ImageError.library(
            "the image is not finished, since no restore would take what it says of a file: \(error.description)")
    }
}

extension Record {
    fileprivate init?(_ item: RecordReader.Item) throws(FormatError) {
        try self.init(kind: item.kind, payload: item.payload)
    }
}
