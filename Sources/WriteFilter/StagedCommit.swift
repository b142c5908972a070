// What is to stay of a session: kept in the state first, durable on return, and brought below the overlay when nothing uses it, which
// is at the start of the machine, or while a folder's overlay is away for a moment.
//
//     <state>/filter/commit-<place>-<number>/
//         tree    what comes, under its path
//         list    what is done, a line each: delete, folder or replace, the path in hexadecimal digits, and a folder's time

internal import Glibc
internal import Machine
internal import Platform

struct StagedCommit {
    enum Item: Hashable {
        case delete(BytePath)
        /// Its owner, mode, attributes and time of modification; it is made where it is not there.
        case folder(BytePath, Timestamp)
        /// A file, or a folder that is not there below, with all that is in it.
        case replace(BytePath)

        var path: BytePath {
            switch self {
            case .delete(let path), .folder(let path, _), .replace(let path): path
            }
        }
    }

    let area: FilterArea
    /// The filtered place.
    let place: BytePath

    private var prefix: String { WaitingCommits.prefix(of: place) }

    /// Those that wait, oldest first.
    static func waiting(_ area: FilterArea, for place: BytePath) throws -> [BytePath] {
        let prefix = StagedCommit(area: area, place: place).prefix
        guard exists(area.folder) else { return [] }
        let names = try DirectoryListing(of: Descriptor.open(area.folder, .directory))
        return (0..<names.count).map { String(decoding: names[$0], as: UTF8.self) }.filter { $0.hasPrefix(prefix) }
            .sorted { (Int($0.dropFirst(prefix.count)) ?? 0) < (Int($1.dropFirst(prefix.count)) ?? 0) }
            .map { area.folder.appending($0) }
    }

    // MARK: Keeping it

    /// Copies what is to stay; on return it is durable, and it is brought below sooner or later. A crash before leaves nothing.
    func stage(_ items: [Item]) throws {
        let staging = area.folder.appending("staging")
        if exists(staging) { try run("rm", "-rf", "--", ProgramWord(staging)) }
        let tree = staging.appending("tree")
        try makeFolders(tree, mode: 0o700)
        try copy(items, to: tree)
        let list = items.map { item in
            let path = hexadecimal(item.path.bytes)
            return switch item {
            case .delete: "delete \(path)\n"
            case .folder(_, let time): "folder \(path) \(time.seconds) \(time.nanoseconds)\n"
            case .replace: "replace \(path)\n"
            }
        }
        try replaceFile(staging.appending("list"), Array((list.joined() + "end\n").utf8))
        try Descriptor.open(staging, .directory).synchronizeFileSystem()
        let last = try Self.waiting(area, for: place).last.map { $0.lastComponent.dropFirst(prefix.utf8.count) }
        let number = (last.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0) + 1
        // The commit point.
        try renameFile(staging, to: area.folder.appending("\(prefix)\(number)"))
    }

    private func copy(_ items: [Item], to tree: BytePath) throws {
        var wanted: [ProgramWord] = []
        for item in items {
            switch item {
            case .replace(let path): wanted.append(".\(path)")
            case .folder(let path, _): try copyFolder(path, to: tree)
            case .delete: break
            }
        }
        // cp makes the folders on the way, with what they have: paths begin at `/`, where programs are run.
        for start in stride(from: 0, to: wanted.count, by: 200) {
            let some = wanted[start..<min(start + 200, wanted.count)]
            let words: [ProgramWord] =
                ["cp", "-a", "-x", "--parents", "--reflink=auto", "--"] + some + [ProgramWord(tree)]
            let result = try runProgram(words)
            if result.status != 0 {
                throw FilterError.program(
                    words.prefix(3).map(\.shown), status: result.status, complaint: result.complaint)
            }
        }
    }

    /// The folder alone, as a place in the tree, with those above it.
    private func copyFolder(_ path: BytePath, to tree: BytePath) throws {
        var (here, there): (BytePath, BytePath) = ("/", tree)
        for component in path.components {
            (here, there) = (here.appending(component), there.appending(component))
            if !exists(there) { try makeFolders(there) }
            try Self.setAttributes(of: there, as: here)
        }
    }

    private static func setAttributes(of folder: BytePath, as other: BytePath) throws {
        let (source, target) = (try Descriptor.open(other, .directory), try Descriptor.open(folder, .directory))
        let status = try source.status()
        try target.setOwner(user: status.user, group: status.group)
        try target.setMode(status.mode)
        let overlay = Array("trusted.overlay.".utf8)
        let attributes = try source.extendedAttributes().filter { !$0.name.starts(with: overlay) }
        if let problem = target.setExtendedAttributes(attributes, fresh: false).first { throw problem }
    }

