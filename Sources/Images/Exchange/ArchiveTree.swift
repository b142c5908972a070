// The tree that an archive's entries make. Archives need not be in order: a folder may come after what is in it, or twice, a link far
// from its file, a file again in a newer state. An image is a walk of the tree, so all entries are kept until the end; their content
// is not, it goes into the store as it comes.

internal import Platform

/// Why an archive's entry cannot be taken as it is: the end of a sentence that begins with its name.
struct ArchiveRefusal: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
}

struct ArchiveTree {
    private struct Node {
        var name: [UInt8]
        var kind: FileKind
        /// The entry's record.
        var entry: [UInt8]
        /// Records of its content.
        var content: [UInt8] = []
        var children: [Int] = []
        /// Of a second name: the first one.
        var first: Int?
        var hasOtherNames = false
        /// A folder that the archive has not named itself so far.
        var isImplied = false
    }

    private struct Place: Hashable {
        var folder: Int
        var name: [UInt8]
    }

    private var nodes: [Node]
    private var places: [Place: Int] = [:]
    private let begin = Timestamp.now()
    /// What all that takes, roughly.
    private(set) var memory = 0
    /// What one entry takes beside its records.
    private static let memoryOfNode = 400

    init(name: [UInt8]) {
        nodes = []
        nodes.append(folder(name))
    }

    private func folder(_ name: [UInt8], mode: UInt32 = 0o755) -> Node {
        var entry = Entry()
        entry.name = name
        entry.kind = .directory
        entry.mode = mode
        entry.modified = begin
        return Node(name: name, kind: .directory, entry: entry.encoded(), isImplied: true)
    }

    // MARK: Entries

    /// The folder that holds what has this path; folders on the way that nobody has named yet are made.
    private mutating func parent(of path: [[UInt8]]) throws(ArchiveRefusal) -> Int {
        // The source is a folder, too.
        guard path.count < Format.maximumDepth else { throw ArchiveRefusal("is deeper than a restore goes") }
        guard path.reduce(path.count, { $0 + $1.count }) <= Format.maximumPathLength else {
            throw ArchiveRefusal("has a path of more than \(Format.maximumPathLength) bytes")
        }
        var current = 0
        for name in path.dropLast() {
            if let next = places[Place(folder: current, name: name)] {
                guard nodes[next].kind == .directory else {
                    throw ArchiveRefusal("is below \(printable(name)), which is no folder")
                }
                current = next
            } else {
                current = append(folder(name), to: current)
            }
        }
        return current
    }

    private mutating func append(_ node: Node, to parent: Int) -> Int {
        let number = nodes.count
        nodes.append(node)
        memory += Self.memoryOfNode + node.name.count + node.entry.count + node.content.count
        nodes[parent].children.append(number)
        places[Place(folder: parent, name: node.name)] = number
        return number
    }

    /// Puts an entry at its path, an empty one being the archive's root. One that was there before is replaced, as extracting would.
    mutating func add(_ entry: Entry, content: [UInt8], at path: [[UInt8]]) throws(ArchiveRefusal) {
        guard let name = path.last else {
            guard entry.kind == .directory else { throw ArchiveRefusal("has no name") }
            var root = entry
            root.name = nodes[0].name
            nodes[0].entry = root.encoded()
            nodes[0].isImplied = false
            return
        }
        var entry = entry
        entry.name = name
        let parent = try parent(of: path)
        guard let known = places[Place(folder: parent, name: name)] else {
            _ = append(Node(name: name, kind: entry.kind, entry: entry.encoded(), content: content), to: parent)
            return
        }
        try checkReplacing(known, by: entry.kind)
        memory -= nodes[known].entry.count + nodes[known].content.count
        nodes[known].kind = entry.kind
        nodes[known].entry = entry.encoded()
        memory += nodes[known].entry.count + content.count
        nodes[known].content = content
        nodes[known].first = nil
        nodes[known].isImplied = false
    }

    /// Has a folder stand for one that was left out: one for root alone. A folder that the archive has named stays as it is.
    mutating func closeFolder(at path: [[UInt8]]) {
        var number = 0
        if let name = path.last {
            guard let parent = try? parent(of: path) else { return }  // What is below it has no place either.
            number =
                places[Place(folder: parent, name: name)] ?? append(folder(name, mode: 0o700), to: parent)
        }
        guard nodes[number].isImplied else { return }
        nodes[number].entry = folder(nodes[number].name, mode: 0o700).entry
    }

