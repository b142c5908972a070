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
            examples: "holdfast stick create /dev/sdb",
            "holdfast stick create ./stick.img --store-size 8G # to be written to sticks"))

    @Argument(help: ArgumentHelp("The medium, as /dev/sdb, or a file.", valueName: "device|file"))
    var device: PathArgument

    @Option(
        help: ArgumentHelp(
            "How large the partition for images is (default: all there is; of a new file 4 GiB).", valueName: "size"))
    var storeSize: SizeArgument?

    @Option(help: ArgumentHelp("The serial number of the medium that is meant, or else its name.", valueName: "serial"))
    var confirm: String?

    @OptionGroup var parts: StickPartsOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        try device.refuseMistypedDisk(otherwise: "a new file is given as `./\(device.path)`")
        let loaders = try parts.loaders()
        let path = try device.absolute
        let stick = try Stick(making: path, dataSize: storeSize?.bytes, stop: session.progress.stop)
        if let device = stick.target.device {
            let facts = [device.model, "serial number \(device.serial)", Text.size(device.size)]
            session.console.note("\(path): \(facts.filter { !$0.isEmpty }.map(Text.safe).joined(separator: ", "))")
        }
        try session.confirm(
            losing: path, device: stick.target.device, wanted: stick.target.confirmation, given: confirm)
        let lacks = try session.working {
            try stick.make(loaders, parts: parts.packages?.absolute, progress: session.progress)
        }
        show(
            stick, lacks, session,
            "\(path) is a stick now, with \(Text.size(stick.dataSize)) for images; it was read back and is as it was written",
            stick.target.device == nil
                ? "write it to a stick with `dd if=\(path) of=/dev/sdX bs=4M conv=fsync`"
                : "start a machine from it with the firmware's boot menu, often F7, F11 or F12")
        return .done
    }
}

struct StickUpdateCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Bring what a stick starts up to date; the images on it stay.",
        discussion: discussion(
            "It takes the program, the kernel and the loaders of this machine. Interrupted, the same command goes on.",
            examples: "holdfast stick update /dev/sdb"))

    @Argument(help: ArgumentHelp("The stick.", valueName: "device|file"))
    var device: PathArgument

    @OptionGroup var parts: StickPartsOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let loaders = try parts.loaders()
        let path = try device.absolute
        let stick = try Stick(opening: path, stop: session.progress.stop)
        let lacks = try session.working {
            try stick.update(loaders, parts: parts.packages?.absolute, progress: session.progress)
        }
        show(
            stick, lacks, session,
            "\(path) starts this machine's kernel and program now; the images on it are as they were")
        return .done
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
        let stick = try Stick(opening: path, stop: session.progress.stop)
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
