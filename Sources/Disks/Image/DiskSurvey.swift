// Looks at a disk before it is imaged: its table, what is in each partition, and which way each is taken. Nothing of the disk is written.

internal import Glibc
public import Images
public import Platform
internal import Reporting

/// A disk, or a file that is an image of one, open for reading.
public struct SourceDisk: Sendable {
    public let path: BytePath
    /// nil: a file.
    public let device: BlockDevice?
    /// Bytes.
    public let size: UInt64
    /// Bytes of a logical sector.
    public let sectorSize: Int
    let file: Descriptor

    /// - Throws: `DiskError` where it is neither; `SystemError`.
    public init(_ path: BytePath) throws {
        file = try Descriptor.open(path, .nonBlocking)
        let status = try file.status()
        self.path = path
        switch status.kind {
        case .blockDevice:
            device = BlockDevice(number: "\(status.nodeMajor):\(status.nodeMinor)")
            (size, sectorSize) = try file.blockFacts()
        case .file:
            device = nil
            size = status.size
            // What made it does not say; a GPT does, by where it is.
            let first = OpenDisk(file, size: size, sectorSize: 4096, subject: "\(path)")
            let magic = size >= 8192 ? try first.read(4096..<4104) : []
            sectorSize = magic == Array("EFI PART".utf8) ? 4096 : 512
        default: throw DiskError.noDisk(path)
        }
        guard size >= 4096 else { throw DiskError.noDisk(path) }
        // Partitions may have been mounted, changed and unmounted since somebody read the disk.
        if device != nil { try file.forgetCachedBlocks() }
        // Nobody restores to it meanwhile, from the other end of a pipe neither.
        guard file.tryLockShared() else { throw DiskError.beingWritten(path) }
        let loops = device == nil ? BlockDevice.lastingLoops(on: FileIdentity(status)) : []
        guard loops.isEmpty else { throw DiskError.inUse(path, loops.map { "\($0) stands on it: name /dev/\($0)" }) }
        if try RestoreNote.isOn(bytes) { throw DiskError.unfinished(path) }
    }

    var bytes: OpenDisk { OpenDisk(file, size: size, sectorSize: sectorSize, subject: "\(path)") }
}

/// What is to be read of a disk, and how.
public struct DiskSurvey {
    public internal(set) var description: DiskDescription
    public private(set) var streams: [any DiskStream] = []
    /// What is read as files: places where file systems of the disk are mounted, and where each is read.
    public private(set) var trees: [(source: BytePath, view: BytePath)] = []
    /// Where they lie in each other.
    public private(set) var places: Set<BytePath> = []
    let disk: SourceDisk
    private var use = DiskUse()

    /// - Throws: `DiskError` where the disk is in use, so that what is read would not be one state of it; `SystemError`.
    public init(_ disk: SourceDisk) throws {
        self.disk = disk
        description = DiskDescription(
            name: disk.path.description, size: disk.size, sectorSize: disk.sectorSize, volumes: [])
        if let device = disk.device {
            // Of a partition nobody could restore what makes it start.
            if device.disk != nil { throw DiskError.partition(disk.path) }
            use = try DiskUse(of: device)
            description.snapshots = use.snapshots.isEmpty ? nil : use.snapshots
            description.model = device.model.isEmpty ? nil : device.model
            description.serial = device.serial.isEmpty ? nil : device.serial
            description.machine = HostFacts.boardIdentifier
        }
        if let table = try PartitionTable.read(disk.bytes) {
            try add(table)
        } else {
            try add(stream: "disk", partition: nil, 0..<disk.size, isDivided: false)
        }
        // What is mounted, and in no partition of the table.
        let left = use.mounts.values.first?.first ?? use.layers.values.first?.first?.trees.first
        if let left { throw DiskError.otherPartitions(disk.path, left.point) }
    }

