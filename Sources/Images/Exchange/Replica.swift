// Replicas of one store: whole objects, copied as they are, which needs no key.

internal import Cryptography
internal import Glibc
public import Platform
public import Reporting
public import Stores

extension Store {
    /// Makes `target` a replica of `source`, or brings it up to date: copies what it lacks, object by object, and changes nothing.
    ///
    /// What others name comes before them, so an interrupted copy has only whole images; the next one goes on.
    /// - Parameters:
    ///   - readData: whether what the replica has already is compared to its last byte, and made anew where it is damaged. Of a data volume
    ///     an identity tells which one is.
    ///   - images: names, ids or prefixes of ids; all where there is none. They need a key.
    ///   - filter: of which series or host they are, which needs a key, too.
    ///   - mayEndImages: whether images that the target alone has may count no more for newer records.
    ///   - place: where the target is, in the words of `MachineState.place`: what it has now is remembered as seen there.
    ///   - isStore: called with the store's id once the target is one, before anything else is copied.
    public static func replicate(
        _ source: any ObjectStore, to target: any ObjectStore, images: [String], _ filter: ImageFilter = ImageFilter(),
        readData: Bool = false, credentials: Credentials, machine: MachineState, place: BytePath? = nil,
        progress: Progress, findings: Findings, mayEndImages: Bool = false, isStore: (String) -> Void = { _ in }
    ) throws -> CopyReport {
        // Every byte is what the stores have now.
        let (source, target) = (source.uncached, target.uncached)
        do {
            let header = try StoreHeader.read(source)
            // Whatever is pinned for this store holds for its copies, too.
            let store = try Opening(source, credentials: credentials, machine: machine, isWriting: false)
            if try exists(target) {
                if try StoreHeader.read(target) != header { throw ImageError.folderInUse(path: target.subject) }
                try refuseOlderRoot(of: store, in: target)
                try refuseContradiction(store.chain, in: target, header)
                try refuseEnding(imagesIn: target, by: store, isAccepted: mayEndImages, findings)
            } else {
                if try !isFree(target) { throw ImageError.folderInUse(path: target.subject) }
                try StoreHeader.removeCut(from: target)
                // A rescue system may remember nothing.
                try? machine.looking(at: place).remember(header.store) { $0.begin() }
            }
            // What a copy does not know of records, its copies do not either.
            store.findings.forEach(findings.add)
            let check = try ReplicaCheck(store, target, credentials: credentials)
            var replica = Replica(
                source, target, check.source, readsData: readData, progress, findings)
            // Of one that was cut off, too: what it did not get to is no damage there.
            defer { replica.remember(machine, header.store, at: place) }
            try replica.run(store, images: images, filter, check, credentials: credentials, isStore: isStore)
            replica.report.findings = findings.count
            return replica.report
        } catch { throw ImageError.wrapping(error, subject: target.subject) }
    }

    /// A copy that knows of a newer root key than the source is no copy of it: what comes from there was perhaps written by somebody whose
    /// right was taken.
    private static func refuseOlderRoot(of source: Opening, in target: any ObjectStore) throws {
        let root = source.chain.newest.root
        let newer = try Opening.readRecords(target, source.header).newestRoots(after: root)
        if newer.isEmpty || newer == [root] { return }
        throw ImageError.rekeyed(
            store: target.subject, pinned: "\(try StoreFingerprint(store: source.header.store, root: root))",
            found: try newer.map { "\(try StoreFingerprint(store: source.header.store, root: $0))" })
    }

    /// Two copies of a store whose keys were changed apart have no common future: with the records of both neither would be a store any
    /// more, or, where one of them has a new root key, what the other one changed and who wrote in its epoch would be nothing.
    private static func refuseContradiction(
        _ chain: RecordChain, in target: any ObjectStore, _ header: StoreHeader
    ) throws {
        let known = Dictionary(chain.records.map { ($0.number, $0.digest) }, uniquingKeysWith: { $1 })
        for record in try Opening.readRecords(target, header).records {
            guard let digest = known[record.number], digest != record.digest else { continue }
            throw ImageError.contradicted(
                store: target.subject,
                detail: "its record \(record.number) (\(StoreName.record(record))) is another one than that of the "
                    + "store that is copied to it: the keys of both were changed apart")
        }
    }

    /// Whether nothing but what was begun of a store is where none is.
    static func isFree(_ objects: any ObjectStore) throws -> Bool {
        let parts = ["k", "e", "v", "x", "i", "c", "a", "d", "lost+found"]
        return try objects.topLevel().allSatisfy(parts.contains) || StoreHeader.isCut(objects)
    }
}

