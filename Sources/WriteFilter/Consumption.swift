// How full an overlay is, what fills it, and when it will be full.

internal import Machine
public import Platform

/// How full one overlay is.
public struct Consumption: Sendable {
    public var used: UInt64
    public var limit: UInt64
    /// Bytes a minute, over the last ten minutes or since the start; nil where it does not grow.
    public var growth: UInt64?

    public var percent: UInt64 { limit == 0 ? 100 : used * 100 / limit }
    /// Until it is full, at that pace.
    public var minutesLeft: UInt64? { growth.map { (limit - min(used, limit)) / max($0, 1) } }

    /// nil where nothing is filtered.
    static func now(of path: BytePath) -> Consumption? {
        guard let lower = FilterMounts.lower(of: path), let mount = try? Mount.at(path) else { return nil }
        let now = seconds()
        var result: Consumption
        if mount.type == "overlay" {
            let overlay = FilterMounts.base(of: path).appending("overlay")
            guard let space = try? Descriptor.open(overlay, .directory).space() else { return nil }
            result = Consumption(used: space.total - space.free, limit: space.total)
        } else {
            // On the disk: what is free there goes since the start, whoever takes it.
            guard let space = try? Descriptor.open(lower, .directory).space() else { return nil }
            let first = samples(of: path).first?.free ?? space.free
            result = Consumption(used: first - min(first, space.free), limit: first)
        }
        // The oldest of the last ten minutes.
        if let oldest = samples(of: path).dropFirst().first(where: { now - $0.time <= 600 }), now > oldest.time + 5,
            result.limit - min(result.limit, result.used) < oldest.free
        {
            let free = result.limit - min(result.limit, result.used)
            result.growth = (oldest.free - free) * 60 / UInt64(now - oldest.time)
        }
        return result
    }

    // MARK: The past

    private static func file(of path: BytePath) -> BytePath { FilterMounts.base(of: path).appending("usage") }

    /// Seconds since the machine started, so that a clock that is set does no harm.
    private static func seconds() -> Int { Int(clamping: HostFacts.secondsSinceStart) }

    /// The first is that of the start, the others are the last twenty.
    private static func samples(of path: BytePath) -> [(time: Int, free: UInt64)] {
        guard let bytes = try? readRegular(file(of: path), limit: 1 << 16) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let time = Int(words[0]), let free = UInt64(words[1]) else { return nil }
            return (time, free)
        }
    }

    /// Remembers how full it is, for as long as the machine runs.
    static func remember(_ path: BytePath) throws {
        guard let now = now(of: path) else { return }
        let all = samples(of: path)
        let kept = all.prefix(1) + all.dropFirst().suffix(19) + [(seconds(), now.limit - min(now.limit, now.used))]
        let text = kept.map { "\($0.time) \($0.free)\n" }.joined()
        try replaceFile(file(of: path), Array(text.utf8), mode: 0o644)
    }
}

/// A folder that takes room in an overlay.
public struct Consumer: Sendable {
    public var folder: BytePath
    /// In the folder itself, without those in it.
    public var bytes: UInt64
    public var files: UInt64
    /// Programs that have files of it open.
    public var programs: [RunningProcess] = []

    /// Those that take the most, by what lies in them directly.
    static func largest(_ count: Int, of path: BytePath) -> [Consumer] {
        guard count > 0, let mount = try? Mount.at(path) else { return [] }
        let upper = FilterMounts.base(of: path).appending("overlay").appending("upper")
        var all: [Consumer] = []
        if mount.type == "overlay", let folder = try? Descriptor.open(upper, .directory) {
            all = consumers(count, in: folder, path, since: nil)
        } else if mount.type != "overlay", let folder = try? Descriptor.open(path, .directory),
            // A clone has the times of what it was cloned from: what is newer is this session's.
            let start = try? Descriptor.open(FilterSession.file(of: path)).status().changed
        {
            all = consumers(count, in: folder, path, since: start)
        }
        var largest = Array(all.sorted { $0.bytes > $1.bytes }.prefix(count))
        guard let device = try? Descriptor.open(path, .directory).status().device else { return largest }
        for index in largest.indices {
            largest[index].programs = RunningProcess.using(device: device, below: largest[index].folder)
        }
        return largest
    }

    /// The largest of what is below a folder, `count` of them at least: somebody may have made any number, one in the other.
    private static func consumers(
        _ count: Int, in folder: Descriptor, _ path: BytePath, since start: Timestamp?
    ) -> [Consumer] {
        var rules = TreeWalk.Rules()
        // What cannot be looked at, as in the whole walk, takes room that is not told of.
        if let border = (try? folder.status()).map({ TreeBorder($0) }) { rules.isBorder = border.isCrossed }
        guard let walk = try? TreeWalk(folder, rules: rules) else { return [] }
        var found: [Consumer] = []
        func add(_ level: Level, _ name: [UInt8]) {
            if level.bytes == 0 { return }
            let folder = name.isEmpty ? path : path.appending(name)
            found.append(Consumer(folder: folder, bytes: level.bytes, files: level.files))
            if found.count >= 4 * count { found = Array(found.sorted { $0.bytes > $1.bytes }.prefix(count)) }
        }
        // The folders on the way, the last of which has this name below the first.
        var (levels, name): ([Level], [UInt8]) = ([Level()], [])
        while let step = walk.next() {
            switch step {
            case .enter(let entry, _):
                levels.append(Level(parentLength: name.count))
                name = entry.path
            case .leave:
                let level = levels.removeLast()
                add(level, name)
                name.removeSubrange(level.parentLength...)
            case .entry(let entry):
                guard !entry.isBorder, start.map({ entry.status.changed >= $0 }) ?? true else {
                    continue
                }
                levels[levels.count - 1].bytes.add(saturating: entry.status.allocated)
                levels[levels.count - 1].files += 1
            case .unreadable: continue
            }
        }
        add(levels[0], [])
        return found
    }

    /// A folder that is walked through.
    private struct Level {
        var bytes: UInt64 = 0
        var files: UInt64 = 0
        /// Of the name of the folder that it is in.
        var parentLength = 0
    }
}
