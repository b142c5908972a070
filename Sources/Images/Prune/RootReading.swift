// One root, as a prune reads it. Everything that is not surely known is told apart here: what is gone, what a cut run left, what cannot be
// read now, and what is none.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

/// What came of reading a root.
enum RootReading: Sendable {
    case image(ImageRoot)
    /// Somebody has removed it since it was listed.
    case gone
    /// One torn copy: a run was cut there.
    case leftover
    /// Nobody with the right has signed it, or it is damaged in all copies: what it names is not known.
    case unread(String)
    /// It may be an image like any other, and cannot be read now, or not by this version or these keys.
    case stop(String)
    case interrupted(any Error & Sendable)
}

extension Store {
    func rootReading(_ object: ListedObject) -> RootReading {
        if object.isTooShort { return .leftover }
        do {
            return .image(try image(object.name, length: object.first))
        } catch {
            do {
                try ImageError.throwStop(error)
                return try whyUnread(object.name, error)
            } catch let stop as Interrupted {
                return .interrupted(stop)
            } catch { return .stop(ImageError.wrapping(error, subject: describe(object.name)).sentence) }
        }
    }

    private func whyUnread(_ name: ObjectName, _ error: any Error) throws -> RootReading {
        let sentence = ImageError.wrapping(error, subject: describe(name)).sentence
        let now = try listed(name)
        if now.first == nil && now.second == nil { return .gone }
        if ImageError.storeFailure(error) != nil { return .stop(sentence) }
        if case ImageError.otherFormat = error { return .stop(sentence) }
        if try isLeftover(now) { return .leftover }
        // A copy that cannot be read is not one that is damaged.
        for copy in name.both { _ = try objects.read(copy, limit: Format.maximumRootLength) }
        let reader = try unlessDamaged { try smallReader(name) }
        // Its signature is open to everybody: what nobody with the right has signed stops nothing.
        if let reader, reader.indexKey == nil, (try? reader.verifySignature()) != nil {
            return .stop(
                "\(describe(name)) was written in epoch \(reader.header.epoch), of which the keys at hand are not")
        }
        return .unread(sentence)
    }
}

extension PruneImage {
    /// What a root says of itself, and the medium of it.
    init(_ root: ImageRoot, _ object: ListedObject, problem: String?, _ settings: PruneSettings, texts: inout Texts) {
        self.init(object)
        self.root = root.reference
        self.problem = problem
        writerName = texts.one(root.certificate.name)
        take(root.label, object, isWrittenDirectly: settings.isWrittenDirectly, texts: &texts)
    }

    /// What its label says, and the medium of its times.
    mutating func take(_ label: ImageLabel, _ object: ListedObject, isWrittenDirectly: Bool, texts: inout Texts) {
        series = texts.one(label.series)
        name = texts.one(label.name)
        host = texts.one(label.host)
        point = texts.one(label.point)
        sequence = label.sequence
        machineTime = label.time
        findings = label.findings
        contentBytes = label.contentBytes
        let said = label.storeTime ?? label.time.seconds
        time = said
        // The first copy makes it an image; the second one may be older.
        if let written = object.written?.lowerBound {
            isTimeDoubtful = !(-86_400...86_400).contains(said.subtracting(saturating: written))
            // Nobody gives his image a time to come, and so pushes others out; nor, where he writes himself, one long past.
            time = isTimeDoubtful && isWrittenDirectly ? written : min(said, written)
        }
    }

    /// Of which nothing is known but that it is there.
    init(_ object: ListedObject) {
        self.init(Place(group: object.name.group, writer: object.name.writer, image: object.name.id))
        bytes = object.bytes
        hasFirst = object.first != nil
        hasSecond = object.second != nil
        isUnfinished = object.first == nil
        written = object.written?.lowerBound
        time = written
    }

    /// The copies that are there, the first one first.
    var copies: [String] { (hasFirst ? [objectName.text] : []) + (hasSecond ? [objectName.second] : []) }

    var objectName: ObjectName { ObjectName(.image, group: id.group, writer: id.writer, id: id.image) }
}

/// The same few texts, a hundred thousand times: each is kept once.
struct Texts {
    private var known: [ExactText: String] = [:]

    mutating func one(_ text: String) -> String {
        if text.utf8.count <= 15 { return text }
        if let other = known[ExactText(text)] { return other }
        known[ExactText(text)] = text
        return text
    }
}
