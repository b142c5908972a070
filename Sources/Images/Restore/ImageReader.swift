// An image as a sequence of batches: a piece of the manifest, and whoever can read the chunks that it cites. A store and a
// pipe look the same from here.

internal import Cryptography
internal import Platform
public import Reporting
internal import Stores

/// An image that can be read, from a store or a single file.
public protocol ImageReader: AnyObject {
    /// nil for a single file on a pipe until its end has come.
    var label: ImageLabel? { get }
    /// nil where nobody knows it yet.
    var imageID: ObjectID? { get }
}

extension ImageReader {
    public var imageID: ObjectID? { (self as? SingleFileImageReader)?.rootID }
}

/// Reads chunks by their ids. Used by several threads at once.
protocol ChunkProvider: AnyObject, Sendable {
    /// Reads, opens, decompresses and checks a chunk; its content is in the workspace afterwards.
    /// - Throws: what `endsReading` says of where nothing more can be read; else the chunk is lost.
    func read(_ id: Digest, into workspace: ChunkWorkspace) throws
    /// Whether chunks of earlier batches can be read again.
    var isRandomAccess: Bool { get }
    /// A chunk will be read soon.
    func expect(_ id: Digest)
}

extension ChunkProvider {
    func expect(_ id: Digest) {}
}

extension ObjectStore {
    /// The error where nothing of the store can be read any more. Asked when something could not be read: that may be damage, or the store
    /// is gone, or somebody asked to stop.
    var lost: ImageError? {
        for name in [StoreName.header, StoreName.header + ".2"] {
            do throws(StoreError) {
                if try read(name, limit: 1 << 16) != nil { return nil }
            } catch { if error.reason == .interrupted { return ImageError(error) } }
        }
        return .gone(subject: subject)
    }
}

struct ManifestBatch {
    /// nil: the piece is lost; the next begins with a position.
    var records: [UInt8]?
    var chunks: any ChunkProvider
}

protocol BatchedImageReader: ImageReader {
    /// The next batch; nil at the end of the image.
    func nextBatch() throws -> ManifestBatch?
    /// Losses that concern no single file, such as a missing end.
    func problems() -> [Finding]
    var restoredSubject: String { get }
    /// How many chunks should be known before they are read, so that they come from afar meanwhile.
    var foresight: Int { get }
    /// Begins anew, where that can be done: what comes next is the first batch again.
    func rewind() -> Bool
    /// What can be known of it without its content. What comes next is what would have come.
    func lookAhead(_ progress: Progress) throws -> ImageForecast
}

extension BatchedImageReader {
    var foresight: Int { 0 }
    func rewind() -> Bool { false }
    func lookAhead(_ progress: Progress) throws -> ImageForecast { ImageForecast() }
}

/// Chunks in the volumes of a store.
final class VolumeChunks: ChunkProvider, @unchecked Sendable {
    private let store: Store
    private let index: ChunkIndex
    private let monitor = Monitor()
    private var readers: [UInt32: ObjectReader] = [:]
    /// Volumes of which something was expected.
    private var expected: Set<UInt32> = []
    private static let openVolumes = 32

    var isRandomAccess: Bool { true }

    private let group: Identifier

    init(store: Store, index: ChunkIndex, group: Identifier) {
        self.store = store
        self.index = index
        self.group = group
    }

    func expect(_ id: Digest) {
        // What is not found now is told by who reads it.
        guard store.objects.isFar, let location = try? index.locate(id) else { return }
        let volume = index.volumes[Int(location.volume)].reference  // safe: the index knows it
        let name = volume.name(.volume, group: group).text
        func expect(_ start: UInt64, _ end: UInt64) {
            let end = min(end, volume.length)
            if start < end { store.objects.expect(name, length: volume.length, start..<end) }
        }
        if monitor.withLock({ expected.insert(location.volume).inserted }) {
            // With what it is opened.
            expect(volume.length - min(volume.length, TailSource.tailLength), volume.length)
            expect(0, UInt64(Format.headerLength))
        }
        // safe: 32 bits
        let length = UInt64(Format.frameHeadLength) + UInt64(location.sealedLength)
        expect(location.offset, location.offset.addingReportingOverflow(length).partialValue)
    }

    func read(_ id: Digest, into workspace: ChunkWorkspace) throws {
        do { try readChunk(id, workspace) } catch {
            if let closed = store.closed(error) { throw closed }
            throw store.objects.lost ?? error
        }
    }

    private func readChunk(_ id: Digest, _ workspace: ChunkWorkspace) throws {
        guard let location = try index.locate(id) else {
            throw ImageError.damaged(subject: "chunk \(id.hex.prefix(16))", detail: "no volume has it")
        }
        let reader = try volume(location.volume)
        // The kind is in the frame's own head; both kinds are asked for by id.
        // safe: 32 bits
        guard let frame = reader.frame(at: location.offset), frame.length == Int(location.sealedLength) else {
            throw ImageError.damaged(subject: reader.subject, detail: "a frame is damaged at offset \(location.offset)")
        }
        try reader.readChunk(frame, id: id, workspace: workspace)
    }

