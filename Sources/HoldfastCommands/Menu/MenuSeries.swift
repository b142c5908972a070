// What a stick for series production is about to do, found out at the machine: which image, which disk, and whether anything of it is not clear.

internal import Cryptography
internal import Disks
internal import Glibc
internal import Machine
internal import Platform
internal import Reporting

/// One machine of a series: what is done to it, and what came of it.
struct MenuSeries {
    let plan: SeriesPlan
    /// Disks that count; empty: all of this machine.
    let among: [BytePath]

    /// The one fitting disk, and the image as the stick has it.
    struct Work {
        var image: MenuContent.Image
        var disk: BlockDevice
        var host: String?
    }

    /// - Parameters:
    ///   - root: where the stick's content is.
    ///   - stickDisk: the disk that it is on.
    /// - Throws: `Problem`, where anything is missing or ambiguous.
    func work(_ root: BytePath, stickDisk: String?) throws -> Work {
        let path = root.appending(plan.image)
        guard let image = try MenuContent.images(below: root).first(where: { $0.path == path }) else {
            throw Problem.refused(
                "there is no image \(plan.image) on the stick", hint: "copy it there, with all its parts")
        }
        if let identity = plan.identity, !exists(root.appending(identity)) {
            throw Problem.refused("there is no identity \(identity) on the stick", hint: "copy it there")
        }
        let disk = try theDisk(stickDisk)
        if let smallest = image.label?.smallestTarget, smallest > disk.size {
            throw Problem.refused("\(disk.path) has \(disk.size) bytes, and the image wants \(smallest)")
        }
        if let earlier = try MenuSeriesReport.earlier(of: disk, in: root) {
            throw Problem.refused(
                "the stick has a report already that \(disk.path) (serial number \(Text.safe(disk.serial))) was restored, \(earlier)",
                hint: "choose Restore in the menu, or remove the report")
        }
        let uses = disk.lastingUses()
        guard uses.isEmpty else {
            throw Problem.refused("\(disk.path) is in use: \(uses.map(\.description).joined(separator: "; "))")
        }
        if !plan.overwritesHoldfast, let objection = try HoldfastOnDisk.objection(to: disk.path) {
            throw Problem.refused(
                "\(disk.path) is not overwritten: \(objection)",
                hint: "overwrite-holdfast = true in the file says otherwise")
        }
        return Work(image: image, disk: disk, host: plan.hostName(serial: disk.confirmation))
    }

    private func theDisk(_ stickDisk: String?) throws -> BlockDevice {
        let disks =
            among.isEmpty
            ? BlockDevice.disks().filter { disk in
                ![.loop, .mapper, .raid].contains(disk.kind)
                    && !["ram", "zram", "sr", "fd", "nbd"].contains { disk.name.hasPrefix($0) }
            } : among.compactMap { BlockDevice.at($0) }
        let fitting = disks.filter { $0.name != stickDisk && plan.fits($0) }
        func named(_ disks: [BlockDevice]) -> String {
            disks.map { disk in
                let facts = [Text.safe(disk.model), Text.size(disk.size)].filter { !$0.isEmpty }
                return "\(disk.path) (\(facts.joined(separator: ", ")))"
            }.joined(separator: ", ")
        }
        let wanted = "\(plan.model), \(Text.size(plan.sizes.lowerBound)) to \(Text.size(plan.sizes.upperBound))"
        guard let disk = fitting.first else {
            throw Problem.refused(
                "no disk fits (\(wanted)); there are: \(disks.isEmpty ? "none" : named(disks.filter { $0.name != stickDisk }))"
            )
        }
        guard fitting.count == 1 else {
            throw Problem.refused("more than one disk fits (\(wanted)): \(named(fitting))")
        }
        return disk
    }

    /// What is done, once for all consoles: who makes this file does it.
    static func take(_ mark: BytePath) throws -> Bool {
        do throws(SystemError) {
            try makeFolders(mark.parent, mode: 0o700)
            try writeNew(mark, [])
            return true
        } catch {
            if error.isPresent { return false }
            throw error
        }
    }

