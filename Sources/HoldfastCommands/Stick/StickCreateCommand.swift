// `holdfast stick create` and `update`.

internal import ArgumentParser
internal import Boot
internal import Disks
internal import Platform
internal import Reporting

/// Where the parts of a stick come from.
struct StickPartsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Take loaders and kernel from a folder in which their packages were unpacked (`dpkg -x`), before those of this machine.",
            valueName: "folder"))
    var packages: PathArgument?

    /// - Throws: where something is missing, before anybody is asked for anything.
    func loaders() throws -> StickLoaders { try StickLoaders(in: packages?.absolute) }
}

/// What a stick does by itself.
struct StickAutoOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Series production: after a countdown the stick restores the image that this file names onto the one disk that fits.",
            valueName: "file"))
    var auto: PathArgument?

    /// The file, read and found to be in order.
    func file(_ session: Session) throws -> [UInt8]? {
        guard let auto else { return nil }
        let path = try auto.absolute
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readGiven(path, limit: SeriesPlan.longest) } catch {
            throw Problem.usage("cannot read \(path): \(error.reason)")
        }
        let plan = try SeriesPlan(bytes, path: path)
        session.console.warning(
            "this stick will overwrite the one disk that fits of each machine that is started from it, \(plan.countdown) s after its start"
        )
        session.console.warning(plan.warning)
        return bytes
    }
}

struct StickCreateCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a rescue stick of a USB medium, or of a file.",
        discussion: discussion(
            """
            All that is on the medium will be gone; its serial number has to be typed, or given with --confirm. The stick starts machines with \
            BIOS, UEFI and Secure Boot into Holdfast's menu. Its first partition, HOLDFAST, holds images and can be read by Windows. It is made \
            of this machine's own files, its kernel and drivers among them, and takes neither keys nor configuration along. Make it \
            on the newest of your machines.
            """,
            examples: "holdfast stick create /dev/sdb --dry-run # only shows it",
            "holdfast stick create /dev/sdb",
            "holdfast stick create ./stick.img --store-size 8G # to be written to sticks"))

    @Argument(help: ArgumentHelp("The medium, as /dev/sdb, or a file.", valueName: "device|file"))
    var device: PathArgument

    @Option(
        help: ArgumentHelp(
            "How large the partition for images is (default: all there is; of a new file 4 GiB).", valueName: "size"))
    var storeSize: SizeArgument?

    @Flag(help: "Show what is on the medium and what would be made of it; write nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("The serial number of the medium that is meant, or else its name.", valueName: "serial"))
    var confirm: String?

    @OptionGroup var series: StickAutoOptions
    @OptionGroup var parts: StickPartsOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !dryRun }

    func perform(_ session: Session) throws -> Outcome {
        try device.refuseMistypedDisk(otherwise: "a new file is given as `./\(device.path)`")
        let auto = try series.file(session)
        let loaders = try parts.loaders()
        let path = try device.absolute
        let stick = try Stick(making: path, dataSize: storeSize?.bytes, stop: session.progress.stop)
        let content = stick.content()
        if dryRun { return try plan(stick, content, session) }
        (facts(stick) + losses(stick, content)).forEach(session.console.note)
        try session.confirm(
            losing: path, device: stick.target.device, wanted: stick.target.confirmation, given: confirm)
        let lacks = try session.working {
            try stick.make(loaders, parts: parts.packages?.absolute, auto: auto, progress: session.progress)
        }
        show(
            stick, lacks, session,
            "\(path) is a stick now, with \(Text.size(stick.dataSize)) for images; it was read back and is as it was written",
            stick.target.device == nil
                ? "write it to a stick with `dd if=\(path) of=/dev/sdX bs=4M conv=fsync`"
                : "start a machine from it with the firmware's boot menu, often F7, F11 or F12")
        return .done
    }

    /// What the medium is, by which it is known from others.
    private func facts(_ stick: Stick) -> [String] {
        guard let device = stick.target.device else { return [] }
        let serial = device.serial.isEmpty ? "without a serial number" : "serial number \(device.serial)"
        let facts = [device.model, serial, Text.size(device.size)]
        return ["\(device.path): \(facts.filter { !$0.isEmpty }.map(Text.safe).joined(separator: ", "))"]
    }

    /// What would be gone.
    private func losses(_ stick: Stick, _ content: MediumContent) -> [String] {
        let images = Text.counted(UInt64(content.images), "image", "images")
        let stores = content.stores == 0 ? "" : " and \(Text.counted(UInt64(content.stores), "store", "stores"))"
        var lines: [String] = []
        if content.isStick {
            lines.append(
                "this is a Holdfast stick with \(images)\(stores): `holdfast stick update \(stick.target.path)` keeps them, `create` does not"
            )
        } else if content.images + content.stores > 0 {
            lines.append("there are \(images)\(stores) of Holdfast's on it, which would be gone")
        }
        return lines + content.unread
    }

    private func plan(_ stick: Stick, _ content: MediumContent, _ session: Session) throws -> Outcome {
        let kernel = try LiveKernel(in: parts.packages?.absolute, running: HostFacts.kernelRelease)
        let lacks = LiveSystem.lacking()
        let confirmation = stick.target.confirmation
        session.show(
            [
                ("dryRun", .flag(true)), ("stick", .text("\(stick.target.path)")),
                ("bytesForImages", .number(stick.dataSize)), ("kernel", .text(kernel.version)),
                ("isStick", .flag(content.isStick)), ("images", .number(UInt64(content.images))),
                ("stores", .number(UInt64(content.stores))), ("notLookedInto", .list(content.unread.map(JSON.text))),
                ("lacks", .list(lacks.map(JSON.text))), ("confirmation", confirmation.map(JSON.text)),
            ],
            summary: facts(stick) + losses(stick, content)
                + (lacks.isEmpty ? [] : ["this machine has nothing for: \(lacks.joined(separator: ", "))"]) + [
                    "it would become a stick with Linux \(kernel.version), and \(Text.size(stick.dataSize)) for images",
                    confirmation.map { "it would be confirmed by \(Text.safe($0)); nothing was written" }
                        ?? "nothing was written",
                ])
        return .done
    }
}

