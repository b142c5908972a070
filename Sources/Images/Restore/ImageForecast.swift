// What can be known of an image before its content is read: whether all of it is there, and what its files come to. Asked before something is
// destroyed for it.

internal import Cryptography
public import Platform
public import Reporting
internal import Stores

public struct ImageForecast: Sendable {
    /// What the files of one source come to, in bytes, without their holes.
    public struct Content: Sendable, Hashable {
        public var plain: UInt64 = 0
        /// Of those that their file system compresses each for itself.
        public var compressed: UInt64 = 0

        public var total: UInt64 { plain.adding(saturating: compressed) }

        fileprivate mutating func add(_ slices: [Slice], isCompressed: Bool) {
            for slice in slices where slice.chunk != nil {
                if isCompressed {
                    compressed.add(saturating: slice.length)
                } else {
                    plain.add(saturating: slice.length)
                }
            }
        }
    }

    /// Whether somebody could look: not where it comes through a pipe.
    public var isKnown = false
    /// Files of it that are missing, or shorter than they were, and parts of its manifest that are lost, each with what is wrong.
    public var lacking: [String] = []
    /// By the paths of the sources; nil where only its end will say it.
    public var contents: [BytePath: Content]?
    /// All of its content with its holes, where no more is known of that.
    public var contentBytes: UInt64?
    /// What is damaged is named after it.
    public var subject = ""

    public init() {}
}

extension ImageReader {
    /// Looks ahead, without reading content. What is read next is what would have been.
    /// - Throws: `ImageError` where the image's end is missing, so that nobody would vouch for what comes before.
    public func forecast(_ progress: Progress) throws -> ImageForecast {
        guard let reader = self as? any BatchedImageReader else { return ImageForecast() }
        do { return try reader.lookAhead(progress) } catch {
            throw ImageError.wrapping(error, subject: reader.restoredSubject)
        }
    }
}

extension Store {
    /// The folder on this machine that it is, open; nil where it is none.
    public var openFolder: Descriptor? { objects.openFolder }
}

extension StoreImageReader {
    func lookAhead(_ progress: Progress) throws -> ImageForecast {
        var forecast = ImageForecast()
        forecast.subject = restoredSubject
        forecast.isKnown = try addVolumes(to: &forecast)
        try keepingPlace { try addManifest(to: &forecast, progress) }
        return forecast
    }

    /// - Returns: whether the store could be asked.
    private func addVolumes(to forecast: inout ImageForecast) throws -> Bool {
        let group = root.name.group
        var there: [ObjectName: UInt64] = [:]
        do {
            for writer in Set(root.volumes.map(\.writer)) {
                for object in try store.listed(.volume, group: group, writer: writer) {
                    there[object.name] = object.longest
                }
            }
        } catch let error as StoreError where error.reason == .refused {
            // Who may read it need not be one who may list it.
            return false
        }
        for volume in root.volumes {
            let name = volume.name(.volume, group: group)
            guard let length = there[name] else {
                forecast.lacking.append("\(name.text) is missing")
                continue
            }
            if length < volume.length {
                forecast.lacking.append("\(name.text) has \(length) of \(volume.length) bytes")
            }
        }
        return true
    }

    private func addManifest(to forecast: inout ImageForecast, _ progress: Progress) throws {
        var contents: [BytePath: ImageForecast.Content] = [:]
        var lost = 0
        var source = BytePath([])
        var isCompressed = false
        while let batch = try nextBatch() {
            try progress.checkStop()
            guard let records = batch.records else {
                lost += 1
                continue
            }
            var items = RecordReader(records)
            while let item = try items.next() {
                guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
                switch record {
                case .position(let position): source = BytePath(position.source)
                case .source(let path): source = BytePath(path)
                case .entry(let entry):
                    isCompressed = entry.flags & Self.compressedFlag != 0
                    contents[source, default: .init()].add(entry.slices, isCompressed: isCompressed)
                case .content(let slices):
                    contents[source, default: .init()].add(slices, isCompressed: isCompressed)
                case .enter, .leave, .restart, .finish: break
                }
            }
        }
        forecast.contents = contents
        if lost > 0 {
            forecast.lacking.append("\(lost) of \(root.body?.pieces.count ?? 0) parts of its manifest cannot be read")
        }
    }

    /// FS_COMPR_FL of ioctl_iflags(2).
    private static let compressedFlag: UInt32 = 4
}
