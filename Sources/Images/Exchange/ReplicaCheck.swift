// Whether a replica has all that its images name: a copy carries on what the source has, and the source may lack something. What the images
// name is sealed in their roots, so this wants a key; without one it is said that nobody has looked.

internal import Platform
internal import Reporting
internal import Stores

struct ReplicaCheck {
    /// With the keys that are at hand.
    let source: Store
    private let target: any ObjectStore
    private let opening: Opening

    /// With whatever keys are at hand; nobody is asked for a passphrase.
    init(_ opening: Opening, _ target: any ObjectStore, credentials: Credentials) throws {
        // An identity that does not open the store is no help here; its lack is none either.
        let secret = credentials.identities.isEmpty ? nil : try? opening.secret(credentials.silent)
        let steward = try? opening.currentSteward(credentials)  // As above.
        self.target = target
        self.opening = opening
        source = try Store(
            opening, keyring: Keyring(chain: opening.chain, secret: secret, writer: opening.writer, steward: steward))
    }

    /// What is not carried to the target once more: the images that a steward removed there, as far as the keys at hand tell, and what no
    /// other image of the source names.
    /// - Parameter roots: the images of the source.
    func removedInTarget(_ roots: Set<ObjectName>, progress: Progress) throws -> Set<ObjectName> {
        let pruned = try Store(opening, keyring: source.keyring, in: target).prunedImages()
        let removed = roots.filter { pruned.contains($0.id) }
        if removed.isEmpty { return [] }
        var result = removed
        var needed: Set<ObjectName> = []
        for root in roots.sorted() {
            try progress.checkStop()
            do {
                let names = try source.image(root).allNames
                if removed.contains(root) { result.formUnion(names) } else { needed.formUnion(names) }
            } catch {
                try ImageError.throwStop(error)
                // It may name any of them.
                return removed
            }
        }
        return result.subtracting(needed)
    }

    /// Names what is torn or missing.
    /// - Parameter torn: what was copied torn.
    /// - Returns: of how many images the keys at hand do not say what they name.
    func run(
        _ images: Set<ObjectName>, torn: [String], progress: Progress, findings: Findings
    ) throws -> UInt64 {
        var unchecked: UInt64 = 0
        var isAllKnown = true
        var needed: [ObjectName: (length: UInt64, images: [ObjectID])] = [:]
        for image in images.sorted() {
            try progress.checkStop()
            let root: ImageRoot
            do { root = try source.image(image) } catch {
                try ImageError.throwStop(error)
                isAllKnown = false
                if try isSealed(image, error, findings) { unchecked += 1 }
                continue
            }
            // What does not count as an image, whoever put it there, needs nothing.
            if source.objection(to: root) != nil { continue }
            for (kind, references) in [(ObjectName.Kind.volume, root.named.volumes), (.index, root.named.indexes)] {
                for reference in references {
                    let name = reference.name(kind, group: image.group)
                    needed[name, default: (reference.length, [])].images.append(image.id)
                }
            }
        }
        let named = try nameMissing(needed, torn: Set(torn), findings)
        for name in torn.sorted() where !named.contains(name) {
            nameTorn(name, isLeftover: isAllKnown && Self.isNamedByImages(name), findings)
        }
        return unchecked
    }

    /// Whether it is the keys that do not open it; else it is named, unless it is torn, which is told where it is copied.
    private func isSealed(_ image: ObjectName, _ error: any Error, _ findings: Findings) throws -> Bool {
        let reader: ObjectReader
        do { reader = try source.smallReader(image) } catch {
            try ImageError.throwStop(error)
            // What has no header that can be read is torn, or none; what cannot be read has been named.
            return false
        }
        if reader.indexKey == nil { return true }
        if try reader.copies.contains(where: { try $0.isWhole() }) {
            findings.add(Finding(.damaged, subject: image.text, explained(error).sentence))
        }
        return false
    }

    private static func isNamedByImages(_ name: String) -> Bool {
        guard let kind = ObjectName(name)?.kind else { return false }
        return kind == .volume || kind == .index
    }

    /// - Returns: the names that were said.
    private func nameMissing(
        _ needed: [ObjectName: (length: UInt64, images: [ObjectID])], torn: Set<String>, _ findings: Findings
    ) throws -> Set<String> {
        var there: [String: UInt64] = [:]
        for folder in ["v", "x"] {
            for object in try target.list(folder) { there[object.name] = object.length }
        }
        var said: Set<String> = []
        for (name, object) in needed.sorted(by: { $0.key < $1.key }) {
            if name.both.contains(where: { there[$0] == object.length }) { continue }
            let isTorn = name.both.contains { there[$0] != nil }
            said.formUnion(name.both)
            let images = object.images.count == 1 ? "image" : "images"
            // What could not be read, or had no place, was not copied, and that was said.
            let isThere = try name.both.contains { try source.objects.openIfPresent($0)?.length == object.length }
            let place = isThere ? "" : "\(source.subject) and in "
            findings.add(
                Finding(
                    .damaged, subject: name.text,
                    "it is \(isTorn ? "torn" : "missing") in \(place)\(target.subject), and "
                        + "\(images) \(object.images.map(\.short).abridged) \(object.images.count == 1 ? "needs" : "need") it"
                ))
        }
        return said
    }

    private func nameTorn(_ name: String, isLeftover: Bool, _ findings: Findings) {
        let words = "it is torn in \(source.subject), where no whole copy of it is, and was copied as it is"
        findings.add(
            isLeftover
                ? Finding(.note, subject: name, "\(words); no image needs it: a run that was cut off left it")
                : Finding(.damaged, subject: name, "\(words); `holdfast verify` tells what it costs"))
    }
}
