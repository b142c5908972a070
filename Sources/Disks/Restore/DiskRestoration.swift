// Writes a disk from an image. First what makes it one is taken away, and a note put in its place that says what is under way; then come the
// volumes; what was written is read back; the table comes at the end, and sector 0 last of all. A cut at any place leaves a disk that plainly
// does not start, and the same command, given again, writes only what is not there yet.

internal import Cryptography
public import Images
public import Platform
public import Reporting

public struct DiskRestoreOptions: Sendable {
    /// What was written is read back and compared.
    public var readsBack = true
    /// Nothing of what was in the image is changed: neither grown, nor made to start from this disk.
    public var isExact = false
    /// Tells the firmware of the disk, where it is one that can be told.
    public var tellsFirmware = true
    /// Restores what is there, though something of the image is missing.
    public var takesIncomplete = false

    public init() {}
}

/// Who a restored system is.
public enum RestoredIdentity: Sendable, Hashable {
    /// The machine that it was: that is gone, or this is it.
    case same
    /// Another one, of this name; nil: of the same name.
    case new(hostName: String?)
}

public final class DiskRestoration: DiskTarget {
    /// What of a file system nobody needs is left alone on the disk, but for so much at both ends: what was there before could be taken for it.
    static let clearedEnds: UInt64 = 4 << 20
    /// Where btrfs has copies of its superblock, in bytes; each is looked for wherever there is no more of it than that.
    static let clearedPlaces: [UInt64] = [64 << 20, 256 << 30]

    let path: BytePath
    private let progress: Progress
    let findings: Findings
    /// What is known of the image beforehand; asked once the target is known to be one.
    private let forecast: () throws -> ImageForecast
    /// Asked before anything is written.
    private let agree: (DiskRestorePlan) throws -> RestoredIdentity?
    private let image: String
    private let options: DiskRestoreOptions
    private(set) var identity = RestoredIdentity.same
    var isExact: Bool { options.isExact }

    public private(set) var plan: DiskRestorePlan?
    /// Whether the disk is not any more what it was.
    public private(set) var hasBegun = false
    private var volumes: [VolumeTarget] = []
    /// Streams of which something could not be had, beside what their targets know of.
    private var lost: Set<String> = []

    /// - Parameters:
    ///   - image: its id, so that an interrupted restore of the same one is known; empty where nobody knows it yet.
    ///   - agree: is shown what would be done, and says who it will be; nil: nothing is written, and the restore ends.
    public init(
        to path: BytePath, image: String, _ options: DiskRestoreOptions, progress: Progress, findings: Findings,
        forecast: @escaping () throws -> ImageForecast = { ImageForecast() },
        agree: @escaping (DiskRestorePlan) throws -> RestoredIdentity?
    ) {
        self.path = path
        self.image = image
        self.options = options
        self.progress = progress
        self.findings = findings
        self.forecast = forecast
        self.agree = agree
    }

    /// Nobody wants it: thrown through the reading of the image, which ends there.
    public struct NotWanted: Error {}

    // MARK: What comes

    public func begin(_ source: BytePath, description bytes: [UInt8]) throws {
        let description: DiskDescription
        do { description = try DiskDescription(decoding: bytes) } catch {
            throw DiskError.damagedDescription("\(error)")
        }
        let target = try TargetDisk(path, size: description.size, sectorSize: description.sectorSize)
        var plan = try DiskRestorePlan(source, description, onto: target, image: image, grows: !options.isExact)
        try plan.take(forecast(), isIncompleteWanted: options.takesIncomplete)
        guard let identity = try agree(plan) else { throw NotWanted() }
        if identity != .same, description.system == nil { throw DiskError.noSystem(source) }
        self.identity = identity
        self.plan = plan
        let note = RestoreNote(image: image)
        hasBegun = true
        try target.prepare()
        try clearTables(plan, note)
        // The partitions that it had are none any more.
        target.announceTable()
    }

