// A medium to try: a file system in a file, as a block device.

import Glibc
import Platform
import Stores
import TestSupport
import Testing

/// The kernel need not know FAT for them.
let hasFATPrograms = ["mkfs.vfat", "mkfs.exfat", "fsck.fat", "fsck.exfat"].allSatisfy {
    exists(BytePath("/usr/sbin/\($0)"))
}

final class LoopMedium: Sendable {
    let label: [UInt8]
    let folder: BytePath
    let device: BytePath
    var file: BytePath { folder.appending("image") }
    var name: String { String(decoding: device.lastComponent, as: UTF8.self) }

    /// - Parameters:
    ///   - making: the program that makes the file system, with its option for the label at its end.
    ///   - image: the bytes of another one, whose copy it is.
    init(
        _ label: String, making: String = "mkfs.ext4 -q -L", bytes: Int = 32 << 20, copying image: BytePath? = nil,
        readOnly: Bool = false
    ) throws {
        self.label = Array(label.utf8)
        var template = Array("/var/tmp/holdfast-medium-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        folder = BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
        let file = folder.appending("image")
        let made =
            image.map { "cp --sparse=always '\($0)' '\(file)'" }
            ?? "truncate -s \(bytes) '\(file)' && \(making) \"$LABEL\" '\(file)' >'\(folder)/said' 2>&1"
        let option = readOnly ? "--read-only" : ""
        let quoted = label.map { $0 == "'" ? "'\\''" : "\($0)" }.joined()
        let said = shell("LABEL='\(quoted)'; \(made) && losetup --find --show \(option) '\(file)'")
        device = BytePath(said.split(separator: "\n").first.map(String.init) ?? "/dev/null")
        try #require(device != "/dev/null", "\(shell("cat '\(folder)/said'"))")
    }

    deinit { shell("losetup -d '\(device)'; rm -rf '\(folder)'") }

    /// - Parameter path: with its slash at the beginning.
    func open(
        _ path: String = "", writing: Bool, beside others: [LoopMedium] = [], tell: (String) -> Void = { _ in }
    ) throws -> any ObjectStore {
        let escaped = label.map { "%" + hexadecimal([$0]) }.joined()
        let location = try #require(MediumLocation(Array("usb:\(escaped)\(path)".utf8)))
        return try MediumStore.open(
            location, writing: writing, loops: Set(([self] + others).map(\.name)), tell: tell)
    }

    /// Of all its bytes, once nothing holds any of them back.
    var digest: String {
        shell("blockdev --flushbufs '\(device)'; sync '\(file)'; sha256sum < '\(file)'")
    }
}
