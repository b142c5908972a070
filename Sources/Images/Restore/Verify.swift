// Verification: is everything there, is it what was signed, and can it be opened. It never stops at damage and never writes.

public import Cryptography
internal import Platform
public import Reporting
internal import Stores

public struct VerifyReport: Sendable {
    public var images: UInt64 = 0
    public var volumes: UInt64 = 0
    public var chunks: UInt64 = 0
    public var bytesRead: UInt64 = 0
    public var entries: UInt64 = 0
    public var findings: UInt64 = 0
    /// Images that the keys at hand do not open, or of which an identity at hand does not open the content: they were not checked, or not
    /// wholly.
    public var unopenedImages: UInt64 = 0
    /// Key files that no record of the store names.
    public var strayKeyFiles: UInt64 = 0
    /// Whether every chunk was read.
    public var readData = false
    /// The volumes that were looked at.
    var judged: [JudgedVolume] = []
    /// The images of which everything was found whole.
    var whole: [ImageRoot] = []

    /// Volumes of which a copy is damaged.
    public var damagedVolumes: [ObjectID] { judged.filter(\.isDamaged).map(\.reference.id) }

    struct JudgedVolume: Sendable {
        var group: Identifier
        var reference: VolumeReference
        var isDamaged: Bool
    }
}

