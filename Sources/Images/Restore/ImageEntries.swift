// What an image holds, one entry after the other, with its content: for whoever compares a restored tree with it. Where a part of the manifest is
// lost it goes on behind that, as a restore does.

internal import Glibc
public import Platform
public import Reporting

/// One entry of an image, where a restore puts it.
public struct ImageEntry: Sendable {
    /// Below the target of a restore, names joined by `/`; empty for the target itself.
    public var place: BytePath
    /// Below its source.
    public var path: BytePath
    public var source: BytePath
    /// Where it was on the machine.
    public var origin: BytePath
    public var kind: FileKind { entry.kind }
    public var size: UInt64 { entry.size }
    /// Of a further name of a file: where its first one is.
    public var first: BytePath?
    /// Its content is not whole in the image: it could not be read when it was backed up, or a part of the manifest is lost.
    public var isBroken = false
    /// Whether it is a volume of a disk, and no file of a tree.
    public var isVolumeOfDisk = false
    var entry: Entry
    var slices: [Slice] = []
}

/// Reads the entries of an image in their order, as often as it is asked to.
public final class ImageEntries {
    private let reader: any BatchedImageReader
    private var content: SliceContent
    private var chunks: (any ChunkProvider)?
    private let isSingleSource: Bool
    /// The source whose files are the volumes of a disk.
    private let disk: BytePath?

    // The walk's own state.
    private var source: BytePath = ""
    private var below: [[UInt8]] = []
    private var pending: ImageEntry?
    private var isLost = false

    /// - Parameter areSourcesApart: each source was restored to a folder of its own, and places are below that.
    /// - Throws: where the image can be read only once.
    public init(_ reader: any ImageReader, areSourcesApart: Bool = false) throws {
        guard let reader = reader as? any BatchedImageReader, reader.rewind() else {
            throw ImageError.library("an image that can be read only once cannot be compared")
        }
        self.reader = reader
        isSingleSource = areSourcesApart || (reader.label?.sources.count ?? 1) <= 1
        disk = reader.label.flatMap { $0.isOfDisk ? $0.sources.first : nil }
        content = try SliceContent()
    }

    /// Goes through all entries from the first on.
    /// - Parameters:
    ///   - losses: told of what is lost of the manifest.
    ///   - body: gets each entry once all that is known of it is known; its content can be read as long as it lasts.
    public func forEach(
        _ progress: Progress, losses: (Finding) -> Void, _ body: (ImageEntry) throws -> Void
    ) throws {
        _ = reader.rewind()
        defer { _ = reader.rewind() }
        (source, below, pending, isLost) = ("", [], nil, false)
        content.forget()
        while let batch = try reader.nextBatch() {
            try progress.checkStop()
            reader.problems().forEach(losses)
            chunks = batch.chunks
            guard let records = batch.records else {
                try lose(body)
                continue
            }
            do throws(FormatError) { try take(records, body) } catch {
                losses(Finding(.damaged, subject: reader.restoredSubject, error.description))
                try lose(body)
            }
            if let failure {
                self.failure = nil
                throw failure
            }
        }
        reader.problems().forEach(losses)
        try lose(body)
    }

    /// What a caller's body threw, apart from what is wrong with the image.
    private var failure: (any Error)?

    private func lose(_ body: (ImageEntry) throws -> Void) throws {
        if var entry = pending {
            pending = nil
            entry.isBroken = true
            try body(entry)
        }
        below = []
        isLost = true
    }

    private func take(_ records: [UInt8], _ body: (ImageEntry) throws -> Void) throws(FormatError) {
        var items = RecordReader(records)
        while failure == nil, let item = try items.next() {
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            switch record {
            case .position(let position): if isLost { resume(position) }
            case .source(let path):
                source = BytePath(path)
                below = []
            case .enter(let entry):
                below.append(entry.name)
                guard below.count <= Format.maximumDepth else { throw FormatError("a tree is deeper than any can be") }
                give(made(entry, nil), body)
            case .leave: _ = below.popLast()
            case .entry(let entry):
                // The end of the one before is missing.
                if var before = pending {
                    before.isBroken = true
                    give(before, body)
                }
                let made = made(entry, entry.name)
                if entry.contentFollows { pending = made } else { give(made, body) }
            case .content(let slices): pending?.slices += slices
            case .restart: pending?.slices = []
            case .finish(let remarks, let size):
                guard var entry = pending else { continue }
                pending = nil
                entry.entry.size = size
                entry.isBroken = remarks.contains(.unreadable)
                give(entry, body)
            }
        }
    }

    private func give(_ entry: ImageEntry, _ body: (ImageEntry) throws -> Void) {
        if pending?.place == entry.place { pending = nil }
        do { try body(entry) } catch { failure = failure ?? error }
    }

    /// Goes on after a loss. What is said of a file whose beginning is lost belongs to nothing that is known.
    private func resume(_ position: Position) {
        isLost = false
        source = BytePath(position.source)
        below = position.depth > 0 ? [source.lastComponent] : []
        below += position.path.split(separator: UInt8(ascii: "/")).map(Array.init)
        pending = nil
    }

    /// - Parameter name: of what is no folder; nil: the innermost folder itself.
    private func made(_ entry: Entry, _ name: [UInt8]?) -> ImageEntry {
        // The source's own name is the first on the way down.
        let inSource = Array(below.dropFirst()) + (name.map { [$0] } ?? [])
        var above = isSingleSource ? [] : source.components.map(Array.init)
        // A source that is no folder lies in the one that held it.
        if below.isEmpty, !above.isEmpty { above.removeLast() }
        func joined(_ names: [[UInt8]]) -> BytePath { BytePath(Array(names.joined(separator: [UInt8(ascii: "/")]))) }
        let path = joined(inSource)
        let origin = below.isEmpty ? source : inSource.reduce(source) { $0.appending($1) }
        var made = ImageEntry(
            place: joined(above + inSource), path: path, source: source, origin: origin, entry: entry,
            slices: entry.slices)
        made.isVolumeOfDisk = source == disk
        if entry.kind == .hardLink {
            made.first = joined(above + entry.target.split(separator: UInt8(ascii: "/")).map(Array.init))
        }
        made.isBroken = entry.remarks.contains(.unreadable)
        return made
    }

    // MARK: Content

    /// The content of a file, piece by piece: bytes, or the length of a hole.
    func readContent(
        of entry: ImageEntry, _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Bool
    ) throws {
        try content.read(
            entry.slices, from: chunks, of: reader.restoredSubject, at: entry.place.description, body)
    }
}
