// A tree that was restored, compared with its image entry by entry: from the descriptor of its folder one name at a time, following no link.

internal import Glibc
public import Platform
internal import Reporting

/// What became of an entry.
public enum RestoredState: Sendable, Hashable {
    case same
    /// What is there is something else, with what differs.
    case different(String)
    /// The image does not give its content any more, with why.
    case unreadable(String)
}

public final class RestoredTree {
    private let root: Descriptor
    private let image: ImageEntries
    /// Without being root nobody gives files away.
    private let comparesOwners: Bool
    /// Its file system has owners, modes and attributes of its mount alone, as FAT has.
    private let hasOwnersOfMount: Bool
    private var opened: [(name: [UInt8], folder: Descriptor)] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)

    public init(
        _ root: Descriptor, of image: ImageEntries, comparesOwners: Bool = HostFacts.isRoot,
        hasOwnersOfMount: Bool = false
    ) {
        self.root = root
        self.image = image
        self.comparesOwners = comparesOwners
        self.hasOwnersOfMount = hasOwnersOfMount
    }

    deinit { buffer.deallocate() }

    /// Compares one entry, while the image is at it.
    /// - Throws: `ImageError` where nothing more can be read of the image.
    public func state(of entry: ImageEntry) throws -> RestoredState {
        do {
            return try compare(entry)
        } catch let error as ImageError where error.endsReading {
            throw error
        } catch let error as SystemError {
            guard error.isAbsent else { return .different(error.reason) }
            return try missing(entry)
        } catch is Interrupted {
            throw Interrupted()
        } catch { return .unreadable(explained(error).sentence) }
    }

    /// What is not there may be since the image does not give it.
    private func missing(_ entry: ImageEntry) throws -> RestoredState {
        if entry.isBroken { return .unreadable("its content is not whole in the image") }
        do { try image.readContent(of: entry) { _, _ in true } } catch let error as ImageError where error.endsReading {
            throw error
        } catch { return .unreadable(explained(error).sentence) }
        return .different("it is missing")
    }

    private func compare(_ listed: ImageEntry) throws -> RestoredState {
        let names = listed.place.bytes.split(separator: UInt8(ascii: "/")).map(Array.init)
        guard let name = names.last else {
            return attributesDiffer(listed.entry, try root.status(), { try root.extendedAttributes() })
        }
        let folder = try folder(Array(names.dropLast()))
        let status = try folder.status(of: name)
        if listed.kind == .hardLink { return try compareNames(listed, status) }
        guard status.kind == listed.kind else { return .different("it is of another kind") }
        switch listed.kind {
        case .symbolicLink:
            if try folder.readLink(name) != listed.entry.target { return .different("it leads elsewhere") }
        case .characterDevice, .blockDevice:
            if status.nodeMajor != listed.entry.nodeMajor || status.nodeMinor != listed.entry.nodeMinor {
                return .different("it is another device")
            }
        case .file:
            if listed.isBroken { return .unreadable("its content is not whole in the image") }
            if status.size != listed.size {
                return .different("it has \(status.size) bytes, and the image \(listed.size)")
            }
            let file = try folder.open(name, .nonBlocking)
            if let difference = try contentDiffers(listed, file) { return .different(difference) }
            return attributesDiffer(listed.entry, status, { try file.extendedAttributes() })
        case .directory:
            // A subvolume has a source of its own, which says what its folder is.
            if status.device != (try root.status().device) { return .same }
        case .hardLink, .fifo, .socket: break
        }
        let isFolder = listed.kind == .directory
        return attributesDiffer(listed.entry, status) {
            isFolder
                ? try folder.open(name, .directory).extendedAttributes() : try folder.extendedAttributes(of: name)
        }
    }

    /// A further name has to lead to the very file of the first.
    private func compareNames(_ listed: ImageEntry, _ status: FileStatus) throws -> RestoredState {
        let names = (listed.first ?? "").bytes.split(separator: UInt8(ascii: "/")).map(Array.init)
        guard let first = names.last else { return .different("its first name is missing") }
        let other = try folder(Array(names.dropLast())).status(of: first)
        return FileIdentity(other) == FileIdentity(status) ? .same : .different("it is not the file of its first name")
    }

    private func attributesDiffer(
        _ entry: Entry, _ status: FileStatus, _ attributes: () throws -> [ExtendedAttribute]
    ) -> RestoredState {
        var differing: [String] = []
        if hasOwnersOfMount {
            // FAT has none of its root.
            let isSame = entry.kind == .directory || status.modified == entry.modified.possible
            return isSame ? .same : .different("its time differs")
        }
        if entry.kind != .symbolicLink, status.mode & 0o7777 != entry.mode & 0o7777,
            comparesOwners || status.mode & 0o777 != entry.mode & 0o777
        {
            differing.append("mode")
        }
        if comparesOwners, status.user != entry.user || status.group != entry.group { differing.append("owner") }
        if status.modified != entry.modified.possible { differing.append("time") }
        do {
            let (there, wanted) = (try attributes(), entry.attributes)
            if Set(there.filter(isCompared)) != Set(wanted.filter(isCompared)) { differing.append("attributes") }
        } catch { differing.append("attributes, which cannot be read") }
        return differing.isEmpty ? .same : .different("its \(differing.joined(separator: ", ")) differ")
    }

    /// What a file system, or the policy of a machine, gives and takes of itself is no one's content; the restore tells of it.
    private static let ofSystem = ["btrfs.", "security.selinux"].map { Array($0.utf8) }

    private func isCompared(_ attribute: ExtendedAttribute) -> Bool {
        if Self.ofSystem.contains(where: attribute.name.starts) { return false }
        return comparesOwners || attribute.name.starts(with: Array("user.".utf8))
    }

    /// nil: it is the same.
    private func contentDiffers(_ listed: ImageEntry, _ file: Descriptor) throws -> String? {
        var position: UInt64 = 0
        var difference: String?
        try image.readContent(of: listed) { bytes, length in
            let isSame = try bytes.map { try isThere($0, file, position) } ?? isHole(file, position, length)
            if !isSame { difference = "its content differs behind byte \(position)" }
            position.add(saturating: length)
            return isSame
        }
        if difference == nil, position != listed.size {
            difference = "its content in the image does not add up to its size"
        }
        return difference
    }

    private func isThere(_ bytes: UnsafeRawBufferPointer, _ file: Descriptor, _ position: UInt64) throws -> Bool {
        var done = 0
        while done < bytes.count {
            let count = min(buffer.count, bytes.count - done)
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let offset = Int64(clamping: position.adding(saturating: UInt64(done)))  // safe: of a chunk in memory
            guard try file.read(into: piece, at: offset) == count, let there = piece.baseAddress,
                let wanted = bytes.baseAddress, memcmp(there, wanted + done, count) == 0
            else { return false }
            done += count
        }
        return true
    }

    /// Whether nothing but zeros is there.
    private func isHole(_ file: Descriptor, _ position: UInt64, _ length: UInt64) throws -> Bool {
        let end = Int64(clamping: position.adding(saturating: length))
        var place = Int64(clamping: position)
        while place < end, let data = try file.nextData(from: place, size: end) {
            place = data.lowerBound
            let stop = min(end, data.upperBound)
            while place < stop {
                let count = Int(min(Int64(buffer.count), stop - place))  // safe: the smaller of two
                let filled = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: place)
                if filled == 0 { return false }
                if buffer[..<filled].contains(where: { $0 != 0 }) { return false }
                place += Int64(filled)
            }
        }
        return true
    }

    /// The folder that names lead to; those that lead to the last one stay open.
    private func folder(_ names: [[UInt8]]) throws(SystemError) -> Descriptor {
        var same = 0
        while same < min(names.count, opened.count), opened[same].name == names[same] { same += 1 }
        opened.removeLast(opened.count - same)
        for name in names[same...] {
            opened.append((name, try (opened.last?.folder ?? root).open(name, .directory)))
        }
        return opened.last?.folder ?? root
    }
}
