// Where wipes are tested: a file as a block device.

import Cryptography
import Glibc
import Platform
import TestSupport
import Testing

/// A loop device over a file, with a folder for what Holdfast knows; everything goes with it.
final class LoopDevice {
    let scratch: BytePath
    let file: BytePath
    let path: BytePath
    var state: BytePath { scratch.appending("state") }
    var name: String { String(decoding: path.lastComponent, as: UTF8.self) }

    /// - Parameter number: of the device, for what detaches it and has to find it again; else the first that is free, which others take as well.
    init(_ bytes: Int, partitioned: Bool = false, number: Int? = nil) throws {
        scratch = BytePath("/var/tmp/holdfast-wipe-\(try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined())")
        file = scratch.appending("disk")
        try makeFolders(scratch.appending("mount"))
        shell("head -c \(bytes) /dev/urandom > \(file)")
        if partitioned { shell("printf 'label: dos\\nsize=16M\\nsize=16M\\n' | sfdisk -q \(file)") }
        if let number {
            path = BytePath("/dev/loop\(number)")
            shell("losetup \(path) \(file)")
            return
        }
        path = BytePath(
            shell("losetup --find --show \(partitioned ? "--partscan" : "") \(file)").split(separator: "\n").first
                .map(String.init) ?? "/dev/null")
    }

    deinit {
        shell(
            "umount \(scratch)/mount 2>/dev/null; losetup -d \(path); chattr -R -f -ia \(scratch); rm -rf \(scratch)")
    }
}
