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
    /// What a command of the filter is at, or was when it was cut short; nil: nothing is under way.
    var unfinished: Unfinished?

    /// What has to be gone on with after a crash.
    enum Unfinished: String, Sendable {
        /// The cover is away for a moment, or not complete: it comes with all that this session has written.
        case keeping
        /// What this session wrote goes, and a cover of its own comes where one is decided.
        case forgetting
    }

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
            case .unfinished(let what): unfinished = what
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

    /// Writes down what is under way, before it begins: it is with the mounts that it is about, and goes with them at a restart.
    /// - Parameter exceptions: those of this session.
    static func note(_ what: Unfinished, of path: BytePath, exceptions: [BytePath] = []) throws {
        _ = try FilterMounts.makeBase(of: path)
        try write(
            [.mode(.overlay), .unfinished(what)] + exceptions.map { .exception($0, isPersistent: true) }, for: path)
    }

    /// Has something under way. Where the folder turns out to be in use, nothing was done, and it is written down as it was.
    static func noting(
        _ what: Unfinished, of path: BytePath, exceptions: [BytePath] = [], _ body: () throws -> Void
    ) throws {
        let file = file(of: path)
        let before = exists(file) ? try readRegular(file, limit: 1 << 20) : nil
        try note(what, of: path, exceptions: exceptions)
        do { try body() } catch let error as FilterError {
            if case .busy = error {
                if let before { try replaceFile(file, before, mode: 0o644) } else { try removeFile(file) }
            }
            throw error
        }
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
    case unfinished(FilterSession.Unfinished)

    var text: String {
        switch self {
        case .mode(let mode): "mode \(mode.rawValue)"
        case .alarm(let text): "alarm \(text)"
        case .exception(let path, let isPersistent): "except \(FilterPlan.word(path)) \(isPersistent ? "yes" : "no")"
        case .small(let path): "small \(FilterPlan.word(path))"
        case .unfinished(let what): "unfinished \(what.rawValue)"
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
        case "unfinished":
            guard let what = FilterSession.Unfinished(rawValue: words[1]) else { return nil }
            self = .unfinished(what)
        default: return nil
        }
    }
}