    /// Takes away what makes it a disk that starts, or one of somebody else's.
    private func clearTables(_ plan: DiskRestorePlan, _ note: RestoreNote) throws(SystemError) {
        let target = plan.target
        let unit = UInt64(target.sectorSize)
        // Sector 0 goes first, and durably: from then on nothing starts from it.
        try note.write(on: target)
        try target.synchronize()
        let taken = plan.places.sorted { $0.lowerBound < $1.lowerBound }
        // Only what no volume has: those of an interrupted restore are to stay. What is between them was zeros, or is said to be left out.
        var place = min(unit, taken.first?.lowerBound ?? unit)
        for part in taken + [target.size..<target.size] {
            for end in Self.ends(of: place..<max(place, part.lowerBound)) { try target.clear(end) }
            place = max(place, part.upperBound)
        }
    }

    /// All of a short gap, and both ends of a long one.
    static func ends(of gap: Range<UInt64>) -> [Range<UInt64>] {
        let length = DiskSurvey.longestGapPart
        if gap.upperBound - gap.lowerBound <= 2 * length { return gap.isEmpty ? [] : [gap] }
        // safe: it is longer
        return [gap.lowerBound..<gap.lowerBound + length, gap.upperBound - length..<gap.upperBound]
    }

    public func stream(named name: String, size: UInt64) throws -> (any DiskStreamTarget)? {
        // It has no place here.
        if let plan, plan.leftOut.contains(name) || plan.dropped.contains(where: { $0.stream == name }) { return nil }
        guard let plan, let volume = plan.description.volumes.first(where: { $0.stream == name && $0.way != .tree })
        else {
            findings.add(
                Finding(.damaged, subject: printable(name.utf8), "the description of the disk does not know it"))
            return nil
        }
        guard volume.size == size, !volumes.contains(where: { $0.volume.stream == name }) else {
            throw DiskError.damagedDescription(
                "\(printable(name.utf8)) is of another size than the image says, or twice in it")
        }
        // safe: the plan has put them within this one
        let foreign = plan.description.volumes.filter { $0.within == name }.map {
            $0.start - volume.start..<$0.start - volume.start + $0.size
        }
        let stream = try VolumeTarget(
            volume, without: foreign, on: plan.target, comparesFirst: plan.goesOn, noteBlocks: options.readsBack,
            findings: findings)
        volumes.append(stream)
        return stream
    }

    public func size(ofStream name: String) -> UInt64? {
        plan?.description.volumes.first { $0.stream == name && $0.way != .tree }?.size
    }

    /// File systems that were made anew, as long as files come.
    private var made: [String: VolumeMount] = [:]
    private var trees: Set<String> = []

    public func tree(_ source: BytePath) throws -> RestoreRequest? {
        guard let plan, let name = String(validating: source.bytes, as: UTF8.self),
            let volume = plan.description.volumes.first(where: { $0.trees?.contains { $0.source == name } == true }),
            let tree = volume.trees?.first(where: { $0.source == name }), trees.insert(name).inserted
        else {
            findings.add(Finding(.notRestored, source, "the description of the disk has no place for it"))
            return nil
        }
        let mount = try made[volume.stream] ?? makeFileSystem(volume, plan)
        made[volume.stream] = mount
        var request = RestoreRequest(target: path.appending(volume.stream))
        request.folder = try folder(tree.subvolume, of: mount)
        request.devices = true
        // What is not as it was is said by the plan.
        request.otherHardware = true
        request.hasOwnersOfMount = volume.recipe?.type == "vfat"
        return request
    }

    private func makeFileSystem(_ volume: DiskDescription.Volume, _ plan: DiskRestorePlan) throws -> VolumeMount {
        guard let recipe = volume.recipe else {
            throw DiskError.damagedDescription("it does not say how \(printable(volume.stream.utf8)) is made anew")
        }
        let range = volume.start..<volume.start + plan.size(of: volume)  // safe: the plan has looked at it
        // What was there would be one of its kind, or the same again.
        for part in VolumeTarget.clearedParts(ofVolume: range.upperBound - range.lowerBound) {
            try plan.target.clear(volume.start + part.lowerBound..<volume.start + part.upperBound)  // safe: within it
        }
        let device = try plan.target.loop(range)
        do { try recipe.make(on: device, sectorSize: plan.target.sectorSize) } catch let error as DiskFormatError {
            throw DiskError.damagedDescription(error.description)
        }
        // It is gone with the last who uses it.
        withExtendedLifetime(device) {}
        return try plan.target.mount(range, type: recipe.type, isWritten: true, compression: recipe.mountedCompression)
    }

