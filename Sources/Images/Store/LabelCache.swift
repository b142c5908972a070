// The labels of images that were read before: a list of a thousand images reads no root. It costs only time when it is lost, or cannot be
// written. What is in it was checked when it was read, and the file is its owner's alone.

internal import Cryptography
internal import Platform

struct LabelCache: Sendable {
    struct Entry: Sendable, Equatable {
        /// Of the copy that was read; another length is another root.
        var length: UInt64
        var epoch: UInt32
        var reference: RootReference
        /// Whether the certificate covered the series.
        var isCovered: Bool
        var writerName: String
        var label: ImageLabel
    }

    private(set) var entries: [ObjectName: Entry] = [:]
    private let path: BytePath
    /// What was checked under one root key need not hold under another.
    private let root: VerifyingKey
    private var isChanged = false

    private static let magic = Array("holdfast labels 1\n".utf8)

    /// - Parameters:
    ///   - folder: the cache folder of the store.
    ///   - root: its root key.
    init(folder: BytePath, root: VerifyingKey) {
        self.root = root
        path = folder.appending("labels")
        // Whatever is wrong with it, it is made again.
        guard let bytes = try? readRegular(path, limit: 256 << 20), let known = try? Self.decode(bytes, root) else {
            return
        }
        entries = known
    }

    private static func decode(_ bytes: [UInt8], _ root: VerifyingKey) throws -> [ObjectName: Entry] {
        guard bytes.count > magic.count + 32, bytes.starts(with: magic),
            try sha256(root.rawBytes + bytes[(magic.count + 32)...]).bytes
                == Array(bytes[magic.count..<magic.count + 32])
        else { throw FormatError("it is damaged") }
        var result: [ObjectName: Entry] = [:]
        var reader = WireReader(bytes, magic.count + 32..<bytes.count)
        while let (_, field) = try reader.field() {
            var value = field
            let name = ObjectName(
                .image, group: try value.identifier(), writer: try value.identifier(), id: try value.identifier())
            let length = try value.integer(UInt64.self)
            let epoch = try value.integer(UInt32.self)
            let digest = try value.digest()
            let isCovered = try value.byte() != 0
            guard var writerName = try value.field()?.value, var label = try value.field()?.value else {
                throw FormatError("an entry is incomplete")
            }
            result[name] = Entry(
                length: length, epoch: epoch, reference: RootReference(id: name.id, digest: digest),
                isCovered: isCovered, writerName: try writerName.text(), label: try ImageLabel(decoding: label.rest()))
        }
        return result
    }

    mutating func keep(_ root: ImageRoot, length: UInt64) {
        entries[root.name] = Entry(
            length: length, epoch: root.header.epoch, reference: root.reference,
            isCovered: root.certificate.covers(series: root.label.series), writerName: root.certificate.name,
            label: root.label)
        isChanged = true
    }

    /// Drops what is no longer listed.
    mutating func keep(only names: Set<ObjectName>) {
        let count = entries.count
        entries = entries.filter { names.contains($0.key) }
        if entries.count != count { isChanged = true }
    }

    /// Saves what has changed. A crash leaves the old file, the new one, or a torn one that is made again.
    func save() {
        if !isChanged { return }
        var bytes: [UInt8] = []
        for (name, entry) in entries {
            var value = name.group.bytes + name.writer.bytes + name.id.bytes
            value.append(integer: entry.length)
            value.append(integer: entry.epoch)
            value += entry.reference.digest.bytes
            value.append(entry.isCovered ? 1 : 0)
            value.append(field: 1, text: entry.writerName)
            value.append(field: 2, entry.label.encoded())
            bytes.append(field: 1, value)
        }
        // A cache that cannot be written costs time only.
        guard let check = try? sha256(root.rawBytes + bytes) else { return }
        try? makeFolders(path.parent)  // As above.
        try? replaceFile(path, Self.magic + check.bytes + bytes)  // As above.
    }
}