/// One copy from a store to its replica.
struct Replica {
    let source: any ObjectStore
    let target: any ObjectStore
    /// The keys that are at hand, which tell a damaged object from a whole one, and the chain of records.
    let keyring: Keyring
    let chain: RecordChain
    let readsData: Bool
    let progress: Progress
    let findings: Findings
    /// What the target has, by name.
    private var there: [String: UInt64] = [:]
    /// What the source has, by name.
    private(set) var offered: Set<String> = []
    /// What the source has torn alone, and the target no better.
    private var torn: [String] = []
    /// The images that the target has; nil as long as it was not listed.
    private(set) var imagesThere: Set<ObjectID>?
    /// Whether the target can be told for a store by now.
    private var hasHeader = false
    var report = CopyReport()

    init(
        _ source: any ObjectStore, _ target: any ObjectStore, _ opened: Store, readsData: Bool, _ progress: Progress,
        _ findings: Findings
    ) {
        self.source = source
        self.target = target
        keyring = opened.keyring
        chain = opened.chain
        self.readsData = readsData
        self.progress = progress
        self.findings = findings
    }

    mutating func run(
        _ store: Opening, images: [String], _ filter: ImageFilter, _ check: ReplicaCheck, credentials: Credentials,
        isStore: (String) -> Void
    ) throws {
        var roots = try source.list("i")
        var volumes = try source.list("v")
        var indexes = try source.list("x")
        if !images.isEmpty || !filter.isEmpty {
            // What an image needs is in its root, sealed; so a choice needs a key.
            let chosen = try named(images, filter, store, credentials)
            roots = roots.filter { chosen.contains(ObjectName($0.name)) }
            volumes = volumes.filter { chosen.contains(ObjectName($0.name)) }
            indexes = indexes.filter { chosen.contains(ObjectName($0.name)) }
        } else {
            let there = Set(roots.compactMap { ObjectName($0.name)?.id })
            var lost = try store.machine.lostImages(of: store.header.store, there: there)
            if !lost.isEmpty {
                let pruned = check.source.prunedImages()
                lost = try store.machine.lostImages(of: store.header.store, there: there.union(pruned))
            }
            lost.forEach(findings.add)
            // An image that was removed there comes back by its id alone.
            let removed = try check.removedInTarget(
                Set(roots.compactMap { ObjectName($0.name) }), progress: progress)
            if !removed.isEmpty {
                func isWanted(_ object: StoredObject) -> Bool {
                    ObjectName(object.name).map { !removed.contains($0) } ?? true
                }
                (roots, volumes, indexes) = (
                    roots.filter(isWanted), volumes.filter(isWanted), indexes.filter(isWanted)
                )
            }
        }
        // An image that counts no more is carried no further.
        roots = try roots.filter { try !isEnded($0, by: store.chain) }
        // Age files and records say who can open it; tombstones are an affair of each medium.
        let keys = try keyFiles(store)
        let verdicts = try source.list("a")
        let all = keys + volumes + indexes + verdicts + roots
        progress.expect(bytes: all.saturatingSum(of: \.length), items: UInt64(all.count))
        for folder in ["k", "e", "v", "x", "a", "i"] {
            for object in try target.list(folder) { there[object.name] = object.length }
        }
        imagesThere = Set(there.keys.lazy.compactMap(ObjectName.init).filter { $0.kind == .image }.map(\.id))
        offered = Set(all.map(\.name))
        for key in keys { try copy(key) }
        // The same steps as in making a store, and what an interrupted copy did not get to.
        try Opening.finishHeader(target, store.header)
        hasHeader = true
        isStore("\(store.header.store)")
        for volume in volumes where try copy(volume) { report.volumes += 1 }
        for object in indexes + verdicts { try copy(object) }
        // Second copies first, as everywhere: a root without its second copy is never the only one.
        let inOrder = roots.filter { ObjectName.isSecond($0.name) } + roots.filter { !ObjectName.isSecond($0.name) }
        let whole = try inOrder.filter(isWholeRoot)
        for root in whole {
            let isNew = try copy(root)
            if ObjectName.isSecond(root.name) { continue }
            if let name = ObjectName(root.name) { imagesThere?.insert(name.id) }
            if isNew { report.images += 1 }
        }
        try nameLost(inOrder, whole: Set(whole.map(\.name)), check.source)
        report.uncheckedImages = try check.run(
            Set(roots.compactMap { ObjectName($0.name) }), torn: torn, progress: progress, findings: findings)
    }