    private func checkReplacing(_ known: Int, by kind: FileKind) throws(ArchiveRefusal) {
        guard (nodes[known].kind == .directory) == (kind == .directory) else {
            throw ArchiveRefusal("comes as a folder and as something else")
        }
        guard !nodes[known].hasOtherNames else {
            throw ArchiveRefusal("comes again after a hard link to it, and what the link then means nobody can tell")
        }
    }

    /// Gives a file that came before another name. Some archives put the content with the last name: then it is given here.
    mutating func link(
        _ path: [[UInt8]], to target: [[UInt8]], size: UInt64, content: [UInt8]
    ) throws(ArchiveRefusal) {
        let shown = printable(target.joined(separator: [UInt8(ascii: "/")]))
        guard let name = path.last else { throw ArchiveRefusal("has no name") }
        var found: Int? = 0
        for name in target { found = found.flatMap { places[Place(folder: $0, name: name)] } }
        guard let found, nodes[found].kind != .directory else {
            throw ArchiveRefusal("is a hard link to \(shown), which is no file that came before")
        }
        let first = nodes[found].first ?? found
        let parent = try parent(of: path)
        let known = places[Place(folder: parent, name: name)]
        if let known {
            guard known != first else { throw ArchiveRefusal("is a hard link to itself") }
            try checkReplacing(known, by: nodes[first].kind)
        }
        if !content.isEmpty {
            guard nodes[first].kind == .file, nodes[first].content.isEmpty || nodes[first].content == content else {
                throw ArchiveRefusal("is a hard link to \(shown) and has other content")
            }
            if nodes[first].content.isEmpty {
                var entry = try decoded(first)
                entry.size = size
                entry.contentFollows = true
                nodes[first].entry = entry.encoded()
                nodes[first].content = content
                memory += content.count
            }
        }
        nodes[first].hasOtherNames = true
        let number = known ?? append(Node(name: name, kind: nodes[first].kind, entry: []), to: parent)
        nodes[number].entry = []
        nodes[number].content = []
        nodes[number].kind = nodes[first].kind
        nodes[number].first = first
    }

    private func decoded(_ number: Int) throws(ArchiveRefusal) -> Entry {
        do { return try Entry(decoding: WireReader(nodes[number].entry)) } catch {
            throw ArchiveRefusal("cannot be kept: \(error)")
        }
    }

    // MARK: The walk

    /// Hands the records of all entries on, folders around what is in them.
    func walk(_ take: (_ records: [UInt8], _ size: UInt64?) throws -> Void) throws {
        var open: [(node: Int, next: Int)] = []
        var path: [[UInt8]] = []
        /// Where the content of a file with several names was, by its first one.
        var written: [Int: [UInt8]] = [:]
        func enter(_ number: Int) throws {
            var records: [UInt8] = []
            records.append(record: .enter, nodes[number].entry)
            try take(records, nil)
            open.append((number, 0))
        }
        try enter(0)
        while let (current, next) = open.last {
            guard next < nodes[current].children.count else {
                open.removeLast()
                if !path.isEmpty { path.removeLast() }
                var records: [UInt8] = []
                records.append(record: .leave, [])
                try take(records, nil)
                continue
            }
            open[open.count - 1].next += 1
            let number = nodes[current].children[next]
            let node = nodes[number]
            if node.kind == .directory {
                path.append(node.name)
                try enter(number)
                continue
            }
            let first = node.first ?? number
            var records: [UInt8] = []
            if let target = written[first] {
                var link = try decoded(first)
                link.name = node.name
                link.kind = .hardLink
                link.size = 0
                link.contentFollows = false
                link.attributes = []
                link.flags = 0
                link.target = target
                records.append(record: .entry, link.encoded())
                try take(records, nil)
                continue
            }
            if nodes[first].hasOtherNames {
                written[first] = Array((path + [node.name]).joined(separator: [UInt8(ascii: "/")]))
            }
            if first == number {
                records.append(record: .entry, node.entry)
            } else {
                var entry = try decoded(first)
                entry.name = node.name
                records.append(record: .entry, entry.encoded())
            }
            records += nodes[first].content
            try take(records, node.kind == .file ? try decoded(first).size : nil)
        }
    }
}
