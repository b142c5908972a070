// A disk as the source of an image: what it is like, and its volumes, each as a file of which only the used parts are there.

public import Platform

/// The used parts of a volume, in order, one at a time: a volume may be in any number of pieces, and none of them is kept.
public protocol UsedParts {
    /// Bytes, from the volume's beginning; nil at the end. Each begins behind the one before, and does not touch it.
    mutating func next() throws -> Range<UInt64>?
}

/// A part of a disk that is one file in an image.
public protocol DiskStream: AnyObject, Sendable {
    /// What the file is called: a name of letters, digits and `-`.
    var name: String { get }
    /// Bytes.
    var size: UInt64 { get }
    /// Whether whatever the image does not hold of it is zeros; if not, nobody needs it.
    var holesAreZeros: Bool { get }
    /// From the beginning on, whenever it is asked.
    func usedParts() throws -> any UsedParts
    /// Fills the buffer from an offset on; both lie in it.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError)
    /// The files of which something lies in these parts, as paths in the file system that has them; nil where there is nobody to ask.
    /// - Parameter checkStop: asked now and then; what it throws ends the search.
    func files(in parts: [Range<UInt64>], checkStop: () throws -> Void) throws -> [BytePath]?
}

extension DiskStream {
    public func files(in parts: [Range<UInt64>], checkStop: () throws -> Void) throws -> [BytePath]? { nil }
}

public struct DiskSource: Sendable {
    /// What the disk is called here, as `/dev/sda`.
    public var path: BytePath
    /// How it is divided, and what is in which file: a JSON document.
    public var description: [UInt8]
    /// The same for people, a line each: the label has them, which is read without a key to the content.
    public var summary: [String]
    /// Those before come first in the image.
    public var streams: [any DiskStream]

    public init(path: BytePath, description: [UInt8], summary: [String], streams: [any DiskStream]) {
        self.path = path
        self.description = description
        self.summary = summary
        self.streams = streams
    }
}
