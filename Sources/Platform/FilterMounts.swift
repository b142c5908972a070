// Where an active write filter keeps what it covers: the places are agreed between the initramfs, the filter, and what has to look
// below it, as restore points and backups do.
//
//     /run/holdfast/filter/<path in hexadecimal digits>/
//         lower      what is protected, as it is on the disk
//         overlay    the writes of this session, in a file system of its own
//         session    what was done at the start, a line each

/// The places of an active filter.
public enum FilterMounts {
    public static let folder: BytePath = "/run/holdfast/filter"
    /// What overlays and the memory below them are called in the list of mounts.
    public static let source: BytePath = "holdfast-filter"

    public static func name(of path: BytePath) -> String { hexadecimal(path.bytes) }

    public static func base(of path: BytePath) -> BytePath { folder.appending(name(of: path)) }

    /// What is protected, as it is on the disk; nil where no filter covers the path itself.
    public static func lower(of path: BytePath) -> BytePath? {
        let lower = base(of: path).appending("lower")
        guard let there = try? Mount.at(lower), there.source != source else { return nil }
        guard let mount = try? Mount.at(path), mount.type == "overlay", mount.source == source else { return nil }
        return lower
    }

    /// The filtered place that a path is in, and would be forgotten with; nil where what is written there stays.
    public static func forgets(_ path: BytePath) -> Mount? {
        var existing = path
        while !exists(existing), existing.parent != existing { existing = existing.parent }
        guard let file = try? Descriptor.open(existing, .place), let mount = try? Mount.holding(file),
            mount.source == source
        else { return nil }
        return mount
    }
}
