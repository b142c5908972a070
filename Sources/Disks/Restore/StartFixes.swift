// What a restored disk needs to start where it is now: a loader that a firmware without entries finds, and file systems that are found by what
// they are, not by where their disk was.

internal import Glibc
internal import Platform

/// Makes sure that a firmware that knows nothing of this disk finds its loader: `\EFI\BOOT\BOOTX64.EFI` (UEFI 2.10, 3.5.1.1). Debian puts none
/// there by default, and its entry was in the other machine's firmware.
/// - Parameter partition: the root of the EFI system partition.
func addFallbackLoader(_ partition: inout SystemRoot) {
    let fallback = "EFI/BOOT/BOOTX64.EFI"
    if partition.exists(fallback) { return }
    // The one that a firmware with Secure Boot takes comes first.
    for vendor in partition.folders(in: "EFI") where vendor.lowercased() != "boot" {
        for loader in ["shimx64.efi", "grubx64.efi", "systemd-bootx64.efi"]
        where partition.exists("EFI/\(vendor)/\(loader)") {
            partition.copy("EFI/\(vendor)/\(loader)", to: fallback, "firmware")
            // Shim starts what lies beside it.
            for other in ["grubx64.efi", "mmx64.efi"] where loader == "shimx64.efi" {
                if partition.exists("EFI/\(vendor)/\(other)") {
                    partition.copy("EFI/\(vendor)/\(other)", to: "EFI/BOOT/\(other)", "firmware")
                }
            }
            return
        }
    }
}

/// Names file systems in fstab and crypttab by their UUIDs where they are named by the place of their disk.
/// - Parameter identifiers: of file systems, by the number of their partition on the disk that was restored.
func nameByIdentifier(_ root: inout SystemRoot, _ identifiers: [Int: String]) {
    // The disk that the system is on is the one that is restored. A name in another line may be that of any other disk.
    let own = (root.text(of: "etc/fstab")?.split(separator: "\n") ?? []).first { line in
        ["/", "/boot", "/boot/efi"].contains(field(1, of: line)) && field(0, of: line).flatMap { DeviceName($0) } != nil
    }
    guard let disk = own.flatMap({ field(0, of: $0) }).flatMap({ DeviceName($0) })?.disk else { return }
    for (path, column) in [("etc/fstab", 0), ("etc/crypttab", 1)] {
        guard let text = root.text(of: path) else { continue }
        var isChanged = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            guard let word = field(column, of: line), let name = DeviceName(word), name.disk == disk,
                let id = identifiers[name.partition],
                let place = line.range(of: word)
            else { return String(line) }
            isChanged = true
            return line[..<place.lowerBound] + "UUID=\(id)" + line[place.upperBound...]
        }
        if isChanged { root.write(lines.joined(separator: "\n"), to: path, "file systems named by UUID") }
    }
}

/// How a loader that goes by the place of a disk calls the root of a system; nil where it goes by what the file system is.
func rootByName(in root: SystemRoot) -> String? {
    let words = root.text(of: "boot/grub/grub.cfg")?.split { $0 == " " || $0 == "\n" || $0 == "\t" } ?? []
    return words.lazy.filter { $0.hasPrefix("root=") }.map { $0.dropFirst(5) }.first { DeviceName($0) != nil }.map(
        printableName)
}

private func printableName(_ name: Substring) -> String { printable(name.utf8) }

private func field(_ column: Int, of line: Substring) -> Substring? {
    if line.drop(while: { $0 == " " || $0 == "\t" }).first == "#" { return nil }
    let words = line.split { $0 == " " || $0 == "\t" }
    return words.count > column ? words[column] : nil
}

extension Substring {
    fileprivate func range(of word: Substring) -> Range<Index>? { word.startIndex..<word.endIndex }
}

/// `/dev/sda2`, `/dev/nvme0n1p2`, `/dev/mmcblk0p2`: the kernel's name of a partition.
private struct DeviceName {
    let disk: Substring
    let partition: Int

    init?(_ text: Substring) {
        guard text.hasPrefix("/dev/") else { return nil }
        let name = text.dropFirst(5)
        let digits = name.reversed().prefix { $0.isNumber }.count
        guard digits > 0, let number = Int(name.suffix(digits)) else { return nil }
        var disk = name.dropLast(digits)
        if ["sd", "vd", "hd", "xvd"].contains(where: { disk.hasPrefix($0) }) {
            guard disk.allSatisfy(\.isLetter) else { return nil }
        } else {
            guard ["nvme", "mmcblk"].contains(where: { disk.hasPrefix($0) }), disk.last == "p" else { return nil }
            disk = disk.dropLast()
        }
        self.disk = disk
        partition = number
    }
}
