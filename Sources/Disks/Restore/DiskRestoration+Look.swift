// A look into a disk that was restored: at the files on it, for who compares them with the image, and into its system, for who changes that before
// its first start.

public import Platform
internal import Reporting

extension DiskRestoration {
    /// The files of one source of the image, where they are on the disk now.
    public struct Tree {
        public let folder: Descriptor
        /// Its file system has owners and modes of its mount alone, as FAT has.
        public let hasOwnersOfMount: Bool
    }

    /// What was restored file by file, by the path of its source, mounted read-only as long as it is used. After `check` it is what the image has;
    /// `finish` changes some of it.
    /// - Parameter checked: what `check` could not mount is left out, as that has told of it.
    public func restoredTrees(_ checked: Report) throws -> [BytePath: Tree] {
        guard let plan else { return [:] }
        let lost = Set(checked.notMounted.map(\.stream))
        var trees: [BytePath: Tree] = [:]
        for volume in plan.description.volumes where volume.way == .tree && !lost.contains(volume.stream) {
            // safe: the plan has put it within the disk
            let range = volume.start..<volume.start + plan.size(of: volume)
            let mount = try plan.target.mount(range, type: volume.content ?? "")
            for tree in volume.trees ?? [] {
                let folder =
                    try tree.subvolume.map { try mount.folder.openBeneath(Array($0.utf8), .directory) } ?? mount.folder
                trees[BytePath(tree.source)] = Tree(folder: folder, hasOwnersOfMount: volume.content == "vfat")
            }
        }
        return trees
    }

    /// Does something in the root of the system that is on the disk, mounted for writing; afterwards the disk has it.
    /// - Throws: `DiskFormatError` where no system is known; `VolumeMount.Refusal` where this kernel does not mount it; `SystemError`.
    public func inSystem(_ body: (Descriptor) throws -> Void) throws {
        guard let plan, let system = plan.description.system,
            let volume = plan.description.volumes.first(where: { $0.stream == system.volume })
        else { throw DiskFormatError("no system is known on it") }
        let place = try mount(volume, in: system.folder, within: system.inner, plan)
        try body(place.folder)
        try place.folder.synchronizeFileSystem()
        // Unmounted with the last who uses it.
        withExtendedLifetime(place.mount) {}
    }
}
