// Objects of one name in a store and in its replica: which of them is whole, and which may take the other's place.

internal import Cryptography
internal import Platform
internal import Reporting
internal import Stores

extension Replica {
    /// Torn roots are the affair of the run that wrote them.
    func isWholeRoot(_ object: StoredObject) throws -> Bool {
        guard let name = ObjectName(object.name) else { return false }
        return try readable(object.name) {
            guard let input = try input(object) else { return false }
            // What has no readable header is no root.
            let reader = try unlessDamaged {
                try ObjectReader([input], subject: object.name, keyring: Keyring(chain: nil), name: name)
            }
            return try reader != nil && input.isWhole()
        } ?? false
    }

    /// What is to be copied under this name: the object, or its other copy where it is torn, or cannot be read, and that one whole. A second copy that is there
    /// for a torn first one alone is not copied: it is none of its own.
    func input(_ object: StoredObject) throws -> (any ByteSource)? {
        // A small one comes whole with its opening, and what was listed and is gone is known by then.
        let length = object.length <= 1 << 20 ? nil : object.length
        guard let input = try source.openIfPresent(object.name, length: length) else { return nil }
        if ObjectName.isSecond(object.name) {
            let first = String(ObjectName.withoutSecond(object.name))
            guard offered.contains(first) else { return input }
            var input = input
            if try !isSound(input, object.name), let other = try source.openIfPresent(first), try isSound(other, first)
            {
                input = other
            }
            return try isBeside(input, object.name) ? nil : input
        }
        let second = object.name + ".2"
        guard offered.contains(second), try !isSound(input, object.name),
            let other = try source.openIfPresent(second), try isSound(other, second)
        else { return input }
        return other
    }

    /// Whether a second copy is of a kind that has one only beside a torn first copy.
    func isBeside(_ second: any ByteSource, _ text: String) throws -> Bool {
        guard let name = ObjectName(text) else { return false }
        if name.kind != .volume { return name.kind == .index || name.kind == .verdict }
        // What has no readable header is copied as it is.
        let reader = try unlessDamaged {
            try ObjectReader([second], subject: text, keyring: Keyring(chain: nil), name: name)
        }
        return reader?.header.type == .dataVolume
    }

    /// The longest that an object of this name can be: nothing longer is written by anybody, and nobody reads it.
    static func limit(_ name: String) -> UInt64 {
        switch ObjectName(name)?.kind {
        case .volume: Format.maximumVolumeLength
        case .index: Format.maximumIndexLength
        case .image, .checkpoint, .tombstone, .verdict: UInt64(Format.maximumRootLength)
        case nil: UInt64(name.hasPrefix("e/") ? Format.maximumStoreRecordLength : Format.maximumKeyLength)
        }
    }

    /// Whether both have the same length, begin and end alike: their heads hold what was made at random, their ends the signature. Small
    /// ones, which keys and rights hang on, are compared whole, and all where that is wanted.
    func isSame(_ a: any ByteSource, _ b: any ByteSource) throws -> Bool {
        guard a.length == b.length else { return false }
        let isShort = readsData || a.length <= 64 << 10
        let piece = isShort ? min(a.length, UInt64(Self.piece)) : 1 << 10
        var offset: UInt64 = 0
        while offset < a.length {
            try progress.checkStop()
            let count = Int(min(piece, a.length - offset))  // safe: at most 4 MiB
            guard try a.read(at: offset, count: count) == b.read(at: offset, count: count) else { return false }
            offset = isShort || offset > 0 ? offset + UInt64(count) : a.length - piece
        }
        return true
    }

    func mayReplace(_ own: any ByteSource, _ input: any ByteSource, _ name: String) throws -> Bool {
        let isInputWhole = try isWhole(input, name)
        if try !isWhole(own, name) { return isInputWhole }
        let isOwnProven = try isProven(own, name)
        if isOwnProven == false, try isProven(input, name) == true { return true }
        if try isOutvoted(input, name) { return true }
        // What is torn in the source is the affair of who wrote it; the target's own is as good or better.
        if own.length == input.length || isInputWhole {
            // Of contents their keys alone tell.
            let hint =
                isOwnProven == nil
                ? ": no key at hand tells which is damaged; with `--identity FILE` it is told, and made anew if it is that of the copy"
                : ""
            findings.add(
                Finding(
                    .damaged, subject: name,
                    "\(source.subject) and \(target.subject) hold different objects of this name; both stay as they are\(hint)"
                ))
        }
        return false
    }