    private mutating func add(_ table: PartitionTable) throws {
        // A partition that is not there as a whole would be missing from the image.
        if let cut = table.remarks.first(where: { $0.hasPrefix("partition ") }) {
            throw DiskError.damagedTable(disk.path, cut)
        }
        description.remarks += table.remarks
        description.table = DiskDescription.Table(table)
        try add(partitionsOf: table)
        description.volumes.sort { ($0.start, $0.within == nil ? 0 : 1) < ($1.start, $1.within == nil ? 0 : 1) }
    }

    public func source() throws -> DiskSource {
        // In the order of the disk.
        let places = Dictionary(uniqueKeysWithValues: description.volumes.map { ($0.stream, $0.start) })
        return DiskSource(
            path: disk.path, description: try description.encoded(), summary: description.summary,
            streams: streams.sorted { places[$0.name] ?? 0 < places[$1.name] ?? 0 })
    }

    /// Refuses to put the image onto the disk that it is of.
    /// - Parameters:
    ///   - place: where it would go, open; nil: nowhere on this machine.
    ///   - name: what people know it by.
    public func refuse(_ place: Descriptor?, _ name: String) throws {
        guard let place, let device = disk.device, try BlockDevice.below(place).contains(device.name) else { return }
        throw DiskError.ontoItself(disk.path, name)
    }

    // MARK: One volume

    mutating func add(stream name: String, partition: Int?, _ range: Range<UInt64>, isDivided: Bool) throws {
        let size = range.upperBound - range.lowerBound
        var volume = DiskDescription.Volume(
            stream: name, partition: partition, start: range.lowerBound, size: size, way: .raw, used: size)
        var stream = VolumeStream(name: name, disk.file, range, way: .raw, subject: "\(disk.path)")
        let mounted = use.mounts.removeValue(forKey: partition ?? 0) ?? []
        if let first = mounted.first {
            guard first.lies(at: range) else { throw DiskError.otherPartitions(disk.path, first.point) }
            try takeTrees(of: mounted, in: &volume)
            description.volumes.append(volume)
            return
        }
        let layers = use.layers.removeValue(forKey: partition ?? 0) ?? []
        var places: [String: Range<UInt64>] = [:]
        if partition != nil || !isDivided {
            places = try look(at: &volume, &stream, range, without: Set(layers.map(\.id)))
        }
        if volume.way != .raw {
            do { volume.used = try used(stream) } catch let error
                where error is DiskFormatError || (error as? SystemError)?.isBadPlace == true
            {
                // What of it can be read is to be in the image all the same.
                stream = VolumeStream(name: name, disk.file, range, way: .raw, subject: "\(disk.path)")
                places = [:]
                (volume.way, volume.used) = (.raw, size)
                volume.why = "what is used of it could not be read: \(explained(error).sentence)"
                if description.system?.volume == name { description.system = nil }
            }
        }
        description.volumes.append(volume)
        streams.append(stream)
        for layer in layers { try add(layer, at: places[layer.id], in: volume) }
    }

    /// A volume that is mounted and lies in another one.
    private mutating func add(
        _ layer: DiskUse.Layer, at place: Range<UInt64>?, in outer: DiskDescription.Volume
    ) throws {
        let device = layer.trees[0].device
        guard let place else {
            throw DiskError.inUse(
                disk.path, ["\(layer.name) is mounted, and does not lie in one piece in \(outer.stream)"])
        }
        // safe: within the disk, as whoever found it has compared
        let range = outer.start + place.lowerBound..<outer.start + place.upperBound
        // What LVM's text says, and what the kernel has made of it, are the same.
        guard device.size == range.upperBound - range.lowerBound,
            let there = try ContentProbe.look(at: disk.path, range),
            let seen = try ContentProbe.look(at: device.path), there.type == seen.type,
            there.identifier == seen.identifier
        else { throw DiskError.otherPartitions(disk.path, layer.trees[0].point) }
        let plain = layer.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        // LVM's names may be twice as long as a reader takes; what makes two of them different has room behind.
        var name = String("\(outer.stream)-\(String(plain))".prefix(DiskDescription.longestStreamName - 8))
        while description.volumes.contains(where: { $0.stream == name }) { name += "-" }
        var volume = DiskDescription.Volume(
            stream: name, partition: nil, start: range.lowerBound, size: range.upperBound - range.lowerBound,
            way: .tree,
            used: 0)
        volume.within = outer.stream
        try takeTrees(of: layer.trees, in: &volume)
        description.volumes.append(volume)
    }

