// A last look at what was restored: each file system is mounted, read-only, and what this kernel does not mount is read as its own tools would.

internal import Platform
internal import Reporting

extension DiskRestoration {
    /// Mounts what can be mounted, or reads it as its own tools would.
    func test(_ plan: DiskRestorePlan, _ report: inout Report) {
        for volume in plan.description.volumes where volume.way == .blocks || volume.way == .tree {
            let range = volume.start..<volume.start + plan.size(of: volume)  // safe: the plan has looked at it
            do {
                let bytes = PartOfDisk(plan.target.bytes, range)
                switch volume.content {
                case "LVM2_member":
                    _ = try LVMMember(bytes)
                    report.looked.append((volume.stream, "what is in LVM is found at the next start"))
                case "linux_raid_member":
                    _ = try RAIDMember(bytes)
                    report.looked.append((volume.stream, "a disk of an array is not mounted by itself"))
                case "vfat":
                    _ = try FATVolume(bytes)
                    try mount(volume, as: "vfat", range, plan, &report)
                case "ntfs":
                    _ = try NTFSVolume(bytes)
                    try mount(volume, as: "ntfs3", range, plan, &report)
                case let type?:
                    _ = try plan.target.mount(range, type: type)
                    report.mounted.append(volume.stream)
                case nil: continue
                }
            } catch {
                report.notMounted.append((volume.stream, explained(error).sentence))
                findings.add(
                    Finding(
                        .notRestored, path.appending(volume.stream),
                        "it cannot be mounted: \(explained(error).sentence)"))
            }
        }
    }

    /// Mounts what was read before, where this kernel can.
    private func mount(
        _ volume: DiskDescription.Volume, as type: String, _ range: Range<UInt64>, _ plan: DiskRestorePlan,
        _ report: inout Report
    ) throws {
        do {
            _ = try plan.target.mount(range, type: type)
            report.mounted.append(volume.stream)
        } catch VolumeMount.Refusal.unsupported {
            report.looked.append((volume.stream, "this kernel has no \(type)"))
        }
    }
}
