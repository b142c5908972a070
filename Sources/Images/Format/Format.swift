// The constants of the image format, in the order of the article <doc:Format>, which explains them.

/// Numbers and names that are on the medium. Changing one makes another format.
public enum Format {
    public static let version: UInt16 = 2
    /// AES-256-GCM, keyed BLAKE2b-256, X25519, HKDF-SHA256, Ed25519, zstd.
    public static let suite: UInt8 = 1
    /// The bits of features that a reader must know which this version knows: none.
    static let knownFeatures: UInt64 = 0

    static let headerMagic = Array("HFOBJECT".utf8)
    static let headerLength = 256
    /// The part of the header that the object key's seal covers.
    static let headerSealedLength = 104
    /// The part of the header that its own check and the signature cover.
    static let headerCheckedLength = 224

    static let trailerMagic = Array("HFTRAIL1".utf8)
    static let trailerLength = 64
    /// Header and trailer: what every object ends with.
    static let endLength = headerLength + trailerLength

    static let frameMagic = Array("HfFr".utf8)
    static let frameHeadLength = 16
    static let tagLength = 16

    static let directoryRowLength = 65
    /// Chunk id, codec, stored length, plain length.
    static let chunkHeadLength = 41

    // MARK: Limits, the same for writers and readers

    public static let maximumChunkLength = 4 << 20
    /// No sealed chunk is longer: one that did not compress, its head, padding of at most an eighth, a tag.
    static let maximumFrameLength = 5 << 20
    /// What of an object is held in memory at once: a directory, a list of volumes, a body.
    static let maximumSmallFrameLength = 64 << 20
    /// A root, a checkpoint, a verdict, a tombstone, read whole.
    static let maximumRootLength = 192 << 20
    /// A volume, its directory included. Nothing beyond is looked at.
    static let maximumVolumeLength: UInt64 = 256 << 20
    /// An object of a single file: 4 MiB of content and one chunk more, the manifest twice, and the root.
    static let maximumSingleFileObjectLength = 64 << 20
    static let maximumIndexLength: UInt64 = 4 << 30
    /// What of a root, a checkpoint or a verdict is searched for frames where neither its header nor its end says how long it is.
    static let maximumCutLength: UInt64 = 16 << 20
    /// A volume is closed at this many chunks, so that its directory can be read.
    static let maximumChunksOfVolume = 1 << 19
    /// Frames of an object that holds no chunks.
    static let maximumPlainFrames = 1 << 16
    /// A record of a store.
    static let maximumStoreRecordLength = 4 << 20
    static let maximumRecords = 1 << 14
    /// All records of a store together.
    static let maximumRecordsLength = 64 << 20
    /// An age file, a parcel, the file HOLDFAST.
    static let maximumKeyLength = 64 << 10
    static let maximumKeyFiles = 1024
    /// Parcels of an epoch: one for each writer.
    static let maximumParcels = 1 << 14
    /// Recipients of one age file. It is for one; other programs add what is for nobody.
    static let maximumStanzas = 16
    /// What people call a recipient.
    static let maximumRecipientLabelLength = 128
    /// scrypt's, of a passphrase: a second and 256 MB.
    static let maximumWorkFactor = 18

    // MARK: What an entry may be

    // One table for who writes and who reads. What goes beyond it is left out of an image and named; a reader refuses it.

    static let maximumNameLength = 255
    /// A path below its source: Windows' longest, 32,767 UTF-16 units, is shorter in UTF-8.
    package static let maximumPathLength = 96 << 10
    /// Folders one in the other, the source among them: twice as many as fit into a path that the kernel takes.
    package static let maximumDepth = 4096
    /// The text of a symbolic link, or the path that a hard link names.
    static let maximumTargetLength = maximumPathLength
    /// The extended attributes of one entry: names, values, and 16 for each.
    static let maximumAttributesLength = 3 << 20
    /// The value of one of them, where it comes from an archive: no file system of Linux takes more.
    static let maximumAttributeLength = 64 << 10
    /// A record of a manifest: with the position before it, and what a piece has gathered by then, it fits into a chunk.
    static let maximumRecordLength = 7 << 19

    /// What an image says is needed to restore its machine.
    static let maximumNeedsLength = 1 << 20

    /// What an import holds of an archive until its end has come: records of entries and of their content. A million entries take nearly all.
    static let maximumArchiveMemory = 512 << 20

    /// A volume is closed when it has reached this length.
    public static let volumeLength: UInt64 = 64 << 20
}

public enum ObjectType: UInt8, Sendable {
    case dataVolume = 1
    case metadataVolume = 2
    case image = 3
    case checkpoint = 4
    case batch = 5
    case keys = 6
    case parityVolume = 7
    case tombstone = 9
    case index = 10
    case verdict = 11

    var isVolume: Bool { self == .dataVolume || self == .metadataVolume }
}

/// What a frame holds. One of a kind that this version does not know is passed over.
struct FrameKind: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt8

    static let data = FrameKind(rawValue: 1)
    static let manifest = FrameKind(rawValue: 2)
    static let directory = FrameKind(rawValue: 3)
    static let signature = FrameKind(rawValue: 4)
    static let label = FrameKind(rawValue: 5)
    static let body = FrameKind(rawValue: 6)
    static let volumes = FrameKind(rawValue: 7)
    static let parity = FrameKind(rawValue: 8)
    static let tombstone = FrameKind(rawValue: 10)
    static let storeHeader = FrameKind(rawValue: 11)
    static let keyFile = FrameKind(rawValue: 12)
    static let record = FrameKind(rawValue: 13)
    static let indexRows = FrameKind(rawValue: 14)
    static let verdict = FrameKind(rawValue: 15)

    enum Seal { case objectKey, indexKey, plain }

    var seal: Seal {
        switch self {
        case .data, .manifest, .body: .objectKey
        case .directory, .label, .volumes, .indexRows, .verdict, .tombstone: .indexKey
        default: .plain
        }
    }

    var isChunk: Bool { self == .data || self == .manifest }

    /// The longest content of such a frame, in bytes.
    var maximumLength: Int {
        switch self {
        case .data, .manifest: Format.maximumFrameLength
        case .signature, .storeHeader, .keyFile, .verdict: Format.maximumKeyLength
        case .label, .record: Format.maximumStoreRecordLength
        default: Format.maximumSmallFrameLength
        }
    }
}

enum Codec: UInt8 {
    case stored = 0
    case zstd = 1
}

/// PADMÉ (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019): the
/// length rounded up so that only some log log bits of it can be told apart.
func paddedLength(_ length: Int) -> Int {
    guard length >= 2 else { return length }
    let exponent = Int.bitWidth - 1 - length.leadingZeroBitCount
    let keptBits = Int.bitWidth - exponent.leadingZeroBitCount
    let mask = (1 << (exponent - keptBits)) - 1
    return exponent > keptBits ? (length + mask) & ~mask : length
}