    // MARK: Bringing it below

    /// Brings everything that waits for a place to where the place itself is. Whatever interrupts it, the next call goes on.
    /// - Parameter ground: the place as it is below the overlay.
    static func apply(_ area: FilterArea, for place: BytePath, on ground: BytePath) throws {
        for commit in try waiting(area, for: place) { try apply(commit, place, ground) }
    }

    private static func apply(_ commit: BytePath, _ place: BytePath, _ ground: BytePath) throws {
        let items = try read(commit.appending("list"))
        let incoming = ground.appending(".holdfast-commit")
        let before = try Descriptor.open(ground, .directory).status().modified
        try bring(commit.appending("tree"), to: incoming)
        // Paths in the tree are whole ones; on the ground they begin at the place.
        func below(_ path: BytePath) -> BytePath {
            path == place ? ground : ground.appending(place.remainder(of: path))
        }
        func source(_ path: BytePath) -> BytePath { incoming.appending(path.bytes.dropFirst()) }
        for case .delete(let path) in items {
            try run("rm", "-rf", "--one-file-system", "--", ProgramWord(below(path)))
        }
        for case .folder(let path, _) in items where exists(source(path)) { try makeFolders(below(path), mode: 0o755) }
        for case .replace(let path) in items { try replace(below(path), by: source(path)) }
        for case .folder(let path, let time) in items.reversed() where exists(source(path)) {
            try setAttributes(of: below(path), as: source(path))
            try Descriptor.open(below(path), .directory).setModificationTime(
                seconds: time.seconds, nanoseconds: time.nanoseconds)
        }
        try Descriptor.open(ground, .directory).synchronizeFileSystem()
        if exists(incoming) { try run("rm", "-rf", "--one-file-system", "--", ProgramWord(incoming)) }
        // Names that came and went again are no change of the place.
        if !items.contains(where: { $0.path.parent == place }) {
            try Descriptor.open(ground, .directory).setModificationTime(
                seconds: before.seconds, nanoseconds: before.nanoseconds)
        }
        // From here on it is done: a crash before repeats what has been done, to the same end.
        let done = commit.parent.appending("done-" + String(decoding: commit.lastComponent, as: UTF8.self))
        if exists(done) { try run("rm", "-rf", "--", ProgramWord(done)) }
        try renameFile(commit, to: done)
        try run("rm", "-rf", "--", ProgramWord(done))
    }

    private static func read(_ file: BytePath) throws -> [Item] {
        let text = String(decoding: try readWhole(file, limit: 1 << 28), as: UTF8.self)
        var lines = text.split(separator: "\n")
        guard lines.popLast() == "end" else { throw FilterError.damagedPlan(file: file, reason: "it has no end") }
        return try lines.map { line in
            let words = line.split(separator: " ")
            let bytes = words.count > 1 ? decodeHexadecimal(words[1]) ?? [] : []
            if bytes.first == UInt8(ascii: "/") {
                switch (words[0], words.count) {
                case ("delete", 2): return .delete(BytePath(bytes))
                case ("replace", 2): return .replace(BytePath(bytes))
                case ("folder", 4):
                    guard let seconds = Int64(words[2]), let nanoseconds = UInt32(words[3]) else { break }
                    return .folder(BytePath(bytes), Timestamp(seconds: seconds, nanoseconds: nanoseconds))
                default: break
                }
            }
            throw FilterError.damagedPlan(file: file, reason: "a line is none")
        }
    }

    /// Has the tree on the file system that it belongs on. Half a copy has another name, and is made anew.
    private static func bring(_ tree: BytePath, to incoming: BytePath) throws {
        if exists(incoming) || !exists(tree) { return }
        let half = BytePath(incoming.bytes + Array(".half".utf8))
        try run("rm", "-rf", "--", ProgramWord(half))
        try run("cp", "-a", "--reflink=auto", "--", ProgramWord(tree), ProgramWord(half))
        try Descriptor.open(half, .directory).synchronizeFileSystem()
        try renameFile(half, to: incoming)
    }

    private static func replace(_ target: BytePath, by source: BytePath) throws {
        // Done already, before something interrupted it.
        guard (try? Descriptor.open(source, [.place, .noFollow])) != nil else { return }
        let kind = try Descriptor.open(source, [.place, .noFollow]).status().kind
        if let there = try? Descriptor.open(target, [.place, .noFollow]).status(),
            there.kind == .directory || kind == .directory
        {
            try run("rm", "-rf", "--one-file-system", "--", ProgramWord(target))
        }
        try makeFolders(target.parent, mode: 0o755)
        try renameFile(source, to: target, durably: false)
    }
}
