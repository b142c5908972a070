// A disk as what is backed up: what would be read of it, and how, in words.

internal import ArgumentParser
internal import Disks
internal import Images
internal import Platform

extension DiskSurvey {
    /// A line for the disk and one for each volume.
    func lines() -> [String] {
        let disk = description
        let facts = [disk.model, disk.serial.map { "serial number \($0)" }, Text.size(disk.size)].compactMap { $0 }
        var lines = ["\(disk.name): \(facts.map(Text.safe).joined(separator: ", "))"]
        lines += disk.volumes.map(Self.line)
        lines.append("the smallest disk for it: \(Text.size(disk.smallestTarget))")
        lines += disk.leftOut.map { "not in the image: \(Text.size($0.size)) from byte \($0.start) on (\($0.why))" }
        if let snapshots = disk.snapshots {
            let more = snapshots.count > 3 ? ", …" : ""
            lines.append(
                "not in the image: \(Text.counted(UInt64(snapshots.count), "snapshot", "snapshots")) (\(snapshots.prefix(3).map(Text.safe).joined(separator: ", "))\(more))"
            )
        }
        lines += disk.remarks.map { "the partition table: \($0)" }
        return lines
    }

    private static func line(_ volume: DiskDescription.Volume) -> String {
        let label = volume.label.map { " “\(Text.safe($0))”" } ?? ""
        let place = volume.stream == "gap" ? "what lies before the partitions" : "what lies beside the partitions"
        let what = (volume.content ?? (volume.stream.hasPrefix("gap") ? place : "unknown")) + label
        let how =
            switch volume.way {
            case .blocks: "blocks, \(Text.size(volume.used)) in use of \(Text.size(volume.size))"
            case .raw: "raw, all \(Text.size(volume.size))"
            case .tree: "files, \(Text.size(volume.used)) in use of \(Text.size(volume.size))"
            case .swap: "swap, \(Text.size(volume.size))"
            }
        return "\(volume.stream): \(what): \(how); \(volume.reason)"
    }

    /// - Parameter newestChange: when something of it was changed last; nil: that was not asked for, or is not known.
    func document(newestChange: Timestamp? = nil) -> JSON {
        .object([
            ("newestChange", newestChange.map { .number(UInt64(clamping: $0.seconds)) }),
            ("disk", .text(description.name)), ("bytes", .number(description.size)),
            ("snapshots", description.snapshots.map { .list($0.map(JSON.text)) }),
            ("serial", description.serial.map(JSON.text)),
            ("host", description.system?.hostName.map(JSON.text)),
            ("smallestTarget", .number(description.smallestTarget)),
            (
                "volumes",
                .list(
                    description.volumes.map {
                        .object([
                            ("name", .text($0.stream)), ("start", .number($0.start)), ("bytes", .number($0.size)),
                            ("way", .text($0.way.rawValue)), ("used", .number($0.used)),
                            ("content", $0.content.map(JSON.text)), ("reason", .text($0.reason)),
                        ])
                    })
            ),
        ])
    }
}
