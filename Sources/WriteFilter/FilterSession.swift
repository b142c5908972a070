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
        guard let bytes = try? readWhole(Self.file(of: path), limit: 1 << 20) else { return }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "mode": if mode == .writable, words[1] == "service" { mode = .service }
            case "alarm": alarms.append(words[1])
            case "except":
                let place = BytePath(String(words[1].split(separator: " ").first ?? ""))
                exceptions.append((place, words[1].hasSuffix(" yes") && isPersistent(place)))
            default: continue
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

    static func write(_ lines: [String], for path: BytePath) throws {
        try replaceFile(file(of: path), Array((lines + [""]).joined(separator: "\n").utf8), mode: 0o644)
    }
}
