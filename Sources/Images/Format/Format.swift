// The constants of the image format, in the order of the article <doc:Format>, which explains them.

/// Numbers and names that are on the medium. Changing one makes another format.
public enum Format {
    public static let version: UInt16 = 1
    /// AES-256-GCM, keyed BLAKE2b-256, X25519, HKDF-SHA256, Ed25519, zstd.
    public static let suite: UInt8 = 1

    static let headerMagic = Array("HFOBJECT".utf8)
    static let headerLength = 256
    /// The part of the header that the object key's seal covers.
    static let headerSealedLength = 80
    /// The part of the header that its own check and the signature cover.
    static let headerCheckedLength = 224

    static let trailerMagic = Array("HFTRAIL1".utf8)
    static let trailerLength = 64

    static let frameMagic = Array("HfFr".utf8)
    static let frameHeadLength = 16
    static let tagLength = 16

    static let directoryRowLength = 65
    /// Chunk id, codec, stored length, plain length.
    static let chunkHeadLength = 41
    public static let maximumChunkLength = 4 << 20
    /// No sealed frame is longer: a chunk that did not compress, its head, padding of at most an eighth, a tag.
    static let maximumFrameLength = 5 << 20
    /// Roots name every volume of an image: some 50 bytes for 64 MiB.
    static let maximumSmallFrameLength = 64 << 20

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
    /// A record of a manifest: with the position before it, and what a piece has gathered by then, it fits into a chunk.
    static let maximumRecordLength = 7 << 19

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
}

enum FrameKind: UInt8, Sendable {
    case data = 1
    case manifest = 2
    case directory = 3
    case signature = 4
    case label = 5
    case body = 6
    case volumes = 7
    case storeHeader = 11
    case keyFile = 12

    enum Seal { case objectKey, indexKey, plain }

    var seal: Seal {
        switch self {
        case .data, .manifest, .body: .objectKey
        case .directory, .label, .volumes: .indexKey
        case .signature, .storeHeader, .keyFile: .plain
        }
    }

    var isChunk: Bool { self == .data || self == .manifest }
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
