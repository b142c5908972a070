// What a filter does in this session: what the start of the machine wrote down, held against what is really mounted.

internal import Glibc
internal import Machine
public import Platform

/// One filtered place as it is now.
public struct FilterSession: Sendable {
    public enum Mode: String, Sendable {
        /// Writes are forgotten.
        case overlay
        /// One writable start, after which the filter is back.
        case service
        case writable
    }

    public var path: BytePath
    public var mode: Mode
    /// Folders whose writes stay, and whether they really do.
    public var exceptions: [(path: BytePath, isPersistent: Bool)] = []
    /// What was not as it was decided.
    public var alarms: [String] = []

    /// The place of what the start wrote down.
    static func file(of path: BytePath) -> BytePath { FilterMounts.base(of: path).appending("session") }

    /// Whether anything was written down in this session.
    static func isKnown(_ path: BytePath) -> Bool { exists(file(of: path)) }

    init(path: BytePath) {
        self.path = path
        mode = FilterMounts.lower(of: path) == nil ? .writable : .overlay
        guard let bytes = try? readRegular(Self.file(of: path), limit: 1 << 20) else { return }
        for line in bytes.split(separator: UInt8(ascii: "\n")).compactMap(SessionLine.init) {
            switch line {
            case .mode(let said): if mode == .writable, said == .service { mode = .service }
            case .alarm(let text): alarms.append(text)
            case .exception(let place, let isKept): exceptions.append((place, isKept && isPersistent(place)))
            case .small: continue
            }
        }
    }

    /// Whether a folder really is what the disk has: the same file there and here.
    private func isPersistent(_ folder: BytePath) -> Bool {
        guard let lower = FilterMounts.lower(of: path) else { return true }
        let below = lower.appending(path.remainder(of: folder))
        guard let there = FileIdentity(below), let here = FileIdentity(folder),
            let mount = try? Mount.holding(Descriptor.open(folder, .place))
        else { return false }
        return there == here && !mount.isReadOnly && !FilterMounts.isSession(mount)
    }

    static func write(_ lines: [SessionLine], for path: BytePath) throws {
        try replaceFile(file(of: path), Array(lines.map { $0.text + "\n" }.joined().utf8), mode: 0o644)
    }
}

/// One thing that the start of a filter did, as it is written down: a word and what belongs to it.
enum SessionLine {
    case mode(FilterSession.Mode)
    /// What is not as it was decided.
    case alarm(String)
    case exception(BytePath, isPersistent: Bool)
    /// A folder that got some room of its own.
    case small(BytePath)

    var text: String {
        switch self {
        case .mode(let mode): "mode \(mode.rawValue)"
        case .alarm(let text): "alarm \(text)"
        case .exception(let path, let isPersistent): "except \(FilterPlan.word(path)) \(isPersistent ? "yes" : "no")"
        case .small(let path): "small \(FilterPlan.word(path))"
        }
    }

    /// nil: it is none.
    init?(_ line: ArraySlice<UInt8>) {
        let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return nil }
        switch words[0] {
        case "mode":
            guard let mode = FilterSession.Mode(rawValue: words[1]) else { return nil }
            self = .mode(mode)
        case "alarm": self = .alarm(words[1])
        case "except":
            let parts = words[1].split(separator: " ").map(String.init)
            guard parts.count == 2 else { return nil }
            self = .exception(FilterPlan.path(parts[0]), isPersistent: parts[1] == "yes")
        case "small": self = .small(FilterPlan.path(words[1]))
        default: return nil
        }
    }
}