    /// A root with two copies was whole once. Where neither is now, and the target has none from before, its image is lost to the replica.
    private func nameLost(_ roots: [StoredObject], whole: Set<String>, _ store: Store) throws {
        for root in roots where !ObjectName.isSecond(root.name) && offered.contains(root.name + ".2") {
            guard !whole.contains(root.name), there[root.name] == nil else { continue }
            if let name = ObjectName(root.name), try store.isPruned(name) { continue }
            findings.add(
                Finding(
                    .damaged, subject: root.name,
                    "neither of its copies is whole and readable in \(source.subject): it was not copied"))
        }
    }

    /// Age files, parcels and records, in this order: those that the root key speaks for. What else lies beside them is nobody's, however
    /// much it is, and is not carried on.
    private func keyFiles(_ store: Opening) throws -> [StoredObject] {
        var result: [StoredObject] = []
        for epoch in store.chain.epochs {
            let folder = try StoreName.keys(epoch: epoch.number, sealing: epoch.sealing)
            let recipients = store.chain.records.filter { $0.epoch == epoch.number }.flatMap(\.recipients)
            let names = Set(recipients.map { "\(folder)/\($0.fileName)" })
            for file in try source.list(folder) {
                if try names.contains(String(ObjectName.withoutSecond(file.name)))
                    || isParcel(file, of: epoch.root, epoch: epoch.number)
                {
                    result.append(file)
                }
            }
        }
        let records = Set(store.chain.records.map(StoreName.record))
        return try result + source.list("e").filter { records.contains(String(ObjectName.withoutSecond($0.name))) }
    }

    private func isParcel(_ file: StoredObject, of root: VerifyingKey, epoch: UInt32) throws -> Bool {
        guard let writer = Identifier(hexadecimal: file.lastComponent), file.length <= UInt64(Format.maximumKeyLength),
            let bytes = try readable(file.name, { try source.read(file.name, limit: Format.maximumKeyLength) }) ?? nil,
            // What is none is not copied.
            let parcel = try? Parcel(decoding: bytes)
        else { return false }
        return try parcel.certificate.writer == writer && parcel.isIssued(by: root, epoch: epoch)
    }

    /// The roots, volumes and index objects of some images.
    private func named(
        _ images: [String], _ filter: ImageFilter, _ opening: Opening, _ credentials: Credentials
    ) throws -> Set<ObjectName?> {
        let store = try Store.open(source, for: .list, credentials: credentials, machine: opening.machine)
        var result: Set<ObjectName?> = []
        // Whole objects are copied, whoever opens them.
        for image in try store.chosenCounting(images, filter, findings, forContent: false) {
            (image.lost + (image.note.map { [$0] } ?? [])).forEach(findings.add)
            guard let root = try store.imageUnlessPruned(image) else { continue }
            result.insert(root.name)
            result.formUnion(root.named.volumes.map { $0.name(.volume, group: root.name.group) })
            result.formUnion(root.named.indexes.map { $0.name(.index, group: root.name.group) })
        }
        return result
    }

    /// What is read of an object, in the source or in the target; nil where the medium answers and this cannot be read, a bad sector for
    /// instance: that costs this object, is named, and ends nothing.
    func readable<R>(_ name: String, _ body: () throws -> R) throws -> R? {
        do { return try body() } catch {
            guard ImageError.storeFailure(error)?.reason == .failed else { throw error }
            if let lost = source.lost ?? (hasHeader ? target.lost : nil) { throw lost }
            findings.add(
                Finding(.damaged, subject: name, "\(explained(error).sentence); it was not copied"))
            return nil
        }
    }

    /// Copies one object, unless the target has it.
    ///
    /// What exists in the target stays, whatever the source says: that may be a stick that was pulled while it was written, or
    /// somebody's forgery. Only what its own bytes prove torn is replaced, and only by something whole; that is what an interrupted
    /// copy leaves. Where both are whole and differ, both stay, and it is said.
    @discardableResult
    private mutating func copy(_ object: StoredObject) throws -> Bool {
        try progress.checkStop()
        progress.add(items: 1)
        guard object.length <= Self.limit(object.name) else {
            findings.add(
                Finding(.damaged, subject: object.name, "it is longer than such an object can be, and was not copied"))
            return false
        }
        guard let step = try readable(object.name, { try step(for: object) }) ?? nil else { return false }
        if step.isTorn { torn.append(object.name) }
        switch step.action {
        case .leave:
            progress.add(bytes: object.length)
            return false
        case .replace:
            guard try target.removeIfAllowed(object.name) else { return try putBeside(object.name, step.input) }
        case .add: break
        }
        let isWritten = try write(step.input, to: object.name)
        if isWritten && step.isDamaged {
            findings.add(
                Finding(.note, subject: object.name, "it was damaged in \(target.subject), and is written anew"))
        }
        return isWritten
    }