    /// Where a tree goes: the top, or a subvolume that is made for it.
    private func folder(_ subvolume: String?, of mount: VolumeMount) throws -> Descriptor {
        guard let subvolume else { return mount.folder }
        let names = subvolume.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        guard
            names.allSatisfy({ name in
                (1...255).contains(name.count) && !name.contains(0) && name != Array(".".utf8)
                    && name != Array("..".utf8)
            })
        else { throw DiskError.damagedDescription("\(printable(subvolume.utf8)) is the name of no subvolume") }
        let path = BytePath(subvolume)
        let above = try mount.folder.makeFolders(path.parent.bytes)
        let modified = try above.status().modified
        do throws(SystemError) { try above.makeSubvolume(path.lastComponent) } catch {
            guard error.isPresent else { throw error }
            // The empty folder that stands for it in the subvolume around it.
            try above.remove(path.lastComponent, directory: true)
            try above.makeSubvolume(path.lastComponent)
        }
        // It was restored before, as it was.
        try above.setModificationTime(seconds: modified.seconds, nanoseconds: modified.nanoseconds)
        return try above.openBeneath(path.lastComponent, .directory)
    }

    private func hasCome(_ volume: DiskDescription.Volume) -> Bool {
        if volume.way == .tree { return (volume.trees ?? []).allSatisfy { trees.contains($0.source) } }
        return volumes.contains { $0.volume.stream == volume.stream }
    }

    public func unread(_ range: Range<UInt64>, of stream: String) {
        lost.insert(stream)
        findings.add(
            Finding(
                .notRestored, path.appending(stream),
                "bytes \(range.lowerBound) to \(range.upperBound - 1) could not be read when the image was made: they are zeros"
            ))
    }

    // MARK: The end

    public struct Report: Sendable {
        /// What was there already.
        public var unchanged: UInt64 = 0
        /// Read back and compared.
        public var compared: UInt64 = 0
        /// Streams that are not, wholly, what they were on the disk in the image.
        public var lost: Set<String> = []
        /// What was changed so that it starts here, or is another machine, in sentences.
        public var changes: [String] = []
        /// File systems that were mounted as a last test, and those that the kernel refused, with its words.
        public var mounted: [String] = []
        /// Those that were only read, as their own tools would, and why they were not mounted.
        public var looked: [(stream: String, reason: String)] = []
        public var notMounted: [(stream: String, reason: String)] = []
    }

    /// All of the image has come: makes it a disk again.
    /// - Throws: `DiskError` where the disk does not hold what was written; `SystemError`.
    public func finish() throws -> Report { try finish(check()) }

    /// The first half of that: reads back what was written, and mounts the file systems as a test. They are what the image has, and nothing starts
    /// from the disk yet.
    public func check() throws -> Report {
        guard let plan else { throw DiskError.damagedDescription("it has no disk in it") }
        var report = Report()
        for missing in plan.description.volumes where !hasCome(missing) && !plan.dropped.contains(missing) {
            findings.add(Finding(.damaged, path.appending(missing.stream), "it is not in the image"))
            lost.insert(missing.stream)
            try clear(missing, plan)
        }
        // Unmounted with the last who uses them.
        made = [:]
        try plan.target.synchronize()
        report.lost = lost
        for volume in volumes { volume.add(to: &report) }
        if options.readsBack {
            progress.expect(
                bytes: progress.bytesDone.adding(
                    saturating: volumes.reduce(0) { $0.adding(saturating: $1.bytesToCompare) }),
                items: progress.itemsDone)
            try plan.target.forgetCached()
            for volume in volumes { report.compared.add(saturating: try volume.readBack(progress)) }
        }
        // Of a disk without a table the first sector was kept back: it is its volume's own.
        if plan.table == nil { for volume in volumes { try volume.writeFirstSector() } }
        test(plan, &report)
        return report
    }

