// `holdfast wipe`: overwrites a device or has its firmware erase it, looks what is left, and says in a certificate what came of it.

internal import ArgumentParser
internal import AuditLog
internal import Images
internal import Machine
internal import Platform
internal import Sanitization

struct WipePatternArgument: ExpressibleByArgument {
    var pattern: WipePattern

    init?(argument: String) {
        guard let pattern = WipePattern(argument) else { return nil }
        self.pattern = pattern
    }
}

struct VerificationArgument: WordArgument {
    var verification: WipeRequest.Verification

    static var allValueStrings: [String] { [WipeRequest.Verification.full, .sample].map(\.rawValue) }

    init?(argument: String) {
        guard let verification = WipeRequest.Verification(rawValue: argument) else { return nil }
        self.verification = verification
    }
}

struct LevelArgument: WordArgument {
    var level: WipeLevel

    static var allValueStrings: [String] { [WipeLevel.clear, .purge].map(\.rawValue) }

    init?(argument: String) {
        guard let level = WipeLevel(rawValue: argument) else { return nil }
        self.level = level
    }
}

struct TechniqueArgument: WordArgument {
    var technique: WipeRequest.Technique

    static var allValueStrings: [String] { ["overwrite"] + FirmwareTechnique.allCases.map(\.rawValue) }

    init?(argument: String) {
        if argument == "overwrite" {
            technique = .overwrite
        } else if let firmware = FirmwareTechnique(rawValue: argument) {
            technique = .firmware(firmware)
        } else {
            return nil
        }
    }
}