    /// Says on the other console what came of it.
    static func tell(_ outcome: String, _ mark: BytePath) throws { try replaceFile(mark, Array(outcome.utf8)) }

    /// nil: nothing has yet.
    static func outcome(_ mark: BytePath) -> String? {
        // What cannot be read is waited for, until a key is pressed.
        guard let bytes = try? readRegular(mark, limit: 1 << 16), !bytes.isEmpty else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One for each file of each stick, until the next start.
    static func mark(_ bytes: [UInt8], _ path: BytePath) throws -> BytePath {
        var stream = try SHA256Stream()
        for part in [path.bytes, bytes] { try part.withUnsafeBytes { try stream.update($0) } }
        return Places.runtime.appending("series-\(hexadecimal(try stream.finish().bytes).prefix(16))")
    }
}

/// What is written onto the stick of each machine. Nothing is ever overwritten.
struct MenuSeriesReport {
    enum Result: String {
        case done, findings, failed, refused, stopped
    }

    static let folder = "reports"
    private(set) var began = Timestamp.now()
    var result = Result.failed
    /// Why, where it is not done.
    var reason: String?
    var work: MenuSeries.Work?
    /// The status of each command that was run.
    var statuses: [(String, JSON?)] = []
    /// What `restore --json` says.
    var restore: String?

    /// What stands in a report of a disk that was restored: the reports of this one are called by its serial number.
    private static func name(of disk: BlockDevice?) -> String {
        let plain = (disk?.confirmation ?? "none").map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return String(String(plain).prefix(48))
    }

    /// The name of a report that says that this disk was restored; nil where there is none. One without a serial number cannot be told again.
    static func earlier(of disk: BlockDevice, in root: BytePath) throws -> String? {
        if disk.serial.isEmpty { return nil }
        let place = root.appending(folder)
        if !exists(place) { return nil }
        let start = name(of: disk) + "-done-"
        return try DirectoryListing(of: Descriptor.open(place, .directory))
            .map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasPrefix(start) }.max()
    }

    func document(_ plan: SeriesPlan) -> JSON {
        let disk = work?.disk
        return .object([
            ("holdfast", .text(Version.tool)), ("result", .text(result.rawValue)), ("reason", reason.map(JSON.text)),
            ("began", .time(began)), ("ended", .time(.now())), ("image", .text(plan.image)),
            ("imageOf", (work?.image.label?.host).map(JSON.text)),
            ("imageMade", (work?.image.label?.time).map(JSON.text)),
            (
                "disk",
                disk.map {
                    .object([
                        ("device", .text("\($0.path)")), ("model", .text($0.model)), ("serial", .text($0.serial)),
                        ("bytes", .number($0.size)),
                    ])
                }
            ),
            ("identity", .text(plan.isNewIdentity ? "new" : "same")),
            ("host", (work.flatMap { $0.host ?? $0.image.label?.host }).map(JSON.text)),
            ("machine", .text(Text.safe(HostFacts.hardwareSeries))),
            ("board", HostFacts.boardIdentifier.map(JSON.text)), ("statuses", .object(statuses)),
            ("restore", restore.map(JSON.encoded)),
        ])
    }

    /// Writes it below the stick's root, under a name that nothing has. It is durable on return.
    func write(_ plan: SeriesPlan, below root: BytePath) throws -> BytePath {
        let place = root.appending(Self.folder)
        try makeFolders(place, mode: 0o755)
        let bytes = Array((document(plan).encoded + "\n").utf8)
        let name = "\(Self.name(of: work?.disk))-\(result.rawValue)-\(began.local("%Y-%m-%dT%H%M%S"))"
        for number in 1...1000 {
            let path = place.appending(name + (number == 1 ? "" : "-\(number)") + ".json")
            do throws(SystemError) {
                try writeNew(path, bytes, mode: 0o644)
                return path
            } catch { if !error.isPresent { throw error } }
        }
        throw SystemError(EEXIST, "make", "\(place)/\(name).json")
    }
}
