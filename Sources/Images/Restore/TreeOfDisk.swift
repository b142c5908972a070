// A tree that lies in the image of a disk, handed on to whoever restores trees: it is read up to the next source.

internal import Cryptography
internal import Platform
internal import Reporting

/// One tree of an image of a disk, as an image of its own.
final class TreeOfDisk: BatchedImageReader {
    private let path: BytePath
    private let reader: any BatchedImageReader
    private var first: ManifestBatch?
    private var isAfterLoss: Bool
    /// Its beginning is lost, which whoever restores it is to be told first.
    private var isToldLoss: Bool
    private var hasSource: Bool
    private var isAtEnd = false
    /// What was read beyond its end.
    private(set) var rest: ManifestBatch?
    let label: ImageLabel?
    var imageID: ObjectID? { reader.imageID }
    var restoredSubject: String { reader.restoredSubject }
    var foresight: Int { reader.foresight }

    /// - Parameters:
    ///   - left: bytes of content that are still to come.
    ///   - isAfterLoss: whether `first` is no beginning: it says where in the tree it is.
    init(
        _ path: BytePath, _ first: ManifestBatch, of reader: any BatchedImageReader, left: UInt64,
        isAfterLoss: Bool = false
    ) {
        self.isAfterLoss = isAfterLoss
        isToldLoss = !isAfterLoss
        hasSource = isAfterLoss
        self.path = path
        self.first = first
        self.reader = reader
        label = reader.label.map { label in
            var label = label
            label.sources = [path]
            // What is in it are files, and no streams of a disk.
            label.roles.removeAll { $0 == ImageLabel.diskRole }
            label.entries = 0
            label.contentBytes = left
            return label
        }
    }

    func problems() -> [Finding] { reader.problems() }

    func nextBatch() throws -> ManifestBatch? {
        if isAtEnd { return nil }
        if !isToldLoss, let first {
            isToldLoss = true
            return ManifestBatch(records: nil, chunks: first.chunks)
        }
        guard var batch = try first.take() ?? reader.nextBatch() else {
            isAtEnd = true
            return nil
        }
        guard let records = batch.records else {
            isAfterLoss = true
            return batch
        }
        var items = RecordReader(records)
        while let item = try items.next() {
            // What is missing may have been the end of this tree.
            if item.kind == .position, isAfterLoss {
                isAfterLoss = false
                if try Position(decoding: item.payload).source != path.bytes { return end(before: 0, batch, records) }
            }
            guard item.kind == .source else { continue }
            if hasSource { return end(before: item.record.lowerBound, batch, records) }
            hasSource = true
        }
        batch.records = records
        return batch
    }

    /// The next source begins within a batch.
    private func end(before offset: Int, _ batch: ManifestBatch, _ records: [UInt8]) -> ManifestBatch? {
        isAtEnd = true
        rest = ManifestBatch(records: Array(records[offset...]), chunks: batch.chunks)
        return offset == 0 ? nil : ManifestBatch(records: Array(records[..<offset]), chunks: batch.chunks)
    }
}
