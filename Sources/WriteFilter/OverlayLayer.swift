// The layer that takes the writes of a session: memory, and an overlay file system over what is protected.

internal import Machine
internal import Platform

enum OverlayLayer {
    /// Options with which an overlay never writes below, and keeps nothing that would make what is below unreadable without it.
    private static let options = [("xino", "on"), ("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")]

    /// Memory of its own for the writes of a folder.
    /// - Parameters:
    ///   - size: the bytes that they may take.
    ///   - place: where it is mounted; made where it is not there.
    static func makeMemory(_ size: UInt64, at place: BytePath, for folder: Descriptor) throws {
        let memory = try Descriptor.makeMount(
            "tmpfs", source: FilterMounts.source, options: [("size", "\(size)"), ("mode", "0755")])
        try makeFolders(place, mode: 0o755)
        try memory.attach(to: Descriptor.open(place, [.directory, .noFollow]))
        try makeUpper(in: memory, like: folder)
    }

    /// The uppermost folder of an overlay is its own, and is to look like the one below.
    private static func makeUpper(in memory: Descriptor, like folder: Descriptor) throws {
        let status = try folder.status()
        for name in ["upper", "work"].map({ Array($0.utf8) }) {
            try memory.makeDirectory(name, mode: 0o755)
            let made = try memory.open(name, .directory)
            try made.setOwner(user: status.user, group: status.group)
            try made.setMode(status.mode)
        }
        let upper = try memory.open(Array("upper".utf8), .directory)
        let attributes = try folder.extendedAttributes().filter { !OverlayMarks.isOne($0.name) }
        if let problem = upper.setExtendedAttributes(attributes, fresh: true).first { throw problem }
        try upper.setModificationTime(seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds)
    }

    /// The overlay, without a place yet.
    /// - Parameters:
    ///   - lower: what is protected, by a path that needs no escapes.
    ///   - memory: where its memory is mounted.
    static func make(over lower: BytePath, in memory: BytePath) throws -> Descriptor {
        try .makeMount(
            "overlay", source: FilterMounts.source,
            options: [("lowerdir", "\(lower)"), ("upperdir", "\(memory)/upper"), ("workdir", "\(memory)/work")]
                + options)
    }

    /// Whether the kernel has it, loaded where it can be.
    static func isKnown() throws -> Bool {
        func isThere() throws -> Bool {
            String(decoding: try readWhole("/proc/filesystems", limit: 1 << 16), as: UTF8.self).contains("\toverlay\n")
        }
        if try isThere() { return true }
        _ = try runProgram(["modprobe", "-q", "overlay"])
        return try isThere()
    }
}

/// Folders that pass the filter.
enum ExceptionMounts {
    /// Makes those that were not there when they were decided. One that cannot be made is missed by `letPass`.
    static func make(_ paths: Set<BytePath>, of place: BytePath, in ground: Descriptor) {
        for path in paths { _ = try? ground.makeFolders(place.remainder(of: path)) }
    }

    /// Mounts them; one that is missing is made read-only, so that nothing is written there that would be forgotten.
    /// - Parameters:
    ///   - place: the filtered place.
    ///   - ground: the place as it is on the disk.
    ///   - seen: the place with its filter.
    /// - Returns: what was done, as the session has it.
    static func letPass(
        _ exceptions: [BytePath], of place: BytePath, from ground: Descriptor, in seen: Descriptor
    ) -> [SessionLine] {
        var lines: [SessionLine] = []
        // The outer one first: it would hide what was mounted in its place.
        for path in exceptions.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            let name = Array(place.remainder(of: path))
            do {
                let kept = try ground.openBeneath(name, .directory)
                try kept.cloneMount().attach(to: seen.openBeneath(name, [.directory, .place]))
                lines.append(.exception(path, isPersistent: true))
            } catch {
                lines += [lock(path, name, in: seen), .exception(path, isPersistent: false)]
            }
        }
        return lines
    }

    /// Whoever can put something in its place must not have the whole filter fail by that.
    private static func lock(_ path: BytePath, _ name: [UInt8], in seen: Descriptor) -> SessionLine {
        do throws(SystemError) {
            try seen.makeFolders(name[...])
            let locked = try seen.openBeneath(name, .directory).cloneMount()
            try locked.makeMountReadOnly()
            try locked.attach(to: seen.openBeneath(name, [.directory, .place]))
            return .alarm("the exception \(path) is not there: it is read-only now")
        } catch {
            return .alarm(
                "the exception \(path) is not there, and what is written in its place is forgotten: \(error.reason)")
        }
    }
}

/// What is mounted in a folder that is about to be covered: it comes to the same place on top, with its own writes.
struct NestedMounts {
    private var mounts: [(name: [UInt8], mount: Descriptor)] = []

    init(in path: BytePath) throws {
        let folder = try Descriptor.openWithoutLinks(path, [.directory, .place])
        var taken: [BytePath] = []
        for mount in try Mount.all() where mount.point.isBelow(path) && !taken.contains(mount.point) {
            // With the outer one comes what is mounted in it.
            if taken.contains(where: { mount.point.isBelow($0) }) { continue }
            taken.append(mount.point)
            let name = Array(path.remainder(of: mount.point))
            // One that no path leads to is seen by nobody.
            guard let root = try? folder.openBeneath(name, .place), try root.status().mount != folder.status().mount
            else { continue }
            mounts.append((name, try root.cloneMount(recursively: true)))
        }
    }

    func bring(to seen: Descriptor) throws {
        for (name, mount) in mounts { try mount.attach(to: seen.openBeneath(name, .place)) }
    }
}
