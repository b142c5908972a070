// What a restore is going to do to a disk: all of it is known before the first byte is written.

public import Platform

public struct DiskRestorePlan {
    /// What the disk was called where the image was made.
    public let source: BytePath
    public let description: DiskDescription
    public let target: TargetDisk
    /// Streams of the image that have no place on it.
    let leftOut: Set<String>
    /// Whether it has sectors of another size than the disk in the image.
    public let hasOtherSectors: Bool
    /// Volumes that have the UUID of something that is attached beside it, and that.
    public let twins: [(stream: String, device: String)]
    /// The last volume, where it will have more room than it had, or, as files, less: its stream, and how large it gets, in bytes.
    public let resized: (stream: String, size: UInt64)?
    /// What lay behind the last partition, and has no place on this disk, or none any more.
    public let dropped: [DiskDescription.Volume]
    /// Whether it goes on with what an interrupted restore of the same image has written.
    public let goesOn: Bool
    /// What may not be as it should, each in a sentence.
    public internal(set) var doubts: [String] = []
    /// What of the image is missing, each in a sentence.
    public internal(set) var lacking: [String] = []
    /// Whether it is known that all of the image is there: not where it comes through a pipe.
    public internal(set) var isForeseen = false
    /// nil: there is none.
    let table: PartitionTable?
    /// Sectors of the table and where they belong, sector 0 last.
    let pieces: [(offset: UInt64, bytes: [UInt8])]

    /// - Throws: `DiskError` where the image does not fit the disk, or says what cannot be.
    init(_ source: BytePath, _ description: DiskDescription, onto target: TargetDisk, image: String, grows: Bool) throws
    {
        let imageSectors = description.sectorSize
        let (description, leftOut) = try description.converted(toSectors: target.sectorSize, on: target.path)
        self.source = source
        self.description = description
        self.target = target
        self.leftOut = leftOut
        hasOtherSectors = imageSectors != target.sectorSize
        goesOn = try !image.isEmpty && !target.isBlank && RestoreNote(image: image).isOn(target)
        do {
            var table = try description.table?.decoded()
            resized = Self.resize(&table, description, onto: target, grows: grows)
            dropped = Self.drop(description, onto: target, table, resized)
            try Self.check(description, onto: target, table, resized, without: dropped)
            self.table = table
            twins = try Self.twins(description, on: target)
            pieces = try table?.encoded(diskSize: target.size, sectorSize: target.sectorSize) ?? []
        } catch let error as DiskFormatError { throw DiskError.damagedDescription(error.description) }
    }

    /// What belonged to the end of the disk that was, where that is now beyond the end, or in what the last file system has grown to.
    private static func drop(
        _ description: DiskDescription, onto target: TargetDisk, _ table: PartitionTable?,
        _ resized: (stream: String, size: UInt64)?
    ) -> [DiskDescription.Volume] {
        let second = table?.startOfSecond(diskSize: target.size, sectorSize: target.sectorSize) ?? target.size
        let end = table?.partitions.map(\.end).max() ?? 0
        return description.behindPartitions.filter { volume in
            volume.start < end || volume.start.adding(saturating: volume.size) > second
        }
    }

    /// All numbers are the image's word.
    private static func check(
        _ description: DiskDescription, onto target: TargetDisk, _ table: PartitionTable?,
        _ resized: (stream: String, size: UInt64)?, without dropped: [DiskDescription.Volume]
    ) throws {
        let unit = UInt64(target.sectorSize)
        guard target.size >= description.smallestTarget else {
            throw DiskError.tooSmall(target.path, needed: description.smallestTarget, size: target.size)
        }
        let tableEnd = table?.endOfTable(sectorSize: target.sectorSize) ?? 0
        let second = table?.startOfSecond(diskSize: target.size, sectorSize: target.sectorSize) ?? target.size
        var end = tableEnd
        var names: Set<String> = []
        for volume in description.outerVolumes.sorted(by: { $0.start < $1.start }) where !dropped.contains(volume) {
            let size = resized.flatMap { $0.stream == volume.stream ? $0.size : nil } ?? volume.size
            let (stop, isBeyond) = volume.start.addingReportingOverflow(size)
            guard !isBeyond, volume.start % unit == 0, names.insert(volume.stream).inserted else {
                throw DiskFormatError("its volume \(printable(volume.stream.utf8)) has no place on any disk")
            }
            guard volume.start >= end else {
                throw DiskFormatError("its volume \(printable(volume.stream.utf8)) lies over another one, or the table")
            }
            guard stop <= second else {
                throw DiskError.tooSmall(target.path, needed: description.smallestTarget, size: target.size)
            }
            end = stop
            try check(volumesWithin: volume, of: description, unit, &names)
        }
        guard names.count + dropped.count == description.volumes.count else {
            throw DiskFormatError("one of its volumes lies in another one that is not there")
        }
    }

