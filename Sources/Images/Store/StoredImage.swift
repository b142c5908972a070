// The images of a store: their roots, read, checked and found by name.

internal import Cryptography
internal import Platform

/// An image root, as far as the keys at hand open it.
struct ImageRoot: Sendable {
    var id: ObjectID
    var header: ObjectHeader
    var label: ImageLabel
    var volumes: [VolumeReference]
    /// nil without an identity.
    var body: ImageBody?

    /// Reads a root from its copies. Every part is authenticated and the signature is that of a writer of the store.
    init(_ reader: ObjectReader) throws {
        func damaged(_ detail: String) -> ImageError { .damaged(subject: reader.subject, detail: detail) }
        guard reader.header.type == .image else { throw damaged("it is no image root") }
        _ = try reader.verifySignature()
        let frames = reader.scan()
        func content(_ kind: FrameKind) throws -> [UInt8] {
            guard let frame = frames.first(where: { $0.kind == kind }) else { throw damaged("a part of it is missing") }
            return try reader.content(of: frame)
        }
        id = reader.header.id
        header = reader.header
        do {
            label = try ImageLabel(decoding: content(.label))
            volumes = try VolumeReference.decode(content(.volumes))
            body = reader.objectKey == nil ? nil : try ImageBody(decoding: content(.body))
        } catch let error as FormatError { throw damaged(error.description) }
    }
}

/// An image in a list.
public struct ImageSummary: Sendable {
    public var id: ObjectID
    /// nil: the label belongs to another group, or is damaged.
    public var label: ImageLabel?
    /// Why it cannot be used, or why a copy of it should be mended.
    public var problem: String?
    /// A damaged image, not merely one of another group.
    public var isDamaged = false
}

extension Store {
    /// The ids of all roots and checkpoints, both copies taken together.
    func rootIDs() throws -> [ObjectID] {
        let names = try objects.list("i").map(\.lastComponent)
        return Set(names.compactMap { ObjectID(hexadecimal: $0.hasSuffix(".2") ? $0.dropLast(2) : $0) }).sorted()
    }

    func rootReader(_ id: ObjectID) throws -> ObjectReader {
        var failure: (any Error)?
        let copies = [StoreName.image(id), StoreName.image(id) + ".2"].compactMap { name -> MemorySource? in
            do {
                return try objects.read(name, limit: Format.maximumSmallFrameLength).map(MemorySource.init)
            } catch {
                failure = error
                return nil
            }
        }
        // A copy that could not be read is not one that is missing: what the other one lacks may be in it.
        if copies.isEmpty, let failure { throw ImageError.wrapping(failure, subject: "image \(id)") }
        return try ObjectReader(copies, subject: "image \(id)", keyring: keyring)
    }

    /// What an interrupted run leaves of a root or a checkpoint: one copy, without its end. A root that was whole once has two.
    /// A copy that cannot be read is an error: it is no leftover for that.
    func isLeftover(_ id: ObjectID) throws -> Bool {
        let copies = try objects.copies(StoreName.image(id))
        guard copies.count == 1, let copy = copies.first else { return false }
        return try !copy.isWhole()
    }

    /// Whether a run ended between the two copies of its root: the second is whole, the first is missing or shorter. That is no
    /// damage; the next run of the same machine writes the first copy.
    func isFirstCopyUnfinished(_ id: ObjectID) throws -> Bool {
        let name = StoreName.image(id)
        guard let second = try objects.open(name + ".2"), try second.isWhole() else { return false }
        guard let first = try objects.open(name) else { return true }
        return try first.length < second.length && !first.isWhole()
    }

    /// Writes the first copy of such a root.
    func finishFirstCopy(_ id: ObjectID) throws {
        let name = StoreName.image(id)
        guard try isFirstCopyUnfinished(id),
            let bytes = try objects.read(name + ".2", limit: Format.maximumSmallFrameLength)
        else { return }
        try objects.remove(name)
        try objects.put(name, bytes)
    }

    func image(_ id: ObjectID) throws -> ImageRoot { try ImageRoot(rootReader(id)) }

    /// All images, the oldest first. What interrupted runs left is not among them.
    public func images() throws -> [ImageSummary] {
        var result: [ImageSummary] = []
        for id in try rootIDs() {
            do {
                let reader = try rootReader(id)
                if reader.header.type != .image { continue }
                if reader.indexKey == nil {
                    result.append(ImageSummary(id: id, label: nil, problem: "of another group"))
                    continue
                }
                result.append(ImageSummary(id: id, label: try ImageRoot(reader).label))
            } catch {
                // Where nobody can tell, it is shown: a list that is too long costs less than one that hides an image.
                if (try? isLeftover(id)) == true { continue }
                result.append(ImageSummary(id: id, label: nil, problem: "\(error)", isDamaged: true))
            }
        }
        return result.sorted {
            ($0.label?.time ?? Timestamp(seconds: .min, nanoseconds: 0), $0.id)
                < ($1.label?.time ?? Timestamp(seconds: .min, nanoseconds: 0), $1.id)
        }
    }

