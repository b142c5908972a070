// What is on a medium before it becomes a stick: a stick already, or images. Whoever is about to overwrite it hears of that first.

internal import Glibc
internal import Platform
internal import Reporting

public struct MediumContent: Equatable, Sendable {
    /// Whether `stick update` would do.
    public var isStick = false
    /// Images in single files, and folders that are stores.
    public var images = 0
    public var stores = 0
    /// What could not be looked into, a sentence each.
    public var unread: [String] = []

    /// So many names are looked at, and so deep a mounted file system is.
    private static let (mostNames, deepest) = (100_000, 3)

    mutating func add(_ name: some Collection<UInt8>) {
        let text = String(decoding: name, as: UTF8.self)
        if text == "HOLDFAST" { stores += 1 }
        if text.lowercased().hasSuffix(".hf") { images += 1 }
    }

    /// The names that a FAT has, by mtools: no kernel has to mount it.
    fileprivate mutating func addNames(ofFAT device: LoopDevice) throws {
        let result = try runProgram(
            ["mdir", "-i", ProgramWord(device.path), "-b", "-/", "::/"], limit: 120, outputLimit: 1 << 25)
        // It says the same of one that is empty, and prints what it has.
        guard result.status == 0 || result.output.isEmpty && result.complaint.contains("not found") else {
            throw StickError.program("mdir", status: result.status, complaint: result.complaint)
        }
        for line in result.lines { add(line.utf8.split(separator: UInt8(ascii: "/")).last ?? line.utf8[...]) }
    }

    fileprivate mutating func addNames(below root: Descriptor) throws {
        let walk = try TreeWalk(root)
        var seen = 0
        while seen < Self.mostNames, let step = walk.next() {
            seen += 1
            switch step {
            case .entry(let entry): if entry.status.kind == .file { add(entry.name) }
            case .enter: if walk.depth >= Self.deepest { walk.skip() }
            case .leave: break
            case .unreadable(let path, let error): throw SystemError(error.code, "look at", printable(path))
            }
        }
    }
}

extension Stick {
    /// What is on the medium now. Nothing is written.
    public func content() -> MediumContent {
        var found = MediumContent()
        if target.isBlank { return found }
        do {
            let table = try PartitionTable.read(target.bytes)
            found.isStick = try table.flatMap(StickLayout.init) != nil && isLabelled()
            let volumes: [(name: String, range: Range<UInt64>)] =
                table?.partitions.map { ("partition \($0.number)", $0.start..<$0.end) } ?? [("it", 0..<target.size)]
            for (name, range) in volumes where range.upperBound <= target.size && !range.isEmpty {
                // What is not known to hold nothing is said.
                do { try look(at: range, &found) } catch {
                    found.unread.append("\(name) could not be looked into: \(explained(error).sentence)")
                }
            }
        } catch {
            found.unread.append("it could not be looked at: \(explained(error).sentence)")
        }
        return found
    }

    private func look(at range: Range<UInt64>, _ found: inout MediumContent) throws {
        let device = try target.loop(range, isWritten: false)
        let content = try withExtendedLifetime(device) { try ContentProbe.look(at: device.path, for: .fileSystems) }
        guard let type = content?.type else { return }
        if type == "vfat" { return try withExtendedLifetime(device) { try found.addNames(ofFAT: device) } }
        let mount = try target.mount(range, type: type == "ntfs" ? "ntfs3" : type)
        try found.addNames(below: mount.folder)
    }
}
