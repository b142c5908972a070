// What a session has changed, as its overlay has it (overlayfs, "whiteouts and opaque directories").

internal import Glibc
internal import Platform

/// Finds in an overlay what makes the difference.
struct Changes {
    let place: BytePath
    let lower: BytePath
    let upper: BytePath
    /// What is not the overlay's: exceptions, small overlays, Holdfast's own state.
    let others: Set<BytePath>

    init(_ place: BytePath, lower: BytePath, others: Set<BytePath>) {
        self.place = place
        self.lower = lower
        self.others = others
        upper = FilterMounts.base(of: place).appending("overlay").appending("upper")
    }

    /// What has to be done below, so that a path is there as it is here; nothing where it is.
    func items(for path: BytePath) throws -> [StagedCommit.Item] {
        var items: [StagedCommit.Item] = []
        // Folders on the way that are not there below.
        var way = place
        for component in place.remainder(of: path).split(separator: UInt8(ascii: "/")).dropLast() {
            way = way.appending(component)
            guard let here = status(upper, way) else { return [] }
            guard here.kind == .directory else {
                throw FilterError.notCommittable(path: path, reason: "\(way) is no folder")
            }
            if let below = status(lower, way), below.kind != .directory || isOpaque(way) {
                throw FilterError.notCommittable(path: path, reason: "\(way) was replaced; commit that")
            }
            if status(lower, way) == nil { items.append(.folder(way, here.modified)) }
        }
        let found = try walk(path)
        return found.isEmpty ? [] : items + found
    }

    private func walk(_ path: BytePath) throws -> [StagedCommit.Item] {
        if others.contains(path) { return [] }
        guard let here = status(upper, path) else { return [] }
        if here.kind == .characterDevice, here.nodeMajor == 0, here.nodeMinor == 0 {
            return status(lower, path) == nil ? [] : [.delete(path)]
        }
        guard here.kind == .directory else { return [.replace(path)] }
        guard status(lower, path)?.kind == .directory, path == place || !isOpaque(path) else {
            if let inside = others.first(where: { $0.isBelow(path) }) {
                throw FilterError.notCommittable(path: path, reason: "\(inside) is in it, and stays anyway")
            }
            return [.replace(path)]
        }
        let folder = try Descriptor.open(at(upper, path), [.directory, .noFollow])
        let names = try DirectoryListing(of: folder)
        let below = try (0..<names.count).flatMap { try walk(path.appending(names[$0])) }
        return path == place || (below.isEmpty && isSame(path)) ? below : [.folder(path, here.modified)] + below
    }

    private func at(_ side: BytePath, _ path: BytePath) -> BytePath {
        path == place ? side : side.appending(place.remainder(of: path))
    }

    private func status(_ side: BytePath, _ path: BytePath) -> FileStatus? {
        try? Descriptor.open(at(side, path), [.place, .noFollow]).status()
    }

    /// Whether nothing of what was below shows through.
    private func isOpaque(_ path: BytePath) -> Bool {
        guard let folder = try? Descriptor.open(at(upper, path), [.directory, .noFollow]) else { return false }
        let name = Array("trusted.overlay.opaque".utf8)
        return (try? folder.extendedAttributes().contains { $0.name == name && $0.value == [UInt8(ascii: "y")] })
            ?? false
    }

    private func isSame(_ path: BytePath) -> Bool {
        guard let here = status(upper, path), let below = status(lower, path) else { return false }
        return here.mode == below.mode && here.user == below.user && here.group == below.group
    }
}