    private func volume(_ number: UInt32) throws -> ObjectReader {
        if let known = monitor.withLock({ readers[number] }) { return known }
        // safe: the index knows it
        let reader = try store.volumeReader(index.volumes[Int(number)].reference, group: group)
        monitor.withLock {
            if readers.count >= Self.openVolumes { readers.removeAll() }
            readers[number] = reader
        }
        return reader
    }
}

extension ObjectReader {
    /// Opens a chunk from the first copy in which it is whole.
    func readChunk(_ frame: FrameHead, id: Digest?, workspace: ChunkWorkspace) throws {
        guard let objectKey, let group = try keyring.group(header.group) else {
            throw ImageError.wrongIdentity(store: subject)
        }
        var cipher = try AuthenticatedCipher(key: objectKey)
        var problem = "it has no copy"
        for copy in copies {
            do {
                let count = try open(frame, in: copy, workspace: workspace, cipher: &cipher)
                let head = try workspace.chunkHead(count)
                if let id, head.id != id { throw FormatError("it is another chunk than its directory says") }
                try workspace.decode(head, group: group)
                return
            } catch CryptographyError.authenticationFailed {
                problem = "its chunk at offset \(frame.offset) is not authentic"
            } catch { problem = "its chunk at offset \(frame.offset): \(error)" }
        }
        throw ImageError.damaged(subject: subject, detail: problem)
    }
}

/// An image in a store.
final class StoreImageReader: BatchedImageReader {
    let root: ImageRoot
    /// Where the store is, if that is a folder here.
    let storeFolder: FileIdentity?
    let storeSubject: String
    let foresight: Int
    let store: Store
    private let chunks: VolumeChunks
    private let workspace: ChunkWorkspace
    private var next = 0
    fileprivate var losses: [Finding] = []
    var label: ImageLabel? { root.label }
    var restoredSubject: String { "image \(root.id)" }
    var imageID: ObjectID? { root.id }

    init(store: Store, root: ImageRoot) throws {
        self.root = root
        self.store = store
        storeFolder = store.objects.localFolder
        storeSubject = store.subject
        foresight = store.objects.isFar ? 128 : 0
        workspace = try ChunkWorkspace()
        guard root.body != nil else {
            throw store.keyring.secret == nil
                ? ImageError.noIdentity(store: store.subject)
                : store.wrongIdentity(root.name, epoch: root.header.epoch)
        }
        let group = root.name.group
        let index = ChunkIndex(folder: store.machine.cache)
        // The index objects say where everything is; the signed root vouches for them, and every chunk is compared with its id.
        try store.add(root.named, group: group, to: index) { _, _ in true }
        for volume in root.volumes where !index.contains(volume.id) {
            let number = index.add(volume)
            do {
                // The directory or the signature is damaged or forged: the frames themselves say what they hold.
                let reader = try store.volumeReader(volume, group: group)
                try index.add(reader.rowsByScanning(workspace: workspace), volume: number)
            } catch {
                if let lost = store.objects.lost { throw lost }
                losses.append(
                    Finding(.damaged, subject: volume.name(.volume, group: group).text, explained(error).sentence))
            }
        }
        chunks = VolumeChunks(store: store, index: index, group: group)
    }

    func nextBatch() throws -> ManifestBatch? {
        guard let pieces = root.body?.pieces, next < pieces.count else { return nil }
        let piece = pieces[next]
        next += 1
        for coming in pieces.dropFirst(next).prefix(4) { chunks.expect(coming.id) }
        do {
            try chunks.read(piece.id, into: workspace)
            return ManifestBatch(records: Array(workspace.content), chunks: chunks)
        } catch let error as ImageError where error.endsReading {
            throw error
        } catch {
            losses.append(
                Finding(.damaged, subject: "manifest, part \(next) of \(pieces.count)", "\(error)"))
            return ManifestBatch(records: nil, chunks: chunks)
        }
    }

    func rewind() -> Bool {
        next = 0
        return true
    }

    /// Has its batches read from the first on; what is found damaged meanwhile is told when they are read again.
    func keepingPlace(_ body: () throws -> Void) rethrows {
        let (place, known) = (next, losses)
        next = 0
        defer { (next, losses) = (place, known) }
        try body()
    }

    func problems() -> [Finding] {
        defer { losses = [] }
        return losses
    }
}

extension Store {
    /// Opens an image for reading.
    /// - Parameter findings: told at once which newer images are gone; where there is none, whoever reads is told.
    public func imageReader(
        _ name: String, _ filter: ImageFilter = ImageFilter(), findings: Findings? = nil
    ) throws -> any ImageReader {
        do {
            var found = try find(name, filter)
            if let findings {
                found.lost.forEach(findings.add)
                found.lost = []
            }
            let reader = try StoreImageReader(store: self, root: image(found))
            reader.losses += found.remarks
            return reader
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
