// Which programs use a file system, found through /proc: by their open and mapped files, working folders and roots.

internal import CLinux
internal import Glibc

/// A running program.
public struct RunningProcess: Sendable, Hashable, CustomStringConvertible {
    public var id: Int32
    public var name: String
    public var description: String { "\(name) (\(id))" }

    /// Programs other than this one that have something open on a device, as `stat` numbers it. A btrfs subvolume has a number
    /// of its own. What /proc does not let us see is left out: without being root that is everybody else's.
    /// - Parameter root: only what lies in this folder, by the names that the kernel gives.
    public static func using(device: UInt64, below root: BytePath? = nil) -> [RunningProcess] {
        guard let proc = try? Descriptor.open("/proc", .directory), let names = try? DirectoryListing(of: proc) else {
            return []
        }
        var result: [RunningProcess] = []
        for index in 0..<names.count {
            guard let id = Int32(String(decoding: names[index], as: UTF8.self)), id != getpid() else { continue }
            let folder = "/proc/\(id)"
            // Between its making and its program, a child holds all that this one has open.
            if isOwnChild(folder) { continue }
            let isUser =
                ["cwd", "root", "exe"].contains(where: { uses(device, root, "\(folder)/\($0)") })
                || hasOpen(device, root, folder) || hasMapped(device, root, folder)
            if isUser {
                result.append(RunningProcess(id: id, name: name(folder)))
            }
        }
        return result
    }

    /// One that cannot be looked at is nobody's child, and counts.
    private static func isOwnChild(_ folder: String) -> Bool { origin(folder)?.parent == getpid() }

    /// A process, told from one that gets its number later.
    struct Member: Hashable {
        var id: Int32
        var start: String
    }

    /// The processes that are not at their end, of those of some groups, of what these have started, and of those that are known to belong to
    /// them. What /proc does not let us see is not among them.
    static func family(of groups: Set<Int32>, known: Set<Member>) -> Set<Member> {
        guard let proc = try? Descriptor.open("/proc", .directory), let names = try? DirectoryListing(of: proc) else {
            return []
        }
        var children: [Int32: [Member]] = [:]
        var found: [Member] = []
        for index in 0..<names.count {
            guard let id = Int32(String(decoding: names[index], as: UTF8.self)), let fields = fields("/proc/\(id)"),
                let parent = Int32(fields[1]), let group = Int32(fields[2]), !["Z", "X"].contains(fields[0])
            else { continue }
            let member = Member(id: id, start: fields[19])
            children[parent, default: []].append(member)
            if groups.contains(group) || known.contains(member) { found.append(member) }
        }
        var family = Set(found)
        while let member = found.popLast() {
            for child in children[member.id] ?? [] where family.insert(child).inserted { found.append(child) }
        }
        return family
    }

    /// What started a process, and when it was started, in ticks since the machine's start; nil where there is none.
    private static func origin(_ folder: String) -> (parent: Int32, start: String)? {
        guard let fields = fields(folder), let parent = Int32(fields[1]) else { return nil }
        return (parent, fields[19])
    }

    /// What the kernel says of a process, from its state on; nil where there is none.
    private static func fields(_ folder: String) -> [String]? {
        guard let bytes = try? readWhole(BytePath("\(folder)/stat"), limit: 1 << 12),
            // The name before is in brackets, and may hold anything.
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        return fields.count > 19 ? fields : nil
    }

    /// What tells the program that has this one run by a shell from every other, on this machine and for good: the first of the processes
    /// that have its name, one above the other.
    public static var caller: String {
        func parent(of id: Int32) -> Int32 { origin("/proc/\(id)")?.parent ?? 0 }
        var id = parent(of: getppid())
        while parent(of: id) > 1, name("/proc/\(parent(of: id))") == name("/proc/\(id)") { id = parent(of: id) }
        return "\(HostFacts.bootIdentifier)-\(id)-\(origin("/proc/\(id)")?.start ?? "")"
    }

    private static func hasOpen(_ device: UInt64, _ root: BytePath?, _ folder: String) -> Bool {
        guard let open = try? Descriptor.open(BytePath("\(folder)/fd"), .directory),
            let names = try? DirectoryListing(of: open)
        else { return false }
        return (0..<names.count).contains { index in
            uses(device, root, "\(folder)/fd/\(String(decoding: names[index], as: UTF8.self))")
        }
    }

    /// A file that is mapped may be closed. Each is looked at once, by the first of its places.
    private static func hasMapped(_ device: UInt64, _ root: BytePath?, _ folder: String) -> Bool {
        guard let maps = try? readWhole(BytePath("\(folder)/maps"), limit: 1 << 26) else { return false }
        var seen: Set<ArraySlice<UInt8>> = []
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count == 6, let path = fields[5].drop(while: { $0 == UInt8(ascii: " ") }).nonEmpty,
                path.first == UInt8(ascii: "/"), seen.insert(path).inserted
            else { continue }
            // The range is written there without the zeros in front.
            let range = fields[0].split(separator: UInt8(ascii: "-")).map { bound in
                String(decoding: bound.drop { $0 == UInt8(ascii: "0") }.nonEmpty ?? [UInt8(ascii: "0")], as: UTF8.self)
            }
            if uses(device, root, "\(folder)/map_files/\(range.joined(separator: "-"))") { return true }
        }
        return false
    }

    /// Follows one of /proc's links to the file itself.
    private static func uses(_ device: UInt64, _ root: BytePath?, _ link: String) -> Bool {
        if let root {
            let path = BytePath(link)
            guard let target = try? Descriptor.open(path.parent, [.directory, .place]).readLink(path.lastComponent),
                target == root.bytes || target.starts(with: root.bytes + [UInt8(ascii: "/")])
            else { return false }
        }
        // Without a descriptor of its own: that would be a use, which another look at the same time would find.
        var status = stat()
        guard link.withCString({ stat($0, &status) }) == 0 else { return false }
        // As glibc's gnu_dev_major and gnu_dev_minor, which Swift does not see.
        let number = UInt64(status.st_dev)
        let major = number >> 8 & 0xfff | number >> 32 & 0xffff_f000
        let minor = number & 0xff | number >> 12 & 0xffff_ff00
        return major << 32 | minor == device
    }

    private static func name(_ folder: String) -> String {
        guard let bytes = try? readWhole(BytePath("\(folder)/comm"), limit: 256) else { return "?" }
        return printable(bytes.prefix { $0 != UInt8(ascii: "\n") })
    }
}

extension ArraySlice {
    fileprivate var nonEmpty: ArraySlice? { isEmpty ? nil : self }
}
