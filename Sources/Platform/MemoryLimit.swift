// How much memory may be used here, where a service manager has set a limit.

extension HostFacts {
    /// Bytes of memory that this process may have together with what it starts; nil: no limit is known.
    public static var memoryLimit: UInt64? {
        guard let groups = try? readWhole("/proc/self/cgroup", limit: 1 << 16) else { return nil }
        return memoryLimit(of: groups, top: "/sys/fs/cgroup")
    }

    /// - Parameters:
    ///   - groups: the groups of a process, as the kernel lists them.
    ///   - top: the folder of all groups.
    static func memoryLimit(of groups: [UInt8], top: BytePath) -> UInt64? {
        // 0::/system.slice/holdfast-schedule.service
        let own = groups.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: Array("0::/".utf8)) }
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