struct WipeCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "wipe", abstract: "Wipe a device, and certify what came of it; or files, or free space.",
        discussion: discussion(
            """
            What is in use is refused. The serial number has to be typed, or given with --confirm; a device without one is \
            confirmed by its name. What interrupts it costs nothing: the same command goes on. Sectors that cannot be reached are named, \
            and then the device is not wiped (exit status 3): destroy it.

            Files are overwritten where they are, read back from the device, and removed. Where the file system or the medium puts what is \
            written elsewhere, that is said, and the exit status is 3.
            """,
            examples: "holdfast wipe /dev/sdb --dry-run # what would be done",
            "holdfast wipe /dev/sdb --level purge --certificate sdb.json",
            "holdfast wipe /opt/plc/recipes --free-space # what is free there"))

    @Argument(help: ArgumentHelp("The device, as /dev/sdb, or a file or folder.", valueName: "device|path"))
    var device: PathArgument

    @Flag(help: "Wipe what is free on the file system of a folder.")
    var freeSpace = false

    @Option(
        help: ArgumentHelp(
            "With --free-space: so much stays free, for those who work there meanwhile.", valueName: "size"))
    var reserve: SizeArgument?

    @Option(
        help: ArgumentHelp(
            "clear (default: overwrite) or purge (the drive's firmware erases also what no overwrite reaches).",
            valueName: "level"))
    var level: LevelArgument?

    @Option(
        help: ArgumentHelp(
            "overwrite, or what the firmware offers: \(FirmwareTechnique.allCases.map(\.rawValue).joined(separator: ", ")) (default: the best for the level).",
            valueName: "name"))
    var technique: TechniqueArgument?

    @Option(
        help: ArgumentHelp("zero, random or a byte as 0x55.", valueName: "pattern"),
        completion: .list(["zero", "random"]))
    var pattern: WipePatternArgument?

    @Option(help: ArgumentHelp("How often it is written over; once is enough.", valueName: "n"))
    var passes = 1

    @Option(help: ArgumentHelp("full (default) or sample, a tenth of it.", valueName: "how"))
    var verify: VerificationArgument?

    @Option(help: ArgumentHelp("The serial number of the device that is meant.", valueName: "serial"))
    var confirm: String?

    @Option(help: ArgumentHelp("Where the certificate goes; a signature and a page go beside it.", valueName: "file"))
    var certificate: PathArgument?

    @Option(
        name: .customLong("field"),
        help: ArgumentHelp(
            "What the certificate is to say, as operator.name=… (see `certificate record`); may be repeated.",
            valueName: "k=v"))
    var fields: [TagArgument] = []

    @Option(help: ArgumentHelp("At most so many bytes a second, as 20MB.", valueName: "size"))
    var rate: SizeArgument?

    @Flag(help: "Afterwards tell the device that it need keep nothing. That counts for nothing.")
    var discard = false

    @Flag(help: "Begin an interrupted wipe anew.")
    var restart = false

    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        guard (1...35).contains(passes) else { throw ValidationError("--passes goes from 1 to 35.") }
        var certificate = Certificate()
        guard reserve == nil || freeSpace else { throw ValidationError("--reserve goes with --free-space.") }
        for field in fields where !certificate.set(field.key, to: field.value) {
            throw ValidationError(
                "A certificate has no field \(field.key); `holdfast certificate record --help` lists them.")
        }
    }

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let place = try device.absolute
        if freeSpace || BlockDevice.at(place) == nil, exists(place) { return try wipePath(session) }
        var request = WipeRequest()
        request.pattern = pattern?.pattern ?? .random
        request.passes = passes
        request.verification = verify?.verification ?? .full
        request.level = level?.level ?? .clear
        request.technique = technique?.technique
        request.bytesPerSecond = rate?.bytes
        request.isDiscarded = discard
        request.isRestart = restart
        let wipe = try Wipe(device.absolute, request, state: state.places(session).state)
        var preview = Certificate(wipe.device)
        for field in fields where !preview.state(field.key, as: field.value) {
            throw Problem.usage(
                "--field \(Text.safe(field.key)) is what the device says or what was done to it, and nobody sets that",
                hint: "say what is to be known of it with another field, as property=…")
        }
        guard try isConfirmed(wipe, session) else { return .done }
        // What would keep a certificate from being written shows before hours of work, not after.
        if let certificate {
            _ = try Certificate.key(state: state.places(session).state)
            let folder = try certificate.absolute.parent
            guard exists(folder) else {
                throw Problem.usage("there is no folder \(folder) for the certificate")
            }
            try Certificate.checkPlace(certificate.absolute)
        }
        let report = try session.working { try wipe.run(session.progress) }
        let head = (try? AuditLog(folder: state.places(session).log).head())?.description
        var document = Certificate(report, tool: Version.tool, logHead: head)
        document.ticket = plan.ticket?.text
        document.approvedBy = session.approver
        for field in fields { _ = document.state(field.key, as: field.value) }
        var lines = [document.verdict, "verified: " + document.verification.method + ", " + Text.size(report.verified)]
        if let certificate {
            do {
                try document.write(certificate.absolute, key: Certificate.key(state: state.places(session).state))
            } catch {
                // The work of hours is not lost for it.
                if let kept = try? keep(document, session) {
                    lines.append("the certificate could not be put in its place, and is kept as \(kept)")
                }
                show(report, document, lines, session)
                throw error
            }
            lines.append("certificate \(certificate.path), with \(certificate.path).sig and \(certificate.path).html")
        }
        show(report, document, lines, session)
        return report.isAchieved ? .done : .findings
    }

    /// Writes a certificate beside the machine's key for them.
    private func keep(_ document: Certificate, _ session: Session) throws -> BytePath {
        let state = state.places(session).state
        let key = try Certificate.key(state: state)
        let name = hexadecimal(Array("\(document.medium.kernelName) \(document.sanitization.ended)".utf8))
        let file = state.appending("certificate").appending("kept-\(name).json")
        try document.write(file, key: key)
        return file
    }

    private func show(_ report: WipeReport, _ document: Certificate, _ lines: [String], _ session: Session) {
        func ranges(_ ranges: [DeviceRange]) -> JSON {
            .list(ranges.map { .object([("start", .number($0.start)), ("length", .number($0.length))]) })
        }
        if let failure = report.failure { session.console.warning("not erased: \(failure)") }
        for note in report.notes { session.console.note(note) }
        for range in report.bad.prefix(20) {
            session.console.warning("not reached: \(range.length) bytes from \(range.start) on")
        }
        for range in report.different.prefix(20) {
            let what = report.method == .overwrite ? "not what was written" : "still what was written before the erase"
            session.console.warning("\(what): \(range.length) bytes from \(range.start) on")
        }
        session.show(
            [
                ("device", .text(report.device.name)), ("serial", .text(report.device.serial)),
                ("bytes", .number(report.device.size)), ("requested", .text(document.sanitization.methodRequested)),
                ("achieved", .text(document.sanitization.methodAchieved)), ("verified", .number(report.verified)),
                ("writingMilliseconds", .number(UInt64(report.seconds.writing * 1000))),
                ("readingMilliseconds", .number(UInt64(report.seconds.reading * 1000))),
                ("technique", .text(document.sanitization.technique)), ("failure", report.failure.map(JSON.text)),
                ("notes", .list(report.notes.map(JSON.text))),
                ("unreachable", ranges(report.bad)), ("different", ranges(report.different)),
                ("interruptions", .number(UInt64(report.interruptions))),
            ], summary: lines)
    }

    /// Shows what is about to happen, and has the serial number typed.
    /// - Returns: whether it is to be done; not after a dry run.
    private func isConfirmed(_ wipe: Wipe, _ session: Session) throws -> Bool {
        let device = wipe.device
        let members: [(String, JSON?)] = [
            ("device", .text(device.name)), ("serial", .text(device.serial)), ("model", .text(device.model)),
            ("bytes", .number(device.size)), ("confirmation", .text(device.confirmation)),
        ]
        guard
            try session.agree(
                to: wipe, plan, lines: lines(wipe), members: members, question: nil,
                signed: lines(wipe, forSigning: true))
        else {
            return false
        }
        let given = try confirm ?? session.typed("Everything on it will be gone. Its serial number, or else its name")
        guard given == device.confirmation else {
            throw WipeError.notConfirmed(device: device.name, wanted: device.confirmation)
        }
        return true
    }

    /// - Parameter forSigning: without what is another each time that it is measured.
    private func lines(_ wipe: Wipe, forSigning: Bool = false) throws -> [String] {
        let device = wipe.device
        let facts = [device.kind.rawValue, device.model].filter { !$0.isEmpty }.joined(separator: " ")
        let serial = device.serial.isEmpty ? "none" : Text.safe(device.serial)
        var lines = ["\(device.name): \(Text.safe(facts)), serial number \(serial), \(Text.size(device.size))"]
        switch wipe.method {
        case .overwrite:
            lines.append(
                "\(Text.counted(UInt64(passes), "pass", "passes")) of \(wipe.request.pattern), then \(wipe.request.verification.rawValue) verification"
                    + (forSigning
                        ? "" : wipe.estimate.map { ", \(Text.duration(UInt64($0.rounded(.up)))) or more" } ?? ""))
        case .firmware(let ability):
            let time = ability.seconds.map { ", some \(max(1, $0 / 60)) min as the drive says" } ?? ""
            lines.append("\(ability.technique.rawValue) by the drive's firmware (\(ability.level.rawValue))\(time)")
        }
        if wipe.method == .overwrite, let (pass, position) = try wipe.interrupted, !restart {
            lines.append(
                pass == passes
                    ? "it was interrupted while it was read back, which begins anew"
                    : "it was interrupted in pass \(pass + 1) and goes on at \(Text.size(position))")
        }
        return lines
    }
}