    /// What becomes of one object.
    private struct Step {
        enum Action { case leave, replace, add }
        var action: Action
        /// What the target gets.
        var input: any ByteSource
        /// Neither the source nor the target has it whole.
        var isTorn: Bool
        /// The target has it in its whole length, and it is damaged.
        var isDamaged = false
    }

    /// Looks and changes nothing; nil where nothing is to be copied.
    private func step(for object: StoredObject) throws -> Step? {
        guard let input = try input(object) else { return nil }
        let isTorn = try !isWhole(input, object.name)
        guard there[object.name] != nil, let own = try target.openIfPresent(object.name) else {
            return Step(action: .add, input: input, isTorn: isTorn)
        }
        if try isSame(own, input) || !mayReplace(own, input, object.name) {
            return try Step(action: .leave, input: input, isTorn: isTorn && !isWhole(own, object.name))
        }
        // What is torn there goes only for what can be read to its end.
        for offset in stride(from: 0, to: input.length, by: Self.piece) {
            try progress.checkStop()
            _ = try input.read(at: offset, count: Int(min(UInt64(Self.piece), input.length - offset)))  // safe: 4 MiB
        }
        return try Step(action: .replace, input: input, isTorn: false, isDamaged: isWhole(own, object.name))
    }

    /// Puts what is whole beside a torn object that may not be removed: readers try both. What has two copies by its kind gets the second
    /// by itself; if that is the torn one, or there is no second of such a thing, nothing more can be done here, and it is said.
    private mutating func putBeside(_ name: String, _ input: any ByteSource) throws -> Bool {
        let second = name + ".2"
        let hasSecond = ObjectName(name) != nil || name.hasPrefix("e/") || name.hasSuffix(".age")
        if !ObjectName.isSecond(name) && hasSecond {
            guard let own = try target.openIfPresent(second) else { return try write(input, to: second) }
            if try isWhole(own, second) { return false }
        }
        findings.add(
            Finding(
                .damaged, subject: name,
                "it is torn in \(target.subject), where it may not be removed and nothing can be put in its place"))
        return false
    }

    /// - Returns: whether it is there by this copy now.
    private mutating func write(_ input: any ByteSource, to name: String) throws -> Bool {
        do { return try put(input, as: name) } catch let error as StoreError where error.reason == .exists {
            guard let own = try settled(name) else {
                findings.add(
                    Finding(
                        .damaged, subject: name,
                        "what has this name in \(target.subject) is no file, and it was not copied: take that away, and copy again"
                    ))
                return false
            }
            if try isSame(own, input) || !mayReplace(own, input, name) { return false }
            // Whoever was writing it has ended, or holds on to something that has no name any more.
            guard try target.removeIfAllowed(name) else { return try putBeside(name, input) }
            return try put(input, as: name)
        }
    }

    /// What is there under a name that another copy to the same replica may be writing to: as it is once it grows no more. nil: no file.
    private func settled(_ name: String) throws -> (any ByteSource)? {
        var (length, unchanged) = (UInt64.max, 0)
        while true {
            let own: (any ByteSource)?
            do { own = try target.openIfPresent(name) } catch {
                if error.reason == .refused { return nil }
                throw error
            }
            guard let own, try !isWhole(own, name), unchanged < 3 else { return own }
            unchanged = own.length == length ? unchanged + 1 : 0
            length = own.length
            try progress.checkStop()
            usleep(1_000_000)
        }
    }

    private mutating func put(_ input: any ByteSource, as name: String) throws -> Bool {
        let upload = try target.create(name)
        do {
            var offset: UInt64 = 0
            while offset < input.length {
                try progress.checkStop()
                let count = Int(min(UInt64(Self.piece), input.length - offset))  // safe: 4 MiB
                guard let bytes = try readable(name, { try input.read(at: offset, count: count) }) else {
                    upload.abandon()
                    return false
                }
                try upload.append(bytes)
                offset += UInt64(bytes.count)
                progress.add(bytes: UInt64(bytes.count))
            }
            try upload.commit()
            report.bytes &+= offset
            return true
        } catch {
            upload.abandon()
            throw error
        }
    }

    /// Bytes that are read at once.
    static let piece = 4 << 20
}