    /// Whether the other three copies of an age file are alike: nobody but its recipient can tell a damaged one.
    private func isOutvoted(_ input: any ByteSource, _ name: String) throws -> Bool {
        guard ObjectName.withoutSecond(name).hasSuffix(".age") else { return false }
        let other = ObjectName.isSecond(name) ? String(ObjectName.withoutSecond(name)) : name + ".2"
        let limit = Format.maximumKeyLength
        guard let here = try source.read(other, limit: limit) else { return false }
        return try input.length == UInt64(here.count) && input.read(at: 0, count: here.count) == here
            && target.read(other, limit: limit) == here
    }

    /// Whether the root key has signed a parcel; nil for what is none by its name.
    private func isProvenParcel(_ object: any ByteSource, _ name: String) throws -> Bool? {
        let words = name.split(separator: "/")
        guard words.count == 3, words[0] == "k", let writer = Identifier(hexadecimal: words[2]),
            object.length <= UInt64(Format.maximumKeyLength),
            let epoch = try chain.epochs.first(where: {
                try StoreName.keys(epoch: $0.number, sealing: $0.sealing) == "k/\(words[1])"
            })
        else { return nil }
        let bytes = try object.read(at: 0, count: Int(object.length))  // safe: compared
        return try unlessDamaged {
            let parcel = try Parcel(decoding: bytes)
            return try parcel.certificate.writer == writer && parcel.isIssued(by: epoch.root, epoch: epoch.number)
        } ?? false
    }

    /// Whether an object's own bytes show that it is as its writer made it, or that it is not; nil where no key at hand tells.
    private func isProven(_ object: any ByteSource, _ text: String) throws -> Bool? {
        guard let name = ObjectName(text) else { return try isProvenParcel(object, text) }
        let reader = try unlessDamaged { try ObjectReader([object], subject: text, keyring: keyring, name: name) }
        guard let reader else { return false }
        if reader.indexKey == nil || reader.header.type.isVolume && reader.objectKey == nil { return nil }
        let isWhole: Void? = try unlessDamaged {
            try reader.checkEnds()
            guard reader.header.type.isVolume else { return _ = try reader.verifySignature() }
            let workspace = try ChunkWorkspace()
            for row in try reader.provenDirectory().rows {
                try progress.checkStop()
                guard let frame = reader.frame(at: row.offset), frame.length == row.sealedLength else {
                    throw FormatError("a frame is damaged")
                }
                try reader.readChunk(frame, id: row.id, workspace: workspace)
            }
        }
        return isWhole != nil
    }

    /// Whether it is whole, as far as it can be read.
    func isSound(_ object: any ByteSource, _ name: String) throws -> Bool {
        do { return try isWhole(object, name) } catch let error as StoreError where error.reason == .failed {
            return false
        }
    }

    /// Whether an object ends as its kind does: with a trailer, with the text of a key, with a signature.
    func isWhole(_ object: any ByteSource, _ name: String) throws -> Bool {
        if ObjectName(name) != nil { return try object.isWhole() }
        guard object.length <= UInt64(Format.maximumStoreRecordLength) else { return false }
        let bytes = try object.read(at: 0, count: Int(object.length))  // safe: compared
        if ObjectName.withoutSecond(name).hasSuffix(".age") {
            return Age.textLength(bytes).map { $0 > 0 && $0.isMultiple(of: StoreSecret.textUnit) } ?? false
        }
        // Only a whole one decodes.
        return name.hasPrefix("e/") ? (try? StoreRecord(decoding: bytes)) != nil : (try? Parcel(decoding: bytes)) != nil
    }
}
