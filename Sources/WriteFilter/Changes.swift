// What a session has changed: what is seen, held against what is on the disk below. A file that was only touched counts as changed; one
// that was copied up and is the same, or was committed in this session, does not.
//
// Both sides are walked together from descriptor to descriptor, at any depth: whoever owns the folder may rename in it meanwhile.

internal import Glibc
internal import Images
internal import Machine
internal import Platform

/// What an overlay file system writes on files and folders for itself. A folder on the disk may hold those of another overlay, as the folders of
/// container engines do: they are none of the filter's business.
enum OverlayMarks {
    static let attributes = "trusted.overlay."

    static func isOne(_ name: [UInt8]) -> Bool { name.starts(with: attributes.utf8) }

    /// What stands for a name that is gone: above it, nothing is seen.
    static func isWhiteout(_ status: FileStatus) -> Bool {
        status.kind == .characterDevice && status.nodeMajor == 0 && status.nodeMinor == 0
    }
}

/// What has to be done on the disk, by paths below the filtered place.
struct ChangeSet: Equatable {
    var deletes: Set<[UInt8]> = []
    /// Files, and folders that are not there below, with all that is in them.
    var whole: Set<[UInt8]> = []
    /// Folders by owner, mode, attributes and time alone.
    var alone: Set<[UInt8]> = []

    /// Those of them that differ in more than their time, which changes with what is in them.
    var changedFolders: Set<[UInt8]> = []

    var isEmpty: Bool { deletes.isEmpty && whole.isEmpty && alone.isEmpty }
    /// What people count.
    var count: Int { deletes.union(whole).union(changedFolders).count }
    var parts: TreeParts { TreeParts(whole: whole, alone: alone) }
}

/// Finds what makes the difference.
struct Changes {
    private let place: BytePath
    private let seen: Descriptor
    private let ground: Descriptor
    /// Where what is seen ends: exceptions and whatever else is mounted in it have their own place on a disk.
    private let border: TreeBorder
    private(set) var found = ChangeSet()

    /// - Parameters:
    ///   - seen: the place, with the overlay.
    ///   - ground: the same on the disk.
    init(_ place: BytePath, seen: Descriptor, ground: Descriptor) throws {
        self.place = place
        self.seen = seen
        self.ground = ground
        border = TreeBorder(try seen.status())
    }

    /// Adds what has to be done so that a path is below as it is here; nothing where it is.
    /// - Throws: `FilterError.notCommittable`
    mutating func add(_ path: BytePath) throws {
        let names = place.remainder(of: path).split(separator: UInt8(ascii: "/")).map(Array.init)
        guard let name = names.last else { return try compareRoots() }
        func refuse(_ count: Int, _ reason: String) -> FilterError {
            let way = names[..<count].reduce(place) { $0.appending($1) }
            return .notCommittable(path: path, reason: "\(way) \(reason)")
        }
        var (here, below): (Descriptor, Descriptor?) = (seen, ground)
        var way: [UInt8] = []
        for (index, name) in names.dropLast().enumerated() {
            guard let status = try look(name, in: here), !border.isCrossed(by: status) else {
                throw refuse(index + 1, "is not in this session's overlay")
            }
            guard status.kind == .directory else { throw refuse(index + 1, "is no folder") }
            way = Self.join(way, name)
            here = try here.open(name, .directory)
            let there = try below.flatMap { try look(name, in: $0) }
            if let there, there.kind != .directory { throw refuse(index + 1, "was replaced; commit that") }
            below = there == nil ? nil : try below?.open(name, .directory)
            // A folder on the way that is not there below comes along.
            if below == nil { found.alone.insert(way) }
        }
        let there = try below.flatMap { try look(name, in: $0) }
        if try look(name, in: here) == nil, there == nil {
            throw FilterError.notCommittable(path: path, reason: "it is neither here nor on the disk")
        }
        try compare(name, at: Self.join(way, name), in: here, below)
    }

    private mutating func compareRoots() throws {
        if try !isSameFolder(seen, ground, seen.status(), ground.status()) {
            found.alone.insert([])
            found.changedFolders.insert([])
        }
        try compareInside(at: [], seen, ground)
    }

    /// Compares one name; of a folder that is in both, what is in it is left to the caller.
    /// - Returns: the two folders to go on in.
    private mutating func look(
        at path: [UInt8], _ name: [UInt8], in here: Descriptor, _ below: Descriptor?
    ) throws -> (Descriptor, Descriptor)? {
        let there = try below.flatMap { try look(name, in: $0) }
        guard let status = try look(name, in: here) else {
            if let there, !OverlayMarks.isWhiteout(there) { found.deletes.insert(path) }
            return nil
        }
        if border.isCrossed(by: status) { return nil }
        guard let there, let below, there.kind == .directory || status.kind != .directory else {
            // What has the name on the disk and is no folder goes before one comes.
            if there != nil { found.deletes.insert(path) }
            found.whole.insert(path)
            return nil
        }
        guard status.kind == .directory else {
            if there.kind == .directory { found.deletes.insert(path) }
            if try !isSame(name, in: here, status, below, there) { found.whole.insert(path) }
            return nil
        }
        return (try here.open(name, .directory), try below.open(name, .directory))
    }

