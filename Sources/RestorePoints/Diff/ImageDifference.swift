// What differs between an image and the folders that it was made of, as they are now.

public import Images
public import Platform
public import Reporting

/// One source of an image.
private final class ImagePart: TreeListing {
    let entries: [ListedEntry]
    private let image: ImageListing

    init(_ image: ImageListing, _ range: Range<Int>) {
        self.image = image
        entries = Array(image.entries[range])
    }

    func readContent(
        of entry: ListedEntry, _ body: (_ bytes: UnsafeRawBufferPointer?, _ length: UInt64) throws -> Void
    ) throws { try image.readContent(of: entry, body) }
}

extension Difference {
    /// Compares each source of an image with what is there now. Paths are absolute. What the image has below a folder over which another file system
    /// is mounted now is told, too: it was not compared.
    /// - Parameters:
    ///   - own: what Holdfast keeps, which no image holds.
    ///   - content: reads every file: size and time are not trusted.
    ///   - ignoresTimes: another time alone is no difference.
    public static func ofMachine(
        from image: ImageListing, own: [BytePath], content: Bool, ignoresTimes: Bool = false, progress: Progress
    ) throws -> [Difference] {
        var result: [Difference] = []
        for (source, range) in image.parts {
            guard exists(source) else {
                result.append(Difference(kind: .removed, path: source, source: source))
                continue
            }
            let now = try FolderListing(Descriptor.open(source, .directory), isThorough: true, own: own)
            let found = try between(
                ImagePart(image, range), now,
                Comparison(content: content, ignoresTimes: ignoresTimes, isLive: true, tellsUncompared: true), progress)
            result += found.map { difference in
                Difference(
                    kind: difference.kind,
                    path: difference.path.bytes.isEmpty ? source : source.appending(difference.path.bytes),
                    source: source)
            }
        }
        return result
    }
}
