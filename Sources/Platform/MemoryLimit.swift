// How much memory may be used here, where a service manager has set a limit.

extension HostFacts {
    /// Bytes of memory that this process may have together with what it starts; nil: no limit is known.
    public static var memoryLimit: UInt64? {
        let top: BytePath = "/sys/fs/cgroup"
        guard let bytes = try? readWhole("/proc/self/cgroup", limit: 1 << 16) else { return nil }
        // 0::/system.slice/holdfast-schedule.service
        let own = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: Array("0::/".utf8)) }
        guard let own else { return nil }
        var group = BytePath(top.bytes + own.dropFirst(3))
        var least: UInt64?
        // Each group has what those above it have at most.
        while group == top || group.isBelow(top) {
            // Where there is no such file, or `max` in it, there is no limit.
            if let text = try? readWhole(group.appending("memory.max"), limit: 64),
                let limit = UInt64(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            {
                least = min(least ?? limit, limit)
            }
            group = group.parent
        }
        return least
    }
}
