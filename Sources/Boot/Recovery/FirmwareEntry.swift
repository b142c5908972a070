// The recovery system as an entry of a UEFI firmware, behind the machine's own: it needs neither `/boot` nor the machine's boot loader, and a
// firmware that finds the machine's own broken comes to it by itself.
//
//     <partition>/EFI/holdfast/shimx64.efi      what the firmware starts; grubx64.efi and mmx64.efi beside it, all signed by Debian
//     <partition>/EFI/holdfast/grub.cfg         leads to the recovery system's menu; the same file in boot/grub, where this GRUB looks first

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

/// Where it is, while the machine runs.
struct FirmwareEntry {
    /// What the firmware's own menu calls it.
    static let label = "Holdfast recovery"

    private static let loader = #"\EFI\holdfast\shimx64.efi"#
    private static let parts = [
        ("/usr/lib/shim/shimx64.efi.signed", "shimx64.efi", "shim-signed"),
        ("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", "grubx64.efi", "grub-efi-amd64-signed"),
        ("/usr/lib/shim/mmx64.efi.signed", "mmx64.efi", "shim-signed"),
    ]
    private static let heading = "# Made by `holdfast setup`: leads to the recovery system."

    /// The EFI system partition.
    private let partition: BytePath

    /// nil where a place is not the firmware's, or no UEFI firmware has started this machine.
    init?(_ place: RecoveryPlace) {
        guard place.kind == .firmware, exists("/sys/firmware/efi/efivars") else { return nil }
        partition = place.folder.parent
    }

    private var folder: BytePath { partition.appending("EFI/holdfast") }
    private var settings: [BytePath] {
        [folder.appending("grub.cfg"), partition.appending("boot/grub/grub.cfg")]
    }

    /// Has it be there, and the firmware know it. Repeating it costs nothing.
    /// - Parameter id: by which the place is found.
    /// - Throws: `LiveError.missing`, `BootError.foreignLoader`, `SystemError`; what was there before is as it was.
    func install(id: String) throws {
        let missing =
            Self.parts.filter { !exists(BytePath($0.0)) }.map { MissingPart($0.0, package: $0.2) }
            + (programPath("efibootmgr") == nil ? [MissingPart("efibootmgr", package: "efibootmgr")] : [])
        guard missing.isEmpty else { throw LiveError.missing(missing) }
        for file in settings where try !isOurs(file) { throw BootError.foreignLoader(file) }
        let text = """
            \(Self.heading)
            search --no-floppy --file --set=root /holdfast/\(id)
            configfile ($root)/holdfast/grub.cfg

            """
        for (source, name, _) in Self.parts {
            let (source, copy) = (BytePath(source), folder.appending(name))
            if try exists(copy) && fileDigest(copy) == fileDigest(source) { continue }
            try makeFolders(folder, mode: 0o755)
            try replaceFile(copy, readWhole(source, limit: 1 << 25), mode: 0o644)
        }
        for file in settings { try InstalledFile.put(Array(text.utf8), at: file, mode: 0o644) }
        try tellFirmware()
    }

    /// Whether it is there; the firmware itself is not asked.
    var isInstalled: Bool { exists(folder.appending("shimx64.efi")) && exists(folder.appending("grub.cfg")) }

    /// Takes it away; what others have put beside it stays.
    func remove() throws {
        if programPath("efibootmgr") != nil {
            for entry in try Self.list().entries where Self.isOurs(entry) { try forget(entry) }
        }
        if exists(folder) { try Descriptor.open(folder.parent, .directory).removeTree(folder.lastComponent) }
        let second = settings[1]
        if exists(second), try isOurs(second) { try removeFile(second) }
    }

    /// Whether nobody else's is there.
    private func isOurs(_ file: BytePath) throws -> Bool {
        guard exists(file) else { return true }
        return String(decoding: try readRegular(file, limit: 1 << 16), as: UTF8.self).hasPrefix(Self.heading)
    }

    // MARK: The firmware

    private func tellFirmware() throws {
        guard let mount = try Mount.at(partition), let device = BlockDevice.at(mount.source),
            let disk = device.disk.flatMap({ BlockDevice(named: $0) }),
            let number = BlockDevice.text("/sys/class/block/\(device.name)/partition")
        else { throw SystemError(ENODEV, "find the disk of", "\(partition)") }
        let found = try runOrThrow(["blkid", "-o", "value", "-s", "PARTUUID", ProgramWord(mount.source)])
        let unique = (found.lines.first ?? "").lowercased()
        var list = try Self.list()
        let known = list.entries.filter { Self.isOurs($0) }
        var own = known.first { !unique.isEmpty && $0.path.lowercased().contains(unique) }
        // Of a disk that this one was copied from, say, or one too many.
        for entry in known where entry != own { try forget(entry) }
        if own == nil {
            try runOrThrow([
                "efibootmgr", "--quiet", "--create-only", "--disk", ProgramWord(disk.path), "--part",
                ProgramWord(number),
                "--label", ProgramWord(Self.label), "--loader", ProgramWord(Self.loader),
            ])
            list = try Self.list()
            own = list.entries.first { Self.isOurs($0) }
        }
        guard let own else {
            throw SystemError(EIO, "tell", "the firmware", detail: "it does not have the entry that it was given")
        }
        // The last: whoever has chosen an order gets the same start as before.
        if !list.order.contains(own.number) {
            try runOrThrow([
                "efibootmgr", "--quiet", "--bootorder", ProgramWord((list.order + [own.number]).joined(separator: ",")),
            ])
        }
    }

    private func forget(_ entry: FirmwareList.Entry) throws {
        try runOrThrow(["efibootmgr", "--quiet", "--delete-bootnum", "--bootnum", ProgramWord(entry.number)])
    }

    private static func list() throws -> FirmwareList {
        FirmwareList(String(decoding: try runOrThrow(["efibootmgr", "-v"]).output, as: UTF8.self))
    }

    private static func isOurs(_ entry: FirmwareList.Entry) -> Bool {
        entry.label == label && entry.path.lowercased().contains(#"\efi\holdfast\"#)
    }
}