    private mutating func compare(
        _ name: [UInt8], at path: [UInt8], in here: Descriptor, _ below: Descriptor?
    ) throws {
        if let (here, below) = try look(at: path, name, in: here, below) { try compareInside(at: path, here, below) }
    }

    private struct Level {
        var path: [UInt8]
        var names: [[UInt8]]
        var next = 0
        /// How much had been found before it.
        var countBefore: Int
        var isSame: Bool
    }

    private var count: Int { found.deletes.count + found.whole.count + found.alone.count }

    private mutating func compareInside(at path: [UInt8], _ here: Descriptor, _ below: Descriptor) throws {
        var stacks = (FolderStack(here, status: try here.status()), FolderStack(below, status: try below.status()))
        var levels = [try level(at: path, here, below)]
        while let level = levels.last {
            guard level.next < level.names.count else {
                levels.removeLast()
                // Its time changes with what is in it.
                if !level.path.isEmpty, !level.isSame || count > level.countBefore { found.alone.insert(level.path) }
                if !levels.isEmpty {
                    try stacks.0.leave()
                    try stacks.1.leave()
                }
                continue
            }
            levels[levels.count - 1].next += 1
            let name = level.names[level.next]
            let whole = Self.join(level.path, name)
            guard let one = stacks.0.current, let other = stacks.1.current,
                let (here, below) = try look(at: whole, name, in: one, other)
            else { continue }
            stacks.0.enter(here, name: name, status: try here.status())
            stacks.1.enter(below, name: name, status: try below.status())
            levels.append(try self.level(at: whole, here, below))
        }
    }

    private mutating func level(at path: [UInt8], _ here: Descriptor, _ below: Descriptor) throws -> Level {
        let names = try Set(names(in: here)).union(names(in: below)).sorted { $0.lexicographicallyPrecedes($1) }
        let (status, there) = (try here.status(), try below.status())
        let isSame = try isSameFolder(here, below, status, there)
        if !isSame, !path.isEmpty { found.changedFolders.insert(path) }
        return Level(
            path: path, names: names, countBefore: count, isSame: isSame && status.modified == there.modified)
    }

    private func isSameFolder(
        _ here: Descriptor, _ below: Descriptor, _ status: FileStatus, _ there: FileStatus
    ) throws -> Bool {
        try status.mode == there.mode && status.user == there.user && status.group == there.group
            && attributes(of: here) == attributes(of: below)
    }

    /// One that was committed in this session, or only copied up, has another change time, and is the same all the same.
    private func isSame(
        _ name: [UInt8], in here: Descriptor, _ status: FileStatus, _ below: Descriptor, _ there: FileStatus
    ) throws -> Bool {
        guard status.kind == there.kind, status.size == there.size, status.modified == there.modified else {
            return false
        }
        if status.changed == there.changed { return true }
        guard status.mode == there.mode, status.user == there.user, status.group == there.group else { return false }
        switch status.kind {
        case .symbolicLink: return try here.readLink(name) == below.readLink(name)
        case .file:
            let (one, other) = try (
                here.open(name, [.noFollow, .nonBlocking]), below.open(name, [.noFollow, .nonBlocking])
            )
            // What has the name by now may be something else.
            guard try one.status().kind == .file, try other.status().kind == .file else { return false }
            return try attributes(of: one) == attributes(of: other) && Self.haveSameContent(one, other)
        default: return false
        }
    }

    private static func haveSameContent(_ one: Descriptor, _ other: Descriptor) throws -> Bool {
        let length = 256 << 10
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * length, alignment: 16)
        defer { buffer.deallocate() }
        let first = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
        let second = UnsafeMutableRawBufferPointer(rebasing: buffer[length...])
        var offset: Int64 = 0
        while true {
            let count = try one.read(into: first, at: offset)
            guard try other.read(into: second, at: offset) == count,
                first[..<count].elementsEqual(second[..<count])
            else { return false }
            if count < length { return true }
            offset += Int64(count)
        }
    }

    private static func join(_ path: [UInt8], _ name: [UInt8]) -> [UInt8] {
        path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
    }

    private func names(in folder: Descriptor) throws -> [[UInt8]] {
        let names = try DirectoryListing(of: folder)
        return (0..<names.count).map { names[$0] }
    }

    private func attributes(of folder: Descriptor) throws -> [ExtendedAttribute] {
        try folder.extendedAttributes().filter { !OverlayMarks.isOne($0.name) }
    }

    /// nil where nothing has the name; what cannot be looked at is no answer.
    private func look(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> FileStatus? {
        do throws(SystemError) { return try folder.status(of: name) } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }
}