    /// The second half: changes what has to be other on this disk, and writes its table.
    public func finish(_ checked: Report) throws -> Report {
        guard let plan else { throw DiskError.damagedDescription("it has no disk in it") }
        var report = checked
        try change(plan, &report)
        try setDefaultSubvolumes(plan, besides: Set(report.notMounted.map(\.stream)))
        try writeTable(plan)
        if options.tellsFirmware, !options.isExact { tellFirmware(plan, &report) }
        for volume in plan.description.volumes where volume.content == "linux_raid_member" {
            findings.add(
                Finding(
                    .note, path.appending(volume.stream),
                    "it is one disk of an array, which is degraded until the others are restored, too, or others are added (`mdadm --add`)"
                ))
        }
        for volume in plan.description.volumes where volume.way == .tree {
            for sentence in volume.recipe?.elsewhere ?? [] {
                findings.add(
                    Finding(
                        .note, path.appending(volume.stream),
                        "\(printable(sentence.utf8)), and is in the file system now: fstab must not name that device for it"
                    ))
            }
        }
        if let twins = plan.twinsInWords { findings.add(Finding(.note, path, twins)) }
        return report
    }

    /// What was there before it must not be taken for a volume of which nothing came.
    private func clear(_ volume: DiskDescription.Volume, _ plan: DiskRestorePlan) throws(SystemError) {
        // What it lies in has come, or is cleared itself.
        if volume.within != nil { return }
        let size = plan.size(of: volume)
        let parts = volume.way == .raw ? [0..<size] : VolumeTarget.clearedParts(ofVolume: size)
        for part in parts {
            // safe: the plan has put it within the disk; sector 0 has the note
            let start = max(volume.start + part.lowerBound, UInt64(plan.target.sectorSize))
            let end = volume.start + part.upperBound
            if start < end { try plan.target.clear(start..<end) }
        }
    }

    /// From here on the top of a btrfs is not what is mounted.
    private func setDefaultSubvolumes(_ plan: DiskRestorePlan, besides lost: Set<String>) throws {
        for volume in plan.description.volumes where hasCome(volume) && !lost.contains(volume.stream) {
            guard let subvolume = volume.trees?.first(where: { $0.isDefault == true })?.subvolume else { continue }
            // safe: the plan has looked at it
            let range = volume.start..<volume.start + plan.size(of: volume)
            let mount = try plan.target.mount(range, type: "btrfs", isWritten: true)
            try mount.folder.openBeneath(Array(subvolume.utf8), .directory).makeDefaultSubvolume()
        }
    }

    private func writeTable(_ plan: DiskRestorePlan) throws {
        let target = plan.target
        for (index, piece) in plan.pieces.enumerated() {
            // Whatever comes before it is durable before sector 0 is.
            if index == plan.pieces.count - 1 { try target.synchronize() }
            try target.write(piece.bytes, at: piece.offset)
        }
        try target.synchronize()
        target.announceTable()
    }
}

/// What stands in sector 0 while a restore is under way.
struct RestoreNote {
    private static let beginning = "Holdfast: this disk is being restored"

    /// Whether one is there, of whatever image.
    static func isOn(_ disk: any DiskBytes) throws(SystemError) -> Bool {
        guard disk.size >= 512 else { return false }
        return try disk.read(0..<512).starts(with: beginning.utf8)
    }

    private let text: [UInt8]

    init(image: String) {
        let words =
            "\(Self.beginning), and not finished. The same command goes on.\nimage \(image)\n"
        text = Array(words.utf8.prefix(500)) + [UInt8](repeating: 0, count: 512 - min(500, words.utf8.count))
    }

    func isOn(_ target: TargetDisk) throws(SystemError) -> Bool {
        guard target.size >= 512 else { return false }
        return try target.bytes.read(0..<512) == text
    }

    func write(on target: TargetDisk) throws(SystemError) {
        // All of it, whatever a sector is.
        try target.write(text + [UInt8](repeating: 0, count: max(0, target.sectorSize - text.count)), at: 0)
    }
}
