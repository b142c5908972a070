// An image's root: read from its copies, checked, and judged: whether its writer may have written it.

internal import Cryptography
internal import Platform
internal import Stores

/// An image root, as far as the keys at hand open it.
struct ImageRoot: Sendable {
    var name: ObjectName
    var header: ObjectHeader
    var reference: RootReference
    var certificate: Certificate
    var label: ImageLabel
    var named: NamedObjects
    /// nil without an identity.
    var body: ImageBody?

    var id: ObjectID { name.id }
    var volumes: [VolumeReference] { named.volumes }
    /// The places of all that it names.
    var allNames: [ObjectName] {
        (named.volumes + named.parity).map { $0.name(.volume, group: name.group) }
            + named.indexes.map { $0.name(.index, group: name.group) }
    }

    /// Reads a root from its copies. Every part is authenticated and the signature is that of a writer of the store.
    init(_ reader: ObjectReader) throws {
        func damaged(_ detail: String) -> ImageError { .damaged(subject: reader.subject, detail: detail) }
        guard reader.header.type == .image else { throw damaged("it is no image root") }
        let proof = try reader.verifySignature()
        func content(_ kind: FrameKind) throws -> [UInt8] {
            guard let frame = proof.frames.first(where: { $0.kind == kind }) else {
                throw damaged("a part of it is missing")
            }
            return try reader.content(of: frame)
        }
        header = reader.header
        name = ObjectName(.image, group: header.group, writer: header.writer, id: header.id)
        reference = RootReference(id: header.id, digest: proof.digest)
        certificate = proof.certificate
        do {
            label = try ImageLabel(decoding: content(.label))
            named = try NamedObjects(decoding: content(.volumes))
            body = reader.objectKey == nil ? nil : try ImageBody(decoding: content(.body))
        } catch let error as FormatError { throw damaged(error.description) }
    }
}

/// An object as a listing shows it: the lengths of its copies.
///
/// Of a large store there are hundreds of thousands: what is not there is a number that nothing has, and not another eight bytes.
struct ListedObject: Sendable {
    let name: ObjectName
    private var firstLength = UInt64.max
    private var secondLength = UInt64.max
    private var earliest = Int64.max
    private var latest = Int64.min

    var first: UInt64? { firstLength == .max ? nil : firstLength }
    var second: UInt64? { secondLength == .max ? nil : secondLength }
    /// When its copies were written, by the store's clock: the earlier one and the later one; nil where the store does not say it of both.
    var written: ClosedRange<Int64>? { earliest <= latest ? earliest...latest : nil }

    init(name: ObjectName, first: UInt64?, second: UInt64?, written: Int64? = nil) {
        self.name = name
        // Nothing is as long as that, whatever a server says.
        firstLength = first.map { min($0, .max - 1) } ?? .max
        secondLength = second.map { min($0, .max - 1) } ?? .max
        if let written { (earliest, latest) = (written, written) }
    }

    /// Takes the other copy to this one.
    fileprivate mutating func join(_ other: ListedObject) {
        if firstLength == .max { firstLength = other.firstLength }
        if secondLength == .max { secondLength = other.secondLength }
        if let own = written, let others = other.written {
            earliest = min(own.lowerBound, others.lowerBound)
            latest = max(own.upperBound, others.upperBound)
        } else {
            (earliest, latest) = (.max, .min)
        }
    }

    /// The names of the copies that are there.
    var copies: [String] { (first != nil ? [name.text] : []) + (second != nil ? [name.second] : []) }
    /// The length of the copy that counts.
    var length: UInt64 { first ?? second ?? 0 }
    /// Of the longer copy: a torn one is shorter.
    var longest: UInt64 { max(first ?? 0, second ?? 0) }
    /// Of both.
    var bytes: UInt64 { (first ?? 0).adding(saturating: second ?? 0) }

    /// Whether its only copy is shorter than any object: nobody has to open that to know that it is torn.
    var isTooShort: Bool {
        (first == nil || second == nil) && length < UInt64(Format.headerLength + Format.endLength)
    }
}

extension Store {
    /// The objects of a kind, both copies taken together, in the order of their names. What has no such name is none of ours.
    func listed(
        _ kind: ObjectName.Kind, group: Identifier? = nil, writer: Identifier? = nil
    ) throws -> [ListedObject] {
        var folder = kind.rawValue
        if let group { folder += "/\(group)" }
        if let writer { folder += "/\(writer)" }
        var result: [ListedObject] = []
        try objects.list(folder, begin: { result = [] }) { part in
            for object in part {
                guard let name = ObjectName(object.name) else { continue }
                let isSecond = ObjectName.isSecond(object.name)
                let entry = ListedObject(
                    name: name, first: isSecond ? nil : object.length, second: isSecond ? object.length : nil,
                    written: object.modified)
                // Neighbours, as they come from nearly every store.
                if result.last?.name == name {
                    result[result.count - 1].join(entry)  // safe: above 0
                } else {
                    result.append(entry)
                }
            }
        }
        // The order of a server is not relied on.
        if zip(result, result.dropFirst()).allSatisfy({ $0.name < $1.name }) { return result }
        result.sort { $0.name < $1.name }
        var count = 0
        for index in result.indices {
            if count > 0, result[count - 1].name == result[index].name {  // safe: above 0
                result[count - 1].join(result[index])  // safe: above 0
            } else {
                result[count] = result[index]
                count += 1
            }
        }
        result.removeLast(result.count - count)  // safe: at most as many
        return result
    }

