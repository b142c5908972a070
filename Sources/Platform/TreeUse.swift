// Who uses a folder and what is in it, asked in one place: whoever takes the folder away, or changes what is in it, would pull the ground from
// under them.

internal import Glibc

/// Something that uses a tree.
public struct TreeUse: Sendable, Hashable, CustomStringConvertible {
    /// nil: it is no program.
    public var process: RunningProcess?
    /// Where it is mounted; nil: it is no mount.
    public var mountPoint: BytePath?
    /// `plc (231)`, `loop3 on data.img`.
    public var description: String

    private init(_ text: String, mountPoint: BytePath? = nil) {
        self.mountPoint = mountPoint
        description = text
    }
    private init(_ process: RunningProcess) {
        self.process = process
        description = process.description
    }

    /// What uses an open folder or something in it: programs, loop devices, swap files, and mounts of it in other places.
    /// - Parameters:
    ///   - path: where the folder is. What is not seen by this path, as from another root folder, is found where `isWhole`.
    ///   - isWhole: it is all of a file system, or a subvolume: then all that is on it counts.
    public static func all(
        of folder: Descriptor, at path: BytePath, isWhole: Bool = false
    ) throws(SystemError) -> [TreeUse] {
        let status = try folder.status()
        let root = isWhole ? nil : path
        var found = programs(on: status.device, below: root)
        found += files(on: status.device, root, loopFiles(), "is a loop device on")
        found += try files(on: status.device, root, swapFiles().map { ("", $0) }, "is swap space")
        return found + (try mounts(of: folder, at: path))
    }

    /// Programs alone, as `RunningProcess.using` finds them.
    public static func programs(on device: UInt64, below root: BytePath? = nil) -> [TreeUse] {
        RunningProcess.using(device: device, below: root).map { TreeUse($0) }
    }

    /// Files that the kernel itself has open.
    private static func files(
        on device: UInt64, _ root: BytePath?, _ files: [(user: String, file: BytePath)], _ what: String
    ) -> [TreeUse] {
        files.filter { _, file in
            if let root, file != root, !file.isBelow(root) { return false }
            // One that is gone from its name cannot be told; where the name counts, it is in the folder.
            guard let status = try? Descriptor.open(file, .place).status() else { return root != nil }
            return status.device == device
        }
        .map { user, file in TreeUse(user.isEmpty ? "\(file) \(what)" : "\(user) \(what) \(file)") }
    }

    private static func loopFiles() -> [(user: String, file: BytePath)] {
        BlockDevice.names(in: "/sys/block").filter { $0.hasPrefix("loop") }.compactMap { loop in
            guard let bytes = try? readWhole(BytePath("/sys/block/\(loop)/loop/backing_file"), limit: 1 << 16) else {
                return nil
            }
            return (loop, BytePath(Array(bytes.prefix { $0 != UInt8(ascii: "\n") })))
        }
    }

    /// Files that are swap space now.
    public static func swapFiles() throws(SystemError) -> [BytePath] {
        let table: [UInt8]
        do throws(SystemError) { table = try readWhole("/proc/swaps", limit: 1 << 20) } catch {
            // A kernel without swap.
            if error.isAbsent { return [] }
            throw error
        }
        return table.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
            guard fields.count > 1, fields[1].elementsEqual("file".utf8) else { return nil }
            return BytePath(unescapedField(fields[0]))
        }
    }

    /// What is mounted in an open folder, in whatever namespace: with the folder, it would go out of sight.
    public static func mounts(in folder: Descriptor, at path: BytePath) throws(SystemError) -> [Mount] {
        guard let own = try Mount.holding(folder), path == own.point || path.isBelow(own.point) else { return [] }
        let inside = own.pathInFileSystem(of: path)
        var found: [Mount] = []
        for (_, mounts) in Mount.allNamespaces() {
            let holders = Dictionary(mounts.map { ($0.id, $0) }) { first, _ in first }
            for mount in mounts {
                guard let holder = holders[mount.parent], holder.device == own.device, holder.id != mount.id,
                    holder.pathInFileSystem(of: mount.point).isBelow(inside),
                    !found.contains(where: { $0.point == mount.point })
                else { continue }
                found.append(mount)
            }
        }
        return found
    }

    /// The folder, or one in it, mounted somewhere else, in whatever namespace: a container that was given a part of it.
    private static func mounts(of folder: Descriptor, at path: BytePath) throws(SystemError) -> [TreeUse] {
        guard let own = try Mount.holding(folder), path == own.point || path.isBelow(own.point) else { return [] }
        let inside = own.pathInFileSystem(of: path)
        var found: [TreeUse] = []
        for (process, mounts) in Mount.allNamespaces() {
            for mount in mounts where mount.device == own.device && (mount.root == inside || mount.root.isBelow(inside))
            {
                // The tree's own mount, which other namespaces have copies of.
                if mount.root == own.root, mount.point == own.point { continue }
                let place = process == getpid() ? "" : " for process \(process)"
                let use = TreeUse("\(mount.root) is mounted at \(mount.point)\(place)", mountPoint: mount.point)
                if !found.contains(use) { found.append(use) }
            }
        }
        return found
    }
}