    /// Finds an image by its name, a unique prefix of its id, or `latest`.
    func find(_ name: String) throws -> ObjectID {
        let all = try images().filter { $0.label != nil }
        func describe(_ images: [ImageSummary]) -> [String] {
            images.map { "\($0.id) (\($0.label?.name ?? "")\($0.label.map { ", " + $0.host } ?? ""))" }
        }
        let candidates: [ImageSummary]
        if name == "latest" {
            let ofHost = all.filter { $0.label?.host == HostFacts.hostName }
            // A new machine asks for the images of the old one, which has another name.
            let hosts = Set(all.compactMap(\.label?.host))
            let pool = ofHost.isEmpty && hosts.count == 1 ? all : ofHost
            if ofHost.isEmpty && hosts.count > 1 {
                throw ImageError.ambiguousImage(name: name, candidates: describe(all))
            }
            // The newest by parentage: the clock of a machine with an empty battery goes wrong.
            let parents = Set(pool.compactMap(\.label?.parent))
            candidates = (pool.last { !parents.contains($0.id) } ?? pool.last).map { [$0] } ?? []
        } else {
            let exact = all.filter { $0.label?.name == name || $0.id.description == name }
            candidates = !exact.isEmpty ? exact : name.count < 4 ? [] : all.filter { $0.id.description.hasPrefix(name) }
        }
        guard let found = candidates.first else { throw ImageError.noSuchImage(name: name) }
        if candidates.count > 1 { throw ImageError.ambiguousImage(name: name, candidates: describe(candidates)) }
        return found.id
    }

    // MARK: Index

    /// Reads the directory of a volume that a root names, and checks it against the root.
    func directory(of volume: VolumeReference) throws -> [DirectoryRow] {
        let reader = try volumeReader(volume.id)
        guard let rows = reader.directory() else {
            throw ImageError.damaged(subject: reader.subject, detail: "its directory is lost")
        }
        guard try reader.verifySignature(rows: rows) == volume.digest, reader.length == volume.length else {
            throw ImageError.damaged(subject: reader.subject, detail: "it is not the volume that the image names")
        }
        return rows
    }

    func volumeReader(_ id: ObjectID) throws -> ObjectReader {
        let name = StoreName.volume(id)
        let copies = try objects.readableCopies(name)
        if copies.isEmpty { throw ImageError.damaged(subject: "volume \(id)", detail: "it is missing") }
        return try ObjectReader(copies, subject: "volume \(id)", keyring: keyring)
    }

    /// The writer's index: all volumes that roots of its group name, brought up to date with the store.
    /// - Returns: the index and the roots that it covers.
    func writerIndex(machine: MachineState) throws -> (index: ChunkIndex, roots: Set<ObjectID>) {
        guard let writer = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let folder = machine.cacheFolder(of: id)
        do throws(SystemError) { try makeFolders(folder) } catch { throw ImageError(error) }
        let all = try rootIDs()
        var (index, roots) =
            ChunkIndex.load(from: Self.indexPath(folder, writer), folder: folder) ?? (ChunkIndex(folder: folder), [])
        // A root that is gone may have been the last to name a volume: what it named is no longer citable.
        if !roots.isSubset(of: all) { (index, roots) = (ChunkIndex(folder: folder), []) }
        let damaged = try damagedVolumes()
        for id in all where !roots.contains(id) {
            guard let reader = try? rootReader(id), reader.header.group == writer.group.id,
                reader.header.epoch == writer.epoch, reader.header.type == .image, let root = try? ImageRoot(reader)
            else { continue }
            try add(root.volumes.filter { !damaged.contains($0.id) }, to: index)
            roots.insert(id)
        }
        // A volume that has vanished, become shorter or been marked as damaged holds nothing.
        var lengths: [ObjectID: UInt64] = [:]
        for object in try objects.list("v") {
            guard let (id, _) = StoreName.volumeID(object.name) else { continue }
            lengths[id] = max(lengths[id] ?? 0, object.length)
        }
        for (number, volume) in index.volumes.enumerated()
        where lengths[volume.reference.id] != volume.reference.length || damaged.contains(volume.reference.id) {
            index.markAbsent(UInt32(number))
        }
        return (index, roots)
    }

    static func indexPath(_ folder: BytePath, _ writer: WriterKey) -> BytePath {
        folder.appending("\(writer.group.id)-\(writer.epoch).index")
    }

    /// Adds the volumes that the index does not know; one whose directory is damaged is left out: its chunks count as absent.
    func add(_ volumes: [VolumeReference], to index: ChunkIndex) throws {
        for volume in volumes where !index.contains(volume.id) {
            guard let rows = try? directory(of: volume) else { continue }
            try index.add(rows, volume: index.add(volume))
        }
    }
}