    /// All that may be listed: of a server that lets a machine list its own group alone, that.
    func listedForReading(_ kind: ObjectName.Kind) throws -> [ListedObject] {
        do { return try listed(kind) } catch let error as StoreError where error.reason == .refused {
            guard let group = keyring.writer?.group.id else { throw error }
            let own = try listed(kind, group: group)
            limits.note()
            return own
        }
    }

    /// An object as a listing would show it, by two looks.
    func listed(_ name: ObjectName) throws(StoreError) -> ListedObject {
        ListedObject(
            name: name, first: try objects.openIfPresent(name.text)?.length,
            second: try objects.openIfPresent(name.second)?.length)
    }

    /// The roots of one writer.
    func roots(ofGroup group: Identifier, writer: Identifier) throws -> [ObjectName] {
        try listed(.image, group: group, writer: writer).map(\.name)
    }

    /// A root, a checkpoint or a verdict: read whole where it is small, as nearly all are; else a part at a time.
    /// - Parameter length: as a listing shows it, so that the server is asked once.
    private func smallSource(_ name: String, length: UInt64? = nil) throws(StoreError) -> (any ByteSource)? {
        guard let source = try objects.openIfPresent(name, length: length) else { return nil }
        guard source.length <= UInt64(Format.maximumRootLength) else {
            throw StoreError(.failed, "read", "\(name) of \(subject)", "it is longer than such an object can be")
        }
        if source.length > 1 << 20 { return source }
        return MemorySource(try source.read(at: 0, count: Int(source.length)))  // safe: compared
    }

    /// A root, a checkpoint or a verdict with all copies that can be read.
    func smallReader(_ name: ObjectName) throws -> ObjectReader {
        var failure: StoreError?
        let copies = name.both.compactMap { name -> (any ByteSource)? in
            do throws(StoreError) { return try smallSource(name) } catch {
                failure = error
                return nil
            }
        }
        // A copy that could not be read is not one that is missing: what the other one lacks may be in it.
        if copies.isEmpty {
            throw failure.map { ImageError($0) } ?? ImageError.damaged(subject: describe(name), detail: "it is missing")
        }
        return try ObjectReader(copies, subject: describe(name), keyring: keyring, name: name)
    }

    func describe(_ name: ObjectName) -> String {
        switch name.kind {
        case .image: "image \(name.id.short)"
        case .volume: "volume \(name.id.short)"
        case .index: "index \(name.id.short)"
        case .checkpoint: "checkpoint \(name.id.short)"
        case .verdict: "verdict \(name.id.short)"
        case .tombstone: "tombstone \(name.id.short)"
        }
    }

    /// An image's root: from its first copy, where that is whole, else from what both have together.
    /// - Parameter length: of its first copy, as a listing shows it.
    func image(_ name: ObjectName, length: UInt64? = nil) throws -> ImageRoot {
        if let source = try? smallSource(name.text, length: length),  // Else both are tried.
            // As above.
            let reader = try? ObjectReader([source], subject: describe(name), keyring: keyring, name: name),
            let root = try? ImageRoot(reader)  // As above.
        {
            return root
        }
        return try ImageRoot(smallReader(name))
    }

    /// What an interrupted run leaves of a root or a checkpoint: one copy, without its end. A root that was whole once has two.
    /// A copy that cannot be read is an error: it is no leftover for that.
    func isLeftover(_ object: ListedObject) throws -> Bool {
        if object.first != nil && object.second != nil { return false }
        if object.isTooShort { return true }
        let name = object.first != nil ? object.name.text : object.name.second
        guard let copy = try objects.openIfPresent(name) else { return false }
        return try !copy.isWhole()
    }

    /// Why an image does not count, although it is signed by a key that the root key has certified; nil where it does.
    func objection(
        writer: Identifier, reference: RootReference, series: String, isCovered: Bool
    ) -> String? {
        if let revocation = chain.newest.revocation(of: writer), !revocation.kept.contains(reference) {
            return "its writer's right to write has been revoked"
        }
        return isCovered ? nil : "its writer may not write the series \(printable(Array(series.utf8)))"
    }

    /// Whether the writer of a root was revoked, and this one does not go on counting.
    func revokes(_ name: ObjectName, digest: Digest) -> Bool {
        guard let revocation = chain.newest.revocation(of: name.writer) else { return false }
        return !revocation.kept.contains(RootReference(id: name.id, digest: digest))
    }

    func objection(to root: ImageRoot) -> String? {
        objection(
            writer: root.name.writer, reference: root.reference, series: root.label.series,
            isCovered: root.certificate.covers(series: root.label.series))
    }
}
