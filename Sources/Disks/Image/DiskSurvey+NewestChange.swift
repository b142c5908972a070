// When something on a disk was changed last: for whoever chooses among images of it later.

internal import Images
public import Platform
public import Reporting

extension DiskSurvey {
    /// The newest time of a file in its file systems, as far as they can be mounted.
    /// - Returns: nil where none can, or one of them could not be looked at as a whole.
    public func newestChange(_ stop: Stop) -> Timestamp? {
        var newest: Timestamp?
        for volume in description.volumes
        where ["ext2", "ext3", "ext4", "xfs", "btrfs", "ntfs"].contains(volume.content ?? "") {
            do {
                for root in try roots(of: volume) {
                    guard let found = try NewestChange.below(root.folder, staying: volume.way == .tree, stop: stop)
                    else {
                        continue
                    }
                    newest = max(newest ?? found, found)
                }
            } catch { return nil }
        }
        return newest
    }

    /// - Returns: each with what keeps it mounted.
    private func roots(of volume: DiskDescription.Volume) throws -> [(folder: Descriptor, mount: VolumeMount?)] {
        if volume.way == .tree {
            let places = Set((volume.trees ?? []).map(\.source))
            return try trees.filter { places.contains($0.source.description) }
                .map { (try Descriptor.open($0.view, .directory), nil) }
        }
        guard volume.within == nil, let content = volume.content else { return [] }
        let type = content == "ntfs" ? "ntfs3" : content.hasPrefix("ext") ? "ext4" : content
        let mount = try VolumeMount(
            of: disk.file, volume.start..<volume.start + volume.size, sectorSize: disk.sectorSize, type: type)
        return [(mount.folder, mount)]
    }
}
