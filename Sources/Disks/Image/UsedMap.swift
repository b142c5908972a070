// Which parts of a volume hold something, as what is in it says: a file system, or volumes that are in it.

internal import Images
internal import Platform

/// Which parts of a volume are used, as its content says.
struct UsedMap: Sendable {
    /// Why it says nothing that can be believed.
    struct Refusal: Error, Hashable {
        let reason: String
    }

    let way: DiskDescription.Way
    /// The system that is in it, but for the name of its stream.
    private var found: SystemOnDisk?
    let parts: @Sendable () throws -> any UsedParts
    /// Where in it those volumes lie that are left out, by their ids.
    private(set) var leftOut: [String: Range<UInt64>] = [:]
    /// The file systems in it that can say where their files are.
    private(set) var places: [FilePlaces] = []

    /// nil: nobody here knows how to ask such a content.
    ///
    /// - Parameters:
    ///   - without: the ids of volumes in it that are taken another way.
    ///   - depth: how many volumes it is in.
    init?(
        of type: String, in disk: SourceDisk, _ range: Range<UInt64>, without: Set<String> = [], depth: Int = 0
    ) throws {
        let bytes = PartOfDisk(disk.bytes, range)
        switch type {
        case "ext2", "ext3", "ext4", "xfs", "btrfs":
            if type.hasPrefix("ext"), try Self.hasErrors(ext: bytes) {
                throw Refusal(
                    reason:
                        "its own record says that it has errors, and nobody has checked it since: what it calls free may not be"
                )
            }
            let volume: VolumeMount
            do {
                // The kernel's ext4 takes all three.
                volume = try VolumeMount(
                    of: disk.file, range, sectorSize: disk.sectorSize, type: type.hasPrefix("ext") ? "ext4" : type)
            } catch VolumeMount.Refusal.notClean {
                throw Refusal(reason: "it was not unmounted: what it calls free may hold what was written last")
            } catch VolumeMount.Refusal.unsupported(let type) {
                throw Refusal(reason: "this kernel has no \(type)")
            } catch VolumeMount.Refusal.unknown(let reason) {
                throw Refusal(reason: "the kernel does not mount it: \(reason)")
            }
            way = .blocks
            found = SystemOnDisk(on: volume, stream: "")
            parts = { try volume.usedParts() }
            places = [FilePlaces(offset: 0, size: bytes.size, step: nil) { volume }]
        case "vfat":
            let volume = try FATVolume(bytes)
            if volume.isDirty { throw Refusal(reason: "it was not unmounted, or its medium had errors") }
            (way, found) = (.blocks, nil)
            parts = { volume.usedParts() }
            places = [
                FilePlaces(offset: 0, size: bytes.size, step: volume.clusterSize) {
                    try VolumeMount(of: disk.file, range, sectorSize: disk.sectorSize, type: "vfat")
                }
            ]
        case "ntfs":
            let volume = try NTFSVolume(bytes)
            if volume.isHibernated { throw Refusal(reason: "Windows sleeps in it") }
            if volume.isDirty { throw Refusal(reason: "it was not unmounted") }
            (way, found) = (.blocks, nil)
            parts = { volume.usedParts() }
            places = [
                FilePlaces(offset: 0, size: bytes.size, step: nil) {
                    try VolumeMount(of: disk.file, range, sectorSize: disk.sectorSize, type: "ntfs3")
                }
            ]
        case "swap", "swsuspend":
            guard let area = try SwapArea(bytes), !area.isHibernated else {
                throw Refusal(reason: "a machine sleeps in it")
            }
            (way, found) = (.swap, nil)
            // Safe: one of the sizes that a page has.
            let page = UInt64(area.pageSize)
            parts = { OnePart(range: 0..<page) }
        case "LVM2_member" where depth == 0 || depth == 1:
            let member = try LVMMember(bytes)
            var layers = [Layer(range: 0..<member.start)]
            var system: SystemOnDisk?
            for volume in member.volumes {
                if volume.isWhole, without.contains(volume.id) {
                    leftOut[volume.id] = volume.range
                    continue
                }
                let inner = volume.isWhole ? Self.inner(disk, range, volume.range, depth) : nil
                system = system ?? inner?.found
                places += inner?.places ?? []
                layers.append(Layer(range: volume.range, parts: inner?.parts))
            }
            layers.append(Layer(range: member.end..<bytes.size))
            let all = layers
            (way, found) = (.blocks, system)
            parts = { LayeredParts(all) }
        case "linux_raid_member" where depth == 0:
            let content = try RAIDMember(bytes).content
            var layers = [Layer(range: 0..<content.lowerBound)]
            if without.contains(DiskUse.Layer.mirror) {
                leftOut[DiskUse.Layer.mirror] = content
            } else {
                let inner = Self.inner(disk, range, content, depth)
                places = inner?.places ?? []
                layers.append(Layer(range: content, parts: inner?.parts))
            }
            layers.append(Layer(range: content.upperBound..<bytes.size))
            let all = layers
            // What is changed on one member of a mirror makes it another than the other.
            (way, found) = (.blocks, nil)
            parts = { LayeredParts(all) }
        default: return nil
        }
    }

    /// What is in a part of a volume; nil where that is not known, so that all of it is used.
    private static func inner(
        _ disk: SourceDisk, _ volume: Range<UInt64>, _ part: Range<UInt64>, _ depth: Int
    ) -> UsedMap? {
        let start = volume.lowerBound.adding(saturating: part.lowerBound)
        let range = start..<min(volume.lowerBound.adding(saturating: part.upperBound), volume.upperBound)
        // Whatever cannot be told is used.
        guard !range.isEmpty, let content = try? ContentProbe.look(at: disk.path, range) else { return nil }
        // As above.
        guard var map = (try? UsedMap(of: content.type, in: disk, range, depth: depth + 1)) ?? nil else { return nil }
        map.found = map.found?.within(part, type: content.type)
        map.places = map.places.map { $0.within(part) }
        return map
    }

    /// Whether an ext4 says that it was found to be damaged (Documentation/filesystems/ext4/super.rst: s_state, s_error_count).
    static func hasErrors(ext disk: any DiskBytes) throws -> Bool {
        let block = try disk.bytes(at: 1024, count: 1024)
        return block.little(UInt16.self, at: 0x3A) & 2 != 0 || block.little(UInt32.self, at: 0x194) != 0
    }

    /// The system whose root the volume has; nil where it has none.
    func system(_ stream: String) -> SystemOnDisk? {
        guard var found else { return nil }
        found.volume = stream
        return found
    }
}