extension Store {
    /// Checks the whole store, or what one image or those of a filter need.
    /// - Parameters:
    ///   - readData: opens, decompresses and hashes every chunk; otherwise content is only known to be listed.
    ///   - identities: their own age files are opened.
    public func verify(
        image name: String?, _ filter: ImageFilter = ImageFilter(), readData: Bool, identities: [AgeIdentity] = [],
        progress: Progress, findings: Findings
    ) throws -> VerifyReport {
        do {
            if readData && keyring.secret == nil { throw ImageError.stewardReadsNothing(store: subject) }
            let verifier = Verifier(store: self, identities: identities, progress: progress, findings: findings)
            let isWhole = name == nil && filter.isEmpty
            let found = isWhole ? nil : try chosen(name.map { [$0] } ?? [], filter)
            found?.forEach { image in ((image.note.map { [$0] } ?? []) + image.lost).forEach(findings.add) }
            return try verifier.run(images: found?.map(\.name), readData: readData)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

final class Verifier: @unchecked Sendable {
    let store: Store
    private let identities: [AgeIdentity]
    let progress: Progress
    let findings: Findings
    let monitor = Monitor()
    var report = VerifyReport()
    /// Of each volume the chunks of which a copy is bad: another volume may hold the same whole.
    var bad: [ObjectID: Set<Digest>] = [:]
    var damagedVolumes: Set<ObjectID> = []
    /// What the directory of a volume says, of those that have one: a digest of its rows.
    private var directories: [ObjectID: Digest] = [:]
    /// Volumes whose content the keys at hand do not open.
    private(set) var sealed: Set<ObjectID> = []
    /// Volumes that the server does not let this key read.
    private var hidden: Set<VolumeReference> = []
    /// Images that lack something.
    var incomplete: Set<ObjectID> = []
    /// Why nothing more could be read.
    private var ended: ImageError?

    init(store: Store, identities: [AgeIdentity], progress: Progress, findings: Findings) {
        self.store = store
        self.identities = identities
        self.progress = progress
        self.findings = findings
    }

    /// Names damage, where it is that: nothing can be said of a store that is gone, nor once somebody asked to stop.
    func damaged(_ name: String, _ reason: String) { damaged(name, reason, cause: nil) }

    /// - Parameter cause: what has many of them.
    private func damaged(_ name: String, _ reason: String, cause: String?) {
        if let lost = store.objects.lost { return monitor.withLock { ended = ended ?? lost } }
        findings.add(Finding(.damaged, subject: name, reason, cause: cause))
    }

    func checkStop() throws {
        try progress.checkStop()
        if let ended = monitor.withLock({ ended }) { throw ended }
    }

    func run(images: [ObjectName]?, readData: Bool) throws -> VerifyReport {
        if images == nil {
            report.strayKeyFiles = try PlainFileCheck(store: store, identities: identities, report: damaged).run()
            try checkStatements()
        }
        let roots = try images?.compactMap { try root(store.listed($0)) } ?? allRoots()
        report.readData = readData
        // Volumes and chunk ids belong to a group; each is a world of its own.
        for (group, roots) in Dictionary(grouping: roots, by: \.name.group).sorted(by: { $0.key < $1.key }) {
            let index = ChunkIndex(folder: store.machine.cache)
            let volumes = Set(roots.flatMap(\.volumes)).sorted { $0.id < $1.id }
            if readData {
                progress.expect(bytes: volumes.saturatingSum(of: \.length), items: 0)
            }
            try check(volumes, group: group, index: index, readData: readData)
            try checkStop()
            nameCondemned(volumes, neededBy: roots, group: group, readData: readData)
            try checkIndexObjects(roots, of: Set(volumes), group: group)
            let hidden = Set(volumes).intersection(hidden)
            try checkHidden(hidden, group: group)
            // A manifest that may not be read is checked by who may.
            let open = roots.filter { hidden.isDisjoint(with: $0.volumes) }
            try check(open, group: group, indexOfAll: index)
            incomplete.formUnion(Set(roots.map(\.id)).subtracting(open.map(\.id)))
            // Of a volume whose content was not read nobody says that it is whole.
            report.judged += volumes.filter {
                !hidden.contains($0) && (!readData || !sealed.contains($0.id)) || damagedVolumes.contains($0.id)
            }
            .map {
                VerifyReport.JudgedVolume(
                    group: group, reference: $0, isDamaged: damagedVolumes.contains($0.id))
            }
        }
        try checkStop()
        report.whole = roots.filter { root in
            !incomplete.contains(root.id) && root.body != nil
                && !root.volumes.contains { damagedVolumes.contains($0.id) }
        }
        if report.unopenedImages > 0 {
            let count = report.unopenedImages
            findings.add(
                Finding(
                    .unreadable, subject: store.subject,
                    "\(count) \(count == 1 ? "image" : "images") cannot be opened with the keys at hand: "
                        + (count == 1 ? "it was not checked" : "they were not checked")))
        }
        if !hidden.isEmpty {
            let count = hidden.count
            findings.add(
                Finding(
                    readData || store.objects.probed == nil ? .unreadable : .note, subject: store.subject,
                    "\(count) \(count == 1 ? "volume" : "volumes") may be listed with this key and not read: "
                        + "\(count == 1 ? "it is" : "they are") there, and as long as the images say"))
        }
        report.findings = findings.count
        return report
    }

    /// Of what may not be read there is still its length.
    private func checkHidden(_ hidden: Set<VolumeReference>, group: Identifier) throws {
        for volume in try store.vanished(Array(hidden), group: group) {
            damaged(volume.name(.volume, group: group).text, "it is not there, or has another length")
            note(volume.id)
        }
    }

    // MARK: Roots

    private func allRoots() throws -> [ImageRoot] { try store.listedForReading(.image).compactMap { try root($0) } }

    /// A root, each copy checked for itself.
    private func root(_ object: ListedObject) throws -> ImageRoot? {
        let name = object.name
        do {
            let reader = try store.smallReader(name)
            if reader.objectKey == nil && reader.indexKey == nil {
                // What nobody with the right has signed, or whose right was ended, is none that would have to be checked.
                if try store.isLeftover(object) { return nil }
                let proof = try reader.verifySignature()
                if store.revokes(name, digest: proof.digest) { return nil }
                report.unopenedImages += 1
                return nil
            }
            let root = try ImageRoot(reader)
            try checkCopies(of: object)
            if let objection = store.objection(to: root) {
                damaged(name.text, objection)
                return nil
            }
            // A steward's key and a machine's own open no content at all, and are not expected to.
            if root.body == nil && store.keyring.secret != nil {
                report.unopenedImages += 1
                incomplete.insert(name.id)
            } else {
                report.images += 1
            }
            return root
        } catch {
            // Where nobody can tell, it is named.
            if (try? store.isLeftover(object)) == true { return nil }
            damaged(name.text, "\(error)")
            return nil
        }
    }

    /// Names what is wrong with either copy of a root that is whole in both together.
    private func checkCopies(of object: ListedObject) throws {
        let name = object.name
        let ended = "Either its run ended before it was finished, or this copy was"
        if object.first == nil {
            // Its machine's to finish; or somebody took the first copy of one that was finished, and it counts no more.
            damaged(
                name.text,
                "this copy is missing; the other copy is whole. \(ended) removed since: it restores by its id alone")
            incomplete.insert(name.id)
        }
        for copy in object.first == nil ? [name.second] : name.both {
            guard let bytes = try store.objects.read(copy, limit: Format.maximumRootLength) else {
                damaged(copy, "this copy is missing; the other one is whole")
                continue
            }
            do {
                let alone = try ObjectReader([MemorySource(bytes)], subject: copy, keyring: store.keyring, name: name)
                _ = try ImageRoot(alone)
                try alone.checkEnds()
            } catch {
                // The first copy is written last: a run that is killed meanwhile leaves its beginning, and the machine's next one the rest.
                if copy == name.text, let second = try store.objects.read(name.second, limit: Format.maximumRootLength),
                    bytes.count < second.count, second.starts(with: bytes)
                {
                    damaged(copy, "this copy ends too early; the other copy is whole. \(ended) cut off since")
                } else {
                    damaged(copy, "\(error); the other copy is whole")
                }
            }
        }
    }

    // MARK: Volumes

    private struct Job: Sendable {
        var reader: ObjectReader
        var row: DirectoryRow
        var name: String
        var volume: ObjectID
    }

    private func note(_ volume: ObjectID) { monitor.withLock { _ = damagedVolumes.insert(volume) } }

    private func check(
        _ volumes: [VolumeReference], group: Identifier, index: ChunkIndex, readData: Bool
    ) throws {
        let queue = BoundedQueue<Job>(capacity: 4 * processorCount)
        let workers = try (0..<processorCount).map { _ in
            let workspace = try ChunkWorkspace()
            return WorkerThread { [self] in
                while let job = queue.pop() { open(job, workspace) }
            }
        }
        defer {
            queue.close()
            workers.forEach { $0.join() }
        }
        let workspace = try ChunkWorkspace()
        for volume in volumes {
            try checkStop()
            report.volumes += 1
            let place = volume.name(.volume, group: group)
            let name = place.text
            let whole: ObjectReader
            do {
                whole = try store.volumeReader(volume, group: group)
                if whole.objectKey == nil { sealed.insert(volume.id) }
            } catch  where ImageError.storeFailure(error)?.reason == .refused {
                // That somebody lacks a right is no damage of the volume, and marks nothing.
                hidden.insert(volume)
                continue
            } catch {
                damaged(name, explained(error).sentence)
                note(volume.id)
                continue
            }
            // What a restore would find, damage and all.
            let directory = whole.directory()
            if let directory { directories[volume.id] = try sha256(DirectoryRow.encode(directory)) }
            let rows = directory ?? whole.rowsByScanning(workspace: workspace)
            try index.add(rows, volume: index.add(volume))
            for name in copiesToCheck(of: volume, at: place, type: whole.header.type) {
                // One that cannot be opened was named there.
                if readData, let copy = try? store.objects.openIfPresent(name),
                    // As above.
                    let alone = try? ObjectReader([copy], subject: name, keyring: store.keyring),
                    // That keys do not fit is no damage: the images that need them are counted.
                    alone.objectKey != nil
                {
                    for row in rows { queue.push(Job(reader: alone, row: row, name: name, volume: volume.id)) }
                }
            }
        }
    }

    /// Checks each copy that there has to be but for its chunks, and names what is wrong: both of a metadata volume. Any other has one;
    /// the second beside it stands for a torn first one that could not be replaced.
    private func copiesToCheck(of volume: VolumeReference, at place: ObjectName, type: ObjectType) -> [String] {
        var copies: [String] = []
        for name in type == .metadataVolume ? place.both : [place.text] {
            do { try check(name, of: volume, at: place) } catch {
                // Where that is not whole either the first one is named.
                if type != .metadataVolume, (try? check(place.second, of: volume, at: place)) != nil {
                    return [place.second]
                }
                damaged(name, "\(error)")
                note(volume.id)
            }
            copies.append(name)
        }
        return copies
    }

    private func check(_ name: String, of volume: VolumeReference, at place: ObjectName) throws {
        guard let copy = try store.objects.openIfPresent(name) else { throw FormatError("it is missing") }
        let alone = try ObjectReader([copy], subject: name, keyring: store.keyring, name: place)
        try alone.checkEnds()
        guard try alone.verifySignature().digest == volume.digest, copy.length == volume.length else {
            throw FormatError("it is not the volume that the image names")
        }
    }

    private func open(_ job: Job, _ workspace: ChunkWorkspace) {
        do {
            guard let frame = job.reader.frame(at: job.row.offset), frame.length == job.row.sealedLength else {
                throw FormatError("a frame is damaged at offset \(job.row.offset)")
            }
            try job.reader.readChunk(frame, id: job.row.id, workspace: workspace)
            let count = UInt64(workspace.content.count)
            monitor.withLock {
                report.chunks += 1
                report.bytesRead += count
            }
        } catch {
            monitor.withLock { _ = bad[job.volume, default: []].insert(job.row.id) }
            note(job.volume)
            damaged(job.name, "\(error)", cause: job.name)
        }
        progress.add(bytes: UInt64(job.row.sealedLength))  // safe: 32 bits
    }

    /// Whether index objects say what the volumes' own directories say.
    private func checkIndexObjects(_ roots: [ImageRoot], of volumes: Set<VolumeReference>, group: Identifier) throws {
        for reference in Set(roots.flatMap(\.named.indexes)).sorted(by: { $0.id < $1.id }) {
            try checkStop()
            do {
                try store.forEachIndexPart(of: reference, group: group) { part in
                    // Of volumes that are not looked at here nothing is said; damaged ones were named already. Others have to agree row by
                    // row: a chunk that is said to be where another one is would be cited there, and lost.
                    guard volumes.contains(part.volume), let directory = directories[part.volume.id] else { return }
                    guard try sha256(DirectoryRow.encode(part.rows)) == directory else {
                        throw FormatError("it says something else of volume \(part.volume.id.short) than its directory")
                    }
                }
            } catch {
                damaged(reference.name(.index, group: group).text, explained(error).sentence)
                for root in roots where root.named.indexes.contains(reference) {
                    _ = incomplete.insert(root.id)
                }
            }
        }
    }
}
