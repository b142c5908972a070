// A start of a disk in a virtual machine, as a machine would start it: by the loader on it, with the firmware that it is made for. The file is changed
// in one place, a unit of systemd that asks how it is; where no question can be put into its system, a login prompt on the serial line is what it
// can answer with.

internal import Disks
internal import Platform
internal import Reporting

struct DiskBootDrill {
    let machine: StartedMachine
    /// The name of the file in the machine's folder.
    let file: String
    let description: DiskDescription
    let firmware: DiskDescription.Firmware
    /// Whether somebody wants something of his own asked.
    let isAskedFor: Bool

    /// A disk without a question in it.
    struct Unasked: Error {
        let reason: String
    }

    /// What a UEFI firmware is, and what it begins with; Debian's package has both in either size.
    private static let firmwareFiles = ["_4M", ""].map {
        (code: BytePath("/usr/share/OVMF/OVMF_CODE\($0).fd"), variables: BytePath("/usr/share/OVMF/OVMF_VARS\($0).fd"))
    }
    private static var foundFirmware: (code: BytePath, variables: BytePath)? {
        firmwareFiles.first { exists($0.code) && exists($0.variables) }
    }

    /// Refuses what cannot be started here, before anything is restored.
    static func check(_ description: DiskDescription) throws -> DiskDescription.Firmware {
        guard let firmware = description.firmware else {
            throw DrillError.cannotStart(
                reason: "no firmware starts from it: its first sector has no program, and there is no EFI partition")
        }
        try StartedMachine.check(programs: [])
        if firmware == .uefi, foundFirmware == nil {
            throw DrillError.cannotStart(reason: "it starts from UEFI, and there is no firmware (the package ovmf)")
        }
        return firmware
    }

    /// Puts the question into its system.
    /// - Returns: why that cannot be done; nil: it is done.
    func ask(_ restoration: DiskRestoration) throws -> Unasked? {
        do {
            try restoration.inSystem { root in
                // Of another kind than systemd none would read it.
                _ = try root.openBeneath(Array("etc/systemd".utf8), .directory)
                try machine.addQuestion(to: root)
            }
            return nil
        } catch let error where error is DiskFormatError || error is VolumeMount.Refusal || error is SystemError {
            return Unasked(reason: "no question could be put into its system: \(explained(error).sentence)")
        }
    }

    /// How it is started, in words.
    var words: String {
        let firmwareWords = firmware == .bios ? "a BIOS" : "UEFI without Secure Boot"
        return "from \(firmwareWords), as a disk of \(bus.rawValue), without network and without the disks beside it"
    }

    /// Starts it.
    /// - Returns: what it has answered; nil: it asked who wants to log in, which is all that is known.
    /// - Throws: `DrillError.cannotAsk` where nobody can tell.
    func run(_ unasked: Unasked?, _ stop: Stop) throws -> StartedMachine.Answer? {
        let end = try machine.run(try devices(), until: unasked == nil ? nil : { machine.isAtLogin }, stop)
        if let answer = try machine.answer(end) { return answer }
        if let complaint = end.complaint { throw DrillError.cannotStart(reason: "QEMU: \(complaint)") }
        let silence = try machine.silence(end)
        guard let unasked else {
            if machine.isAtLogin {
                throw DrillError.cannotAsk(
                    reason: "it came up to its login prompt, and what was put into its system to ask it never ran")
            }
            return .neverStarts(silence)
        }
        if try hasFailed() { return .neverStarts(silence) }
        guard machine.isAtLogin else { throw DrillError.cannotAsk(reason: "\(unasked.reason); \(silence)") }
        if isAskedFor {
            throw DrillError.cannotAsk(
                reason: "it came up to its login prompt, and its health command could not be run: \(unasked.reason)")
        }
        return nil
    }

    /// Whether its own words leave no doubt.
    private func hasFailed() throws -> Bool {
        let ends = ["Kernel panic", "No bootable device", "No bootable option", "grub rescue>"]
        return try machine.lines("console").contains { line in ends.contains { line.contains($0) } }
    }

    // MARK: The machine

    /// What the disk was attached to, by its name there: an initramfs may have the drivers of that alone.
    private enum Bus: String {
        case sata = "SATA"
        case nvme = "NVMe"
        case virtio
    }

    private var bus: Bus {
        let name = BytePath(description.name).lastComponent
        if name.starts(with: Array("nvme".utf8)) { return .nvme }
        // One of SATA has sectors of 512 bytes in QEMU.
        return name.starts(with: Array("sd".utf8)) && description.sectorSize == 512 ? .sata : .virtio
    }

    private func devices() throws -> [ProgramWord] {
        let sectors = "logical_block_size=\(description.sectorSize),physical_block_size=\(description.sectorSize)"
        let disk: [ProgramWord] =
            switch bus {
            case .sata: ["-device", "ich9-ahci,id=bus", "-device", "ide-hd,drive=d,bus=bus.0,bootindex=0"]
            case .nvme: ["-device", "nvme,drive=d,serial=drill,bootindex=0,\(sectors)"]
            case .virtio: ["-device", "virtio-blk-pci,drive=d,bootindex=0,\(sectors)"]
            }
        // Without a screen the BIOS and what it starts write to the serial line.
        let board: [ProgramWord] = ["-machine", "pc,graphics=off"]
        // What it writes is nobody's.
        let drive = machine.word(file, after: "if=none,id=d,format=raw,snapshot=on,cache=unsafe,file=")
        return try board + firmwareWords() + ["-drive", drive] + disk
    }

    private func firmwareWords() throws -> [ProgramWord] {
        guard firmware == .uefi, let found = Self.foundFirmware else { return [] }
        try machine.make("variables", readWhole(found.variables, limit: 1 << 24))
        return [
            "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=\(found.code)", "-drive",
            machine.word("variables", after: "if=pflash,format=raw,unit=1,file="),
        ]
    }
}