    /// A file system that is in use: its files are read where it is mounted.
    private mutating func takeTrees(of mounted: [DiskUse.MountedTree], in volume: inout DiskDescription.Volume) throws {
        volume.way = .tree
        let device = mounted[0].device
        guard let content = try ContentProbe.look(at: device.path) else {
            throw DiskError.inUse(disk.path, ["what is mounted at \(mounted[0].point) is of a kind that is not known"])
        }
        volume.content = content.type
        volume.contentID = content.identifier.isEmpty ? nil : content.identifier
        volume.label = content.label.isEmpty ? nil : printable(content.label)
        volume.recipe = try FileSystemRecipe(of: content, on: device, options: mounted.flatMap(\.options))
        let root = try Descriptor.open(mounted[0].view, .directory)
        if content.type.hasPrefix("ext") { volume.recipe?.fileCount = try root.fileCount() }
        let space = try root.space()
        volume.used = space.total - min(space.total, space.free)
        volume.trees = mounted.map {
            DiskDescription.Tree(source: $0.name, subvolume: $0.subvolume, isDefault: $0.isDefault ? true : nil)
        }
        volume.why = nil
        trees += mounted.map { ($0.point, $0.view) }
        places.formUnion(mounted.flatMap { outer in [outer.point] + mounted.compactMap { $0.place(in: outer) } })
        for tree in mounted where description.system == nil {
            description.system = SystemOnDisk(
                in: try Descriptor.open(tree.view, .directory), volume.stream, tree.subvolume)
        }
    }

    private func used(_ stream: VolumeStream) throws -> UInt64 {
        var parts = try stream.usedParts()
        var sum: UInt64 = 0
        while let part = try parts.next() { sum.add(saturating: part.upperBound - part.lowerBound) }
        return sum
    }

    private mutating func look(
        at volume: inout DiskDescription.Volume, _ stream: inout VolumeStream, _ range: Range<UInt64>,
        without: Set<String>
    ) throws -> [String: Range<UInt64>] {
        let content: ContentProbe?
        do { content = try ContentProbe.look(at: disk.path, range) } catch ContentProbe.Doubt.several {
            volume.why = "it has the marks of several file systems"
            return [:]
        } catch ContentProbe.Doubt.failed(let reason) {
            volume.why = "blkid cannot say what it is: \(reason)"
            return [:]
        }
        guard let content else {
            volume.why = "nothing that is known is in it"
            return [:]
        }
        volume.content = content.type
        volume.contentID = content.identifier.isEmpty ? nil : content.identifier
        volume.label = content.label.isEmpty ? nil : printable(content.label)
        do {
            guard let map = try UsedMap(of: content.type, in: disk, range, without: without) else {
                volume.why = "of \(content.type) it is not known which parts are used"
                return [:]
            }
            stream = VolumeStream(
                name: volume.stream, disk.file, range, way: map.way, map: map, subject: "\(disk.path)")
            volume.way = map.way
            if description.system == nil { description.system = map.system(volume.stream) }
            return map.leftOut
        } catch let refusal as UsedMap.Refusal {
            volume.why = refusal.reason
        } catch let error as DiskFormatError {
            volume.why = "its \(content.type) is damaged: \(error)"
        } catch let error as SystemError where error.isBadPlace {
            volume.why = "what is used of it could not be read: \(error.reason)"
        }
        return [:]
    }
}
