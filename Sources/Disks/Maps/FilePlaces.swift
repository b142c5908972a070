// Which files lie where on their volume: so that what a bad disk has lost has names.

internal import CLinux
internal import Glibc
internal import Platform

/// A file system in a volume that can say where its files are.
struct FilePlaces: Sendable {
    /// Where it begins in the volume, and how long it is, bytes.
    var offset: UInt64
    let size: UInt64
    /// Bytes that lie in one piece; nil where the kernel tells extents.
    let step: Int?
    let mount: @Sendable () throws -> VolumeMount

    /// The same, where its volume is a part of another one.
    func within(_ part: Range<UInt64>) -> FilePlaces {
        var copy = self
        copy.offset.add(saturating: part.lowerBound)
        return copy
    }

    /// What of some parts of the volume lies in it, from its own beginning on.
    func parts(of parts: [Range<UInt64>]) -> [Range<UInt64>] {
        let own = offset..<offset.adding(saturating: size)
        return parts.map { $0.clamped(to: own) }.filter { !$0.isEmpty }
            .map { $0.lowerBound - offset..<$0.upperBound - offset }  // safe: clamped
    }
}

extension VolumeMount {
    /// The files and folders of which something lies in parts of the device, and folders that cannot be read.
    /// - Parameter step: bytes of a file that lie in one piece; nil where the kernel tells extents.
    func files(in parts: [Range<UInt64>], step: Int?, checkStop: () throws -> Void) throws -> [BytePath] {
        // A btrfs counts in addresses of its own.
        let parts = type == "btrfs" ? try logicalParts(of: parts) : parts
        func lies(_ file: Descriptor, size: UInt64) throws(SystemError) -> Bool {
            guard let step else {
                let extents = try file.extents() ?? []
                return extents.contains { extent in
                    // What is in the file's own record has no place.
                    extent.place > 0
                        && parts.contains { $0.overlaps(extent.place..<extent.place.adding(saturating: extent.length)) }
                }
            }
            for offset in stride(from: UInt64(0), to: size, by: UInt64.Stride(step)) {
                var place: UInt64 = 0
                guard clinux_file_place(file.raw, offset, &place) == 0 else { return false }
                if place > 0, parts.contains(where: { $0.overlaps(place..<place.adding(saturating: UInt64(step))) }) {
                    return true
                }
            }
            return false
        }
        var (found, waiting): ([BytePath], [[UInt8]]) = ([], [[]])
        while let path = waiting.popLast() {
            try checkStop()
            let listing: DirectoryListing
            let folder: Descriptor
            do throws(SystemError) {
                folder = path.isEmpty ? self.folder : try self.folder.openBeneath(path, .directory)
                listing = try DirectoryListing(of: folder)
            } catch {
                guard error.isBadPlace || error.code == EUCLEAN else { throw error }
                found.append(BytePath(path))
                continue
            }
            // Not every file system tells it of folders.
            if step == nil, (try? lies(folder, size: 0)) == true { found.append(BytePath(path)) }
            for name in listing {
                let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
                do throws(SystemError) {
                    let status = try folder.status(of: name)
                    if status.kind == .directory { waiting.append(below) }
                    guard status.kind == .file else { continue }
                    let file = try folder.open(name, [.noFollow, .nonBlocking])
                    if try lies(file, size: status.size) { found.append(BytePath(below)) }
                } catch {
                    guard error.isBadPlace || error.code == EUCLEAN else { throw error }
                    found.append(BytePath(below))
                }
            }
        }
        return found
    }

    /// Parts of the device as addresses of its btrfs.
    private func logicalParts(of parts: [Range<UInt64>]) throws -> [Range<UInt64>] {
        let disk = OpenDisk(device.file, size: size, sectorSize: 512, subject: "btrfs")
        return try BtrfsFreeParts.logicalParts(of: parts, folder, disk)
    }
}