struct StickUpdateCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Bring what a stick starts up to date; the images on it stay.",
        discussion: discussion(
            """
            It takes the program, the kernel and the loaders of this machine. Interrupted, the same command goes on. A stick for series \
            production (--auto) stays one.
            """,
            examples: "holdfast stick update /dev/sdb"))

    @Argument(help: ArgumentHelp("The stick.", valueName: "device|file"))
    var device: PathArgument

    @Flag(help: "It does nothing by itself any more.")
    var noAuto = false

    func check() throws {
        if noAuto && series.auto != nil { throw ValidationError("Give --auto or --no-auto.") }
    }

    @OptionGroup var series: StickAutoOptions
    @OptionGroup var parts: StickPartsOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let given = try series.file(session)
        let loaders = try parts.loaders()
        let path = try device.absolute
        let stick = try Stick(opening: path, stop: session.progress.stop)
        let auto = try noAuto ? nil : given ?? keptAuto(of: stick, session)
        let lacks = try session.working {
            try stick.update(loaders, parts: parts.packages?.absolute, auto: auto, progress: session.progress)
        }
        show(
            stick, lacks, session,
            "\(path) starts this machine's kernel and program now; the images on it are as they were")
        return .done
    }

    /// What it did by itself before. A stick whose part that starts it was cut off or is damaged has to be told anew.
    private func keptAuto(of stick: Stick, _ session: Session) throws -> [UInt8]? {
        do {
            guard let bytes = try stick.auto() else { return nil }
            let plan = try SeriesPlan(bytes, path: "holdfast/auto.toml")
            session.console.note("it stays a stick for series production, of \(plan.image); --no-auto ends that")
            return bytes
        } catch let error as StickError {
            session.console.warning(
                "whether it was for series production cannot be told (\(error)); with --auto FILE it is")
            return nil
        }
    }
}

struct StickCheckCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read all of a stick, and compare what it starts with what was written.",
        discussion: discussion(
            "Nothing is written. Images on it are checked with `holdfast verify`.",
            examples: "holdfast stick check /dev/sdb"))

    @Argument(help: ArgumentHelp("The stick.", valueName: "device|file"))
    var device: PathArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let path = try device.absolute
        let stick = try Stick(opening: path, isWritten: false, stop: session.progress.stop)
        // Where this machine has none there is nothing to compare with.
        let loaders = StickLoaders.missing(in: nil).isEmpty ? try StickLoaders(in: nil) : nil
        let notes = try session.working {
            try stick.check(loaders, progress: session.progress, findings: session.findings)
        }
        let count = session.findings.count
        let verdict =
            count == 0
            ? "all of \(path) can be read, and it is as it was made"
            : "\(path) is not as it was made: \(Text.counted(count, "finding", "findings"))"
        session.show(
            session.console.findingMembers + [("stick", .text("\(path)")), ("notes", .list(notes.map(JSON.text)))],
            summary: notes + [verdict])
        return session.outcome(count)
    }
}

private func show(_ stick: Stick, _ lacks: [String], _ session: Session, _ sentences: String...) {
    session.show(
        [
            ("stick", .text("\(stick.target.path)")), ("bytesForImages", .number(stick.dataSize)),
            ("lacks", .list(lacks.map(JSON.text))),
        ],
        summary: (lacks.isEmpty ? [] : ["this machine has nothing for: \(lacks.joined(separator: ", "))"]) + sentences)
}
