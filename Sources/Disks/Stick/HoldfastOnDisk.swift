// Whether a disk holds the state of a protected machine: nobody overwrites that because a file said so beforehand.

internal import Glibc
internal import Machine
public import Platform

public enum HoldfastOnDisk {
    /// Where the state of a machine is in a file system: in `/`, or in a subvolume of its own.
    private static let places =
        ["", "@rootfs", "@"].map { "\($0)\(Places.standardState)".drop { $0 == "/" } } + ["@holdfast-state"]
    /// What holds no system that could be protected.
    private static let harmless = ["vfat", "exfat", "swap", "ntfs", "iso9660", "udf"]

    /// Looks into all file systems of a disk that nobody uses. Nothing is written.
    /// - Returns: why it is not to be overwritten unasked, in a sentence; nil: there is nothing of Holdfast's on it.
    /// - Throws: `DiskError` where it is in use; `SystemError`.
    public static func objection(to path: BytePath) throws -> String? {
        let target = try TargetDisk(path, size: 0, sectorSize: 512, isWritten: false)
        let table = try PartitionTable.read(target.bytes)
        let volumes: [(name: String, range: Range<UInt64>)] =
            table?.partitions.map { ("partition \($0.number)", $0.start..<$0.end) } ?? [("all of it", 0..<target.size)]
        for (name, range) in volumes where range.upperBound <= target.size && !range.isEmpty {
            let type: String?
            let device = try target.loop(range, isWritten: false)
            do {
                // It is gone with the last who holds it.
                type = try withExtendedLifetime(device) { try ContentProbe.look(at: device.path)?.type }
            } catch let doubt as ContentProbe.Doubt {
                return "nobody can tell what is in \(name): \(doubt)"
            }
            guard let type, !harmless.contains(type) else { continue }
            let mount: VolumeMount
            do { mount = try target.mount(range, type: type) } catch let refusal as VolumeMount.Refusal {
                return "nobody could look into \(name) (\(printable(type.utf8))): \(refusal)"
            }
            for place in places {
                let file = Array("\(place)/protected.json".utf8)
                do throws(SystemError) {
                    _ = try mount.folder.openBeneath(file, .place)
                    return "\(name) holds the state of a machine that Holdfast protects"
                } catch {
                    // What is there in place of a folder, or a link, leads to none.
                    if !error.isAbsent && ![ENOTDIR, ELOOP].contains(error.code) {
                        return "nobody could look into \(name): \(error.reason)"
                    }
                }
            }
        }
        return nil
    }
}