    /// Those that a volume has no stream for, but files.
    private static func check(
        volumesWithin outer: DiskDescription.Volume, of description: DiskDescription, _ unit: UInt64,
        _ names: inout Set<String>
    ) throws(DiskFormatError) {
        var end = outer.start
        for volume in description.volumes.filter({ $0.within == outer.stream }).sorted(by: { $0.start < $1.start }) {
            let (stop, isBeyond) = volume.start.addingReportingOverflow(volume.size)
            guard outer.way == .blocks, volume.way == .tree, volume.partition == nil, volume.start >= end, !isBeyond,
                // safe: the one around it was compared
                stop <= outer.start + outer.size, volume.start % unit == 0, names.insert(volume.stream).inserted
            else {
                throw DiskFormatError(
                    "its volume \(printable(volume.stream.utf8)) does not lie in \(printable(outer.stream.utf8))")
            }
            end = stop
        }
    }

    /// What is attached beside the target, and has the UUID of something that will be on it.
    /// - Throws: `DiskError.twin` of a btrfs that is made anew: `mkfs.btrfs` refuses, and the kernel would take one for the other.
    private static func twins(
        _ description: DiskDescription, on target: TargetDisk
    ) throws -> [(stream: String, device: String)] {
        // A file is attached nowhere.
        let isAttached = target.device != nil
        let isMadeAnew = { (volume: DiskDescription.Volume) in volume.way == .tree && volume.recipe?.type == "btrfs" }
        guard isAttached || description.volumes.contains(where: isMadeAnew) else { return [] }
        let own = ([target.device?.name] + (target.device?.partitions ?? [])).compactMap { $0 }
        // What stands on another device shows that one's content; what a backup looks through goes with it.
        let disks = BlockDevice.disks().filter { disk in disk.backing.map { $0.device == nil && !$0.isOwn } ?? true }
        let names = disks.flatMap { [$0.name] + $0.partitions }.filter { !own.contains($0) }
        // What cannot be looked at is no twin that anybody would find.
        let attached = names.compactMap { name in
            (try? ContentProbe.look(at: BytePath("/dev/\(name)"))).map { (name, $0?.identifier ?? "") }
        }
        var found: [(stream: String, device: String)] = []
        for volume in description.volumes {
            guard let id = volume.contentID, !id.isEmpty, let (name, _) = attached.first(where: { $0.1 == id }) else {
                continue
            }
            if isMadeAnew(volume) {
                throw DiskError.twin(target.path, id: id, of: BytePath("/dev/\(name)"))
            }
            if isAttached { found.append((volume.stream, name)) }
        }
        return found
    }

    /// Gives the last partition what is behind it, where its file system can grow, or is made anew; of that also less, as long as its files fit.
    private static func resize(
        _ table: inout PartitionTable?, _ description: DiskDescription, onto target: TargetDisk, grows: Bool
    ) -> (stream: String, size: UInt64)? {
        guard var changed = table, let last = description.lastVolume,
            last.way == .tree || last.way == .blocks && last.content.map(canGrow) == true,
            let index = changed.partitions.firstIndex(where: { $0.number == last.partition }),
            // A logical one ends with the one around it.
            changed.partitions[index].link == nil,
            changed.partitions.allSatisfy({ $0.end <= last.start.adding(saturating: last.size) })
        else { return nil }
        let unit: UInt64 = 1 << 20
        let end = changed.startOfSecond(diskSize: target.size, sectorSize: target.sectorSize) / unit * unit
        var size = end > last.start ? end - last.start : 0
        // Sectors are 32 bits there.
        if changed.kind == .dos { size = min(size, UInt64(UInt32.max) * UInt64(target.sectorSize) / unit * unit) }
        if size < last.size {
            guard last.way == .tree, size >= last.smallestSize, last.start.adding(saturating: last.size) > end else {
                return nil
            }
        } else {
            // What lies behind it keeps its place on a disk that is as large as that was.
            if !description.behindPartitions.isEmpty, target.size <= description.size { return nil }
            // Less than a hundredth is not worth that a file system is changed for it.
            guard grows, size - last.size >= max(unit, last.size / 100) else { return nil }
        }
        changed.partitions[index].length = size
        table = changed
        return (last.stream, size)
    }

    private static func canGrow(_ content: String) -> Bool {
        content.hasPrefix("ext") || ["xfs", "btrfs"].contains(content)
    }

    /// What is written, each where it will be.
    var places: [Range<UInt64>] {
        // safe: they were looked at
        description.volumes.filter { !dropped.contains($0) }.map { $0.start..<$0.start + size(of: $0) }
    }

    /// How large a volume will be.
    func size(of volume: DiskDescription.Volume) -> UInt64 {
        resized.flatMap { $0.stream == volume.stream ? $0.size : nil } ?? volume.size
    }

    /// Whether the image is of another machine than this one, with a system on it: it would be that machine, or a copy of it.
    public var isOfOtherMachine: Bool {
        guard description.system != nil, target.device != nil, let machine = description.machine else { return false }
        return machine != HostFacts.boardIdentifier
    }

    /// What follows of its twins for the next start; nil: nothing.
    public var twinsInWords: String? {
        if twins.isEmpty { return nil }
        let pairs = twins.map { "\(printable($0.stream.utf8)) that of /dev/\($0.device)" }
        return "it has the same UUIDs as what is attached beside it (\(pairs.joined(separator: ", "))): "
            + "take one of the disks out before the machine starts again, or it is chance which of the two it uses"
    }

    /// What somebody has to type; nil where nothing is lost.
    public var confirmation: String? { goesOn && target.device == nil ? nil : target.confirmation }
}
