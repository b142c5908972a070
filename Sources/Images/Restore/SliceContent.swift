// The content of one file of an image, from the chunks that its slices name.

internal import Cryptography

/// Reads slices one after the other; a chunk that several of them share is read once.
struct SliceContent {
    private let workspace: ChunkWorkspace
    private var opened: Digest?

    init() throws { workspace = try ChunkWorkspace() }

    /// Gives it to `body`, piece by piece: bytes, or the length of a hole, until that has seen enough.
    /// - Parameters:
    ///   - chunks: what the batch of the entry has; nil: none.
    ///   - subject: of what, for what is said of damage to the image.
    ///   - place: of which file, for what is said of damage to it.
    mutating func read(
        _ slices: [Slice], from chunks: (any ChunkProvider)?, of subject: String, at place: String,
        _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Bool
    ) throws {
        for slice in slices {
            guard let id = slice.chunk else {
                guard try body(nil, slice.length) else { return }
                continue
            }
            guard let chunks else { throw ImageError.damaged(subject: subject, detail: "it is empty") }
            if opened != id {
                opened = nil
                try chunks.read(id, into: workspace)
                opened = id
            }
            let range: Range<Int>
            do throws(FormatError) { range = try slice.range(in: workspace.content) } catch {
                throw ImageError.damaged(subject: place, detail: error.description)
            }
            guard try body(UnsafeRawBufferPointer(rebasing: workspace.content[range]), slice.length) else { return }
        }
    }

    /// Another image's chunks come next, or the same ones once more.
    mutating func forget() { opened = nil }
}
