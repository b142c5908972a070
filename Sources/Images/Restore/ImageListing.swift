// What an image holds, entry by entry, without restoring it: for comparisons.

internal import Cryptography
public import Platform
internal import Reporting

/// One entry of a tree, in an image or on a disk, as comparisons see it.
public struct ListedEntry: Sendable {
    /// Below the root of the tree; empty for the root itself.
    public var path: BytePath
    public var kind: FileKind
    public var mode: UInt32 = 0
    public var user: UInt32 = 0
    public var group: UInt32 = 0
    public var size: UInt64 = 0
    public var modified = Timestamp(seconds: 0, nanoseconds: 0)
    /// Of a symbolic link.
    public var target: [UInt8] = []
    public var nodeMajor: UInt32 = 0
    public var nodeMinor: UInt32 = 0
    /// nil where they were not read.
    public var attributes: [ExtendedAttribute]?
    public var flags: UInt32?
    /// Where another file system or subvolume begins: nothing below it belongs to the tree.
    public var isBorder = false
    /// What is in it could not be looked at, or lies too deep.
    public var isUnseen = false
    /// The content of a file in an image.
    var slices: [Slice] = []

    public init(path: BytePath, kind: FileKind) {
        self.path = path
        self.kind = kind
    }

    init(_ entry: Entry, at path: BytePath) {
        self.init(path: path, kind: entry.kind)
        mode = entry.mode
        user = entry.user
        group = entry.group
        size = entry.size
        modified = entry.modified
        target = entry.target
        nodeMajor = entry.nodeMajor
        nodeMinor = entry.nodeMinor
        attributes = entry.attributes
        flags = entry.flags
        slices = entry.slices
    }
}

/// The entries of an image, source by source, each in the order of their names: a folder before what is in it. Paths are those below the source.
public final class ImageListing {
    public private(set) var entries: [ListedEntry] = []
    /// The sources, and which of the entries are theirs.
    public private(set) var parts: [(source: BytePath, entries: Range<Int>)] = []
    private let reader: any BatchedImageReader
    private var content: SliceContent
    private var chunks: (any ChunkProvider)?
    /// The first names of files with several.
    private var firsts: [[UInt8]: Int] = [:]

    init(_ reader: any BatchedImageReader) throws {
        self.reader = reader
        content = try SliceContent()
        var below: [[UInt8]] = []
        func path(_ name: [UInt8]? = nil) -> BytePath {
            // The source's own name is the first on the way down.
            BytePath(Array((below.dropFirst() + (name.map { [$0] } ?? [])).joined(separator: [UInt8(ascii: "/")])))
        }
        while let batch = try reader.nextBatch() {
            if let problem = reader.problems().first {
                throw ImageError.damaged(subject: problem.subject, detail: problem.reason)
            }
            guard let records = batch.records else { continue }
            chunks = batch.chunks
            var items = RecordReader(records)
            while let item = try items.next() {
                guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
                switch record {
                case .position: break
                case .source(let path):
                    endPart()
                    parts.append((BytePath(path), entries.count..<entries.count))
                    // A name in one source is no other name of a file in another.
                    firsts = [:]
                case .enter(let entry):
                    below.append(entry.name)
                    entries.append(ListedEntry(entry, at: path()))
                case .leave: _ = below.popLast()
                case .entry(let entry): add(entry, at: path(entry.name))
                case .content(let slices):
                    if !entries.isEmpty { entries[entries.count - 1].slices += slices }
                case .restart: if !entries.isEmpty { entries[entries.count - 1].slices = [] }
                case .finish(_, let size): if !entries.isEmpty { entries[entries.count - 1].size = size }
                }
            }
        }
        endPart()
    }

    private func endPart() {
        guard let last = parts.popLast() else { return }
        parts.append((last.source, last.entries.lowerBound..<entries.count))
    }

    private func add(_ entry: Entry, at path: BytePath) {
        var listed = ListedEntry(entry, at: path)
        if entry.kind == .hardLink, let first = firsts[entry.target] {
            // Another name of a file: the same in everything but its name.
            listed = entries[first]
            listed.path = path
        } else if entry.kind == .file {
            firsts[path.bytes] = entries.count
        }
        entries.append(listed)
    }

    /// Gives the content of a file to `body`, piece by piece: bytes, or the length of a hole.
    public func readContent(
        of entry: ListedEntry, _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Void
    ) throws {
        try content.read(entry.slices, from: chunks, of: reader.restoredSubject, at: entry.path.description) {
            try body($0, $1)
            return true
        }
    }
}

extension Store {
    /// What an image holds.
    /// - Parameter name: a name, the beginning of an id, or `latest`.
    public func listing(of name: String, _ filter: ImageFilter = ImageFilter()) throws -> ImageListing {
        try listing(of: find(name, filter))
    }

    public func listing(of image: ImageSummary) throws -> ImageListing {
        do {
            return try ImageListing(StoreImageReader(store: self, root: self.image(image)))
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

extension SingleFile {
    /// What an image in a file of its own holds.
    public static func listing(
        of path: BytePath, credentials: Credentials, machine: MachineState
    ) throws -> ImageListing {
        do {
            return try ImageListing(
                SingleFileImageReader(path, credentials: credentials, machine: machine, stop: Stop()))
        } catch { throw ImageError.wrapping(error, subject: path.description) }
    }
}
