// What a machine is started from such a disk by, as far as its table and its first sector say.

internal import Platform

extension DiskDescription {
    /// What starts a machine from a disk.
    public enum Firmware: Sendable, Hashable {
        case bios
        case uefi
    }

    /// The partition that GRUB lies in where a BIOS starts it from a GPT.
    private static let loaderType = "21686148-6449-6E6F-744E-656564454649"

    /// By what a machine starts from it: a BIOS where the first sector has a program, UEFI where it has none, or one that nothing follows, and an
    /// EFI partition; nil: by nothing.
    public var firmware: Firmware? {
        guard let table, let sector = decodeHexadecimal(table.bootSector), sector.count == 512 else { return nil }
        // Behind it are the disk's number and the table.
        let hasProgram = sector[510...] == [0x55, 0xAA] && sector[..<440].contains { $0 != 0 }
        guard firmwareVolume != nil else { return hasProgram ? .bios : nil }
        let isFollowed = table.kind == "dos" || table.partitions.contains { $0.type.uppercased() == Self.loaderType }
        return hasProgram && isFollowed ? .bios : .uefi
    }
}
