// What a session has changed: what is seen, held against what is on the disk below. A file that was only touched counts as changed, since
// its inode is another one or was changed later.

internal import Glibc
internal import Platform

/// Finds what makes the difference.
struct Changes {
    let place: BytePath
    let lower: BytePath
    /// Where what is seen ends: exceptions and whatever else is mounted in it have their own place on a disk.
    private let border: TreeBorder

    init(_ place: BytePath, lower: BytePath) throws {
        self.place = place
        self.lower = lower
        border = TreeBorder(try Descriptor.open(place, .directory).status())
    }

    /// What has to be done below, so that a path is there as it is here; nothing where it is.
    func items(for path: BytePath) throws -> [StagedCommit.Item] {
        var items: [StagedCommit.Item] = []
        // Folders on the way that are not there below.
        var way = place
        for component in place.remainder(of: path).split(separator: UInt8(ascii: "/")).dropLast() {
            way = way.appending(component)
            guard let here = status(way), !border.isCrossed(by: here) else {
                throw FilterError.notCommittable(path: path, reason: "\(way) is not in this session's overlay")
            }
            guard here.kind == .directory else {
                throw FilterError.notCommittable(path: path, reason: "\(way) is no folder")
            }
            let below = status(under(way))
            if let below, below.kind != .directory {
                throw FilterError.notCommittable(path: path, reason: "\(way) was replaced; commit that")
            }
            if below == nil { items.append(.folder(way, here.modified)) }
        }
        let found = try compare(path)
        return found.isEmpty ? [] : items + found
    }

    private func compare(_ path: BytePath) throws -> [StagedCommit.Item] {
        let below = status(under(path))
        guard let here = status(path) else { return below == nil ? [] : [.delete(path)] }
        if border.isCrossed(by: here) { return [] }
        guard here.kind == .directory else { return below.map { isSame(here, $0) } == true ? [] : [.replace(path)] }
        guard let below, below.kind == .directory else { return [.replace(path)] }
        let names = try names(in: path).union(names(in: under(path))).sorted { $0.lexicographicallyPrecedes($1) }
        let inside = try names.flatMap { try compare(path.appending($0)) }
        let isUntouched =
            inside.isEmpty && here.mode == below.mode && here.user == below.user && here.group == below.group
            && here.modified == below.modified && attributes(of: path) == attributes(of: under(path))
        return path == place || isUntouched ? inside : [.folder(path, here.modified)] + inside
    }

    private func isSame(_ here: FileStatus, _ below: FileStatus) -> Bool {
        here.kind == below.kind && here.size == below.size && here.modified == below.modified
            && here.changed == below.changed
    }

    private func names(in folder: BytePath) throws -> Set<[UInt8]> {
        let names = try DirectoryListing(of: Descriptor.open(folder, [.directory, .noFollow]))
        return Set((0..<names.count).map { names[$0] })
    }

    private func attributes(of folder: BytePath) -> [ExtendedAttribute]? {
        try? Descriptor.open(folder, .directory).extendedAttributes()
            .filter { !$0.name.starts(with: Array("trusted.overlay.".utf8)) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    private func under(_ path: BytePath) -> BytePath {
        path == place ? lower : lower.appending(place.remainder(of: path))
    }

    private func status(_ path: BytePath) -> FileStatus? {
        try? Descriptor.open(path, [.place, .noFollow]).status()
    }
}
