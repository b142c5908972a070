// What a write filter is to do from the next boot on: one small text for each filtered place, replaced
// whole, which ends with `end`, so that half of one is none.
//
//     path /
//     enabled yes
//     overlay memory
//     size 536870912
//     warning 80
//     critical 95
//     except /var/log
//     make /opt/my\040recipes
//     small /root 16777216
//     end

internal import Machine
public import Platform

/// What is decided about one filtered place.
public struct FilterPlan: Sendable, Hashable {
    /// What is filtered.
    public var path: BytePath
    public var isEnabled = false
    public var overlay = Overlay.memory
    /// The bytes of memory that the writes of a session may take.
    public var size: UInt64
    /// Per cent of `size` from which on it is said.
    public var warning: UInt64 = 80
    public var critical: UInt64 = 95
    /// Folders whose writes stay, by their whole paths.
    public var exceptions: [BytePath] = []
    /// Those of them that the next start makes, since they were not there when they were added.
    public var toMake: Set<BytePath> = []
    /// Folders that have some room of their own, so that a full overlay stops neither a login nor the shutdown.
    public var small: [Small] = []

    /// Where the writes of a session are.
    public enum Overlay: String, Sendable {
        /// An overlay file system over memory, on any file system.
        case memory
        /// A clone of what is protected, on the same btrfs or pool, made afresh at each start. It has no limit but the disk's.
        case disk
    }

    public struct Small: Sendable, Hashable {
        public var path: BytePath
        public var size: UInt64
    }

    public init(path: BytePath, size: UInt64) {
        self.path = path
        self.size = size
    }

    /// What systemd calls the mount of a path (systemd.unit(5), "string escaping for inclusion in unit names").
    static func unit(of path: BytePath) -> String {
        let name = path.components.map { component in
            component.enumerated().map { index, byte -> String in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "_"):
                    String(UnicodeScalar(byte))
                case UInt8(ascii: ".") where index > 0: "."
                default: "\\x" + hexadecimal([byte])
                }
            }.joined()
        }
        return name.joined(separator: "-") + ".mount"
    }

    // MARK: As text

    /// A path as one word: what is no plain character is written as in the kernel's table of mounts.
    static func word(_ path: BytePath) -> String {
        String(decoding: escapedField(path.bytes, isText: true), as: UTF8.self)
    }

    static func path(_ word: String) -> BytePath { BytePath(unescapedField(Array(word.utf8)[...])) }

    var text: String {
        var lines = [
            "path \(Self.word(path))", "enabled \(isEnabled ? "yes" : "no")", "overlay \(overlay.rawValue)",
            "size \(size)", "warning \(warning)", "critical \(critical)",
        ]
        lines += exceptions.map { (toMake.contains($0) ? "make " : "except ") + Self.word($0) }
        lines += small.map { "small \(Self.word($0.path)) \($0.size)" }
        return (lines + ["end", ""]).joined(separator: "\n")
    }

    /// - Throws: `FilterError.damagedPlan`
    init(_ text: String, file: BytePath) throws {
        func damaged(_ reason: String) -> FilterError { .damagedPlan(file: file, reason: reason) }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard lines.popLast() == "", lines.popLast() == "end" else { throw damaged("it has no end") }
        guard let first = lines.popFirst(), first.hasPrefix("path /") else { throw damaged("it names no path") }
        self.init(path: Self.path(String(first.dropFirst(5))), size: 0)
        guard !first.dropFirst(5).contains(" ") else { throw damaged("its path is none") }
        for line in lines {
            let words = Self.withoutOld(line.split(separator: " ").map(String.init))
            switch (words.first, words.count) {
            case ("enabled", 2) where ["yes", "no"].contains(words[1]): isEnabled = words[1] == "yes"
            case ("overlay", 2):
                guard let kind = Overlay(rawValue: words[1]) else { throw damaged("the overlay is none") }
                overlay = kind
            case ("size", 2), ("warning", 2), ("critical", 2):
                guard let value = UInt64(words[1]) else { throw damaged("\(words[0]) is no number") }
                switch words[0] {
                case "size": size = value
                case "warning": warning = value
                default: critical = value
                }
            case ("except", 2), ("make", 2):
                guard words[1].hasPrefix("/") else { throw damaged("an exception is no path") }
                exceptions.append(Self.path(words[1]))
                if words[0] == "make" { toMake.insert(Self.path(words[1])) }
            case ("small", 3):
                guard words[1].hasPrefix("/"), let value = UInt64(words[2]) else {
                    throw damaged("a small one is none")
                }
                small.append(Small(path: Self.path(words[1]), size: value))
            case (nil, 0): continue
            default: throw damaged("nobody knows what '\(printable(line.utf8))' means")
            }
        }
        guard size > 0 else { throw damaged("it has no size") }
    }

    /// The first program wrote permissions, and the names of units, for a script that read it.
    private static func withoutOld(_ words: [String]) -> [String] {
        switch (words.first, words.count) {
        case ("mode", 2) where UInt32(words[1], radix: 8) != nil: []
        case ("small", 4) where UInt32(words[3], radix: 8) != nil: Array(words.dropLast())
        case ("except", 3), ("make", 3): words[2] == unit(of: BytePath(words[1])) ? Array(words.dropLast()) : words
        default: words
        }
    }
}

/// The folder with what is decided, beside the state of restore points.
struct FilterArea {
    let folder: BytePath

    init(state: BytePath) { folder = state.appending("filter") }

    /// One writable boot is wanted. Whoever starts takes it away first.
    var serviceToken: BytePath { folder.appending("service") }

    func planFile(of path: BytePath) -> BytePath { folder.appending(FilterMounts.name(of: path) + ".plan") }

    /// nil where nothing was ever decided about the path.
    func plan(of path: BytePath) throws -> FilterPlan? {
        let file = planFile(of: path)
        guard exists(file) else { return nil }
        let plan = try FilterPlan(String(decoding: readRegular(file, limit: 1 << 20), as: UTF8.self), file: file)
        if plan.path != path { throw FilterError.damagedPlan(file: file, reason: "it is about \(plan.path)") }
        return plan
    }

    /// What plans are about, `/` first.
    func places() throws -> [BytePath] {
        guard exists(folder) else { return [] }
        let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
        return (0..<names.count).compactMap { index in
            let name = String(decoding: names[index], as: UTF8.self)
            return name.hasSuffix(".plan") ? decodeHexadecimal(String(name.dropLast(5))).map { BytePath($0) } : nil
        }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    func plans() throws -> [FilterPlan] { try places().compactMap(plan) }

    /// Has it as it was before something was decided; nil: nothing was.
    func restore(_ plan: FilterPlan?, of path: BytePath) throws {
        if let plan { try write(plan) } else { try removeFile(planFile(of: path)) }
    }

    func write(_ plan: FilterPlan) throws {
        try makeFolders(folder, mode: 0o755)
        try replaceFile(planFile(of: plan.path), Array(plan.text.utf8), mode: 0o644)
    }
}
