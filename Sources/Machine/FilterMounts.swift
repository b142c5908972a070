// Where an active write filter keeps what it covers: the places are agreed between the initramfs, the filter, and what has to look
// below it, as restore points and backups do.
//
//     /run/holdfast/filter/<path in hexadecimal digits>/
//         lower      what is protected, as it is on the disk
//         overlay    the writes of this session, in a file system of its own, where memory holds them
//         session    what was done at the start, a line each

public import Platform

/// The places of an active filter.
public enum FilterMounts {
    public static let folder = Places.runtime.appending("filter")
    /// What overlays and the memory below them are called in the list of mounts.
    public static let source: BytePath = "holdfast-filter"

    /// What a clone is called that holds the writes of a session on the disk: a subvolume at the top level, or a dataset of the pool.
    public static let session = "holdfast-session"

    /// Whether a mount shows what a session has written, and forgets it.
    public static func isSession(_ mount: Mount) -> Bool {
        switch mount.type {
        case "overlay", "tmpfs": mount.source == source
        case "btrfs": mount.root == BytePath("/@\(session)")
        case "zfs": mount.source.lastComponent == Array(session.utf8)
        default: false
        }
    }

    /// Makes the place of what is protected, beside others of the kind. Nobody but root gets there: it leads past the filter.
    public static func makeBase(of path: BytePath) throws(SystemError) -> BytePath {
        try makeFolders(Places.runtime)
        try Descriptor.open(Places.runtime, [.directory, .noFollow]).setMode(0o700)
        let base = base(of: path)
        try makeFolders(base, mode: 0o755)
        return base
    }

    /// The bytes that the path of a filtered folder may have: an option of a mount has at most 255 (fsconfig(2)), and the longest is the
    /// place of what a session writes.
    public static let longestPath = (255 - folder.appending("").bytes.count - "/overlay/upper".utf8.count) / 2

    public static func name(of path: BytePath) -> String { hexadecimal(path.bytes) }

    public static func base(of path: BytePath) -> BytePath { folder.appending(name(of: path)) }

    /// What is protected, as it is on the disk; nil where no filter covers the path itself.
    public static func lower(of path: BytePath) -> BytePath? {
        let lower = base(of: path).appending("lower")
        guard let there = try? Mount.at(lower), !isSession(there) else { return nil }
        guard let mount = try? Mount.at(path), isSession(mount) else { return nil }
        return lower
    }

    /// The filtered place of which a mount is what is protected; nil where it is something else.
    public static func place(ofGround mount: Mount) -> BytePath? {
        let base = mount.point.parent
        guard base.parent == folder, mount.point.lastComponent.elementsEqual("lower".utf8), base != Self.base(of: "/")
        else { return nil }
        return decodeHexadecimal(String(decoding: base.lastComponent, as: UTF8.self)).map { BytePath($0) }
    }

    /// Where a path is on the disk, below the filter that covers it; nil where none does.
    public static func below(_ path: BytePath) -> BytePath? {
        var place = path
        while true {
            if let lower = lower(of: place) {
                return lower.appending(place.remainder(of: path))
            }
            if place == place.parent { return nil }
            place = place.parent
        }
    }

    /// The filtered place that a path is in, and would be forgotten with; nil where what is written there stays.
    public static func forgets(_ path: BytePath) -> Mount? {
        guard let file = try? Descriptor.open(nearestExisting(path), .place), let mount = try? Mount.holding(file),
            isSession(mount)
        else { return nil }
        return mount
    }
}
