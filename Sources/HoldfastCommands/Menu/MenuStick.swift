// The stick: a partition that is mounted only while it is used, and for writing only while something is saved; or a folder. It is looked up each
// time: it may have been pulled and plugged in since.

internal import Glibc
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stores

final class MenuStick: CustomStringConvertible {
    /// A folder, a device, or `usb:LABEL`.
    let path: BytePath
    /// The label that it had when it was used first: plugged in again it may have another name, and another one its name.
    private var label: [UInt8]?
    private var lastDisk: String?

    init(_ path: BytePath) {
        self.path = path
        label = MediumLocation(path.bytes)?.label
    }

    var description: String { path.description }

    private static let folder = Places.runtime.appending("menu")
    static let mountPoint = folder.appending("stick")

    /// Whether it is mounted to be used, at a place that is there once.
    var isMounted: Bool { !isFolder }

    private var isFolder: Bool {
        // What cannot be looked at is missed where it is used.
        (try? Descriptor.open(path, .place).status().kind) == .directory
    }

    /// Where its content is while it is used.
    var root: BytePath { isFolder || label == nil && BlockDevice.at(path) == nil ? path : Self.mountPoint }

    /// The disk that it is on, which is not offered for anything. One that was pulled is offered for nothing either.
    var disk: String? {
        if isFolder { return Self.disk(of: path) }
        do { if let device = try medium()?.device { return device.wholeDisk.name } } catch {
            // It is missed, with the reason, where it is used.
        }
        return lastDisk
    }

    /// The disk that holds a folder; nil where that is none of this machine's disks, or cannot be told.
    private static func disk(of folder: BytePath) -> String? {
        guard let opened = try? Descriptor.open(folder, .directory), let mount = try? Mount.holding(opened) else {
            return nil
        }
        return BlockDevice(number: mount.device)?.wholeDisk.name
    }

    /// What it is now; nil where it is not there.
    private func medium() throws -> Medium? {
        if let device = BlockDevice.at(path), device.size > 0, let medium = try Medium(on: device, isNamed: true),
            label == nil || label == medium.label
        {
            label = medium.label
            lastDisk = device.wholeDisk.name
            return medium
        }
        guard let label, let location = MediumLocation(Array("usb:".utf8) + Array(percentEncoded(label).utf8)) else {
            return nil
        }
        do throws(StoreError) {
            let medium = try MediumStore.find(location)
            lastDisk = medium.device.wholeDisk.name
            return medium
        } catch {
            if error.reason == .unreachable { return nil }
            throw error
        }
    }

    /// Has it there while `body` lasts.
    /// - Parameter body: gets the folder where the stick's content is.
    func use<R>(writing: Bool, _ menu: Menu, _ body: (BytePath) throws -> R) throws -> R {
        if isFolder { return try body(path) }
        guard let medium = try medium() else { throw menu.said(.stickMissing, "\(path)") }
        if writing, medium.isInDangerWhenCutOff, try medium.wasCutOff() { try menu.offerCheck(of: medium) }
        try Self.clear()
        try makeFolders(Self.mountPoint, mode: 0o700)
        try PrivateMount.attach(
            medium, writing: writing, to: Descriptor.openWithoutLinks(Self.mountPoint, [.directory, .place]))
        let result: R
        do { result = try body(Self.mountPoint) } catch {
            // What went wrong first is told; what is still mounted goes when the stick is used next.
            try? Self.clear()
            throw error
        }
        if writing { try Descriptor.open(Self.mountPoint, .directory).synchronizeFileSystem() }
        try Self.clear()
        return result
    }

    /// Takes away what is mounted, also what a menu that was killed has left.
    private static func clear() throws {
        while try Mount.at(mountPoint) != nil {
            do throws(SystemError) { try unmount(mountPoint) } catch {
                if error.code != EBUSY { throw error }
                // A command that still runs holds it; nobody else gets there any more.
                try unmountTree(mountPoint)
            }
        }
    }
}

extension Menu {
    /// Offers to have a stick checked that was pulled while it was written.
    fileprivate func offerCheck(of medium: Medium) throws {
        let checker = "\(medium.checker ?? "") \(medium.device.path)"
        let choice = try terminal.choose(
            MenuWord.stickWasPulled.text(terminal.language, [medium.description]),
            [
                MenuWord.checkStick.text(terminal.language, [checker]),
                MenuWord.withoutCheckOfStick.text(terminal.language),
            ])
        if choice == 0 { try medium.putInOrder() }
    }

    /// The disks, without the stick's, and without what is no disk of its own.
    /// - Parameters:
    ///   - other: the choice for one that is typed.
    ///   - smallest: how large it has to be, where that is known.
    ///   - isRead: nothing is written to it, so that it may be the one that a folder of images is on.
    /// - Returns: its path.
    func chooseDisk(
        _ title: MenuWord, other: MenuWord, smallest: UInt64? = nil, isRead: Bool = false
    ) throws -> BytePath {
        while true {
            let path = try chooseAnyDisk(title, other: other, smallest: smallest, isRead: isRead)
            guard let smallest, let size = BlockDevice.at(path)?.size, size < smallest else { return path }
            // What the label says is nobody's word: the command looks at the image itself.
            terminal.say(.doesNotFit, Text.size(smallest), Text.size(size))
            if try terminal.choose(title, [MenuWord.chooseOtherDisk, .tryAllTheSame]) == 1 { return path }
        }
    }

    private func chooseAnyDisk(
        _ title: MenuWord, other: MenuWord, smallest: UInt64?, isRead: Bool
    ) throws -> BytePath {
        let stickDisk = isRead && stick?.isMounted == false ? nil : stick?.disk
        let disks = BlockDevice.disks().filter { disk in
            disk.name != stickDisk && ![.loop, .mapper, .raid].contains(disk.kind)
                && !["ram", "zram", "sr", "fd", "nbd"].contains { disk.name.hasPrefix($0) }
        }
        let choice = try terminal.choose(
            title, disks.map { line($0, smallest: smallest) } + [other.text(terminal.language)])
        if choice < disks.count { return disks[choice].path }
        let path = try terminal.askPath(.typeDisk, mustExist: true)
        if let device = BlockDevice.at(path), device.wholeDisk.name == stickDisk { throw said(.thatIsTheStick) }
        return path
    }

    private func line(_ disk: BlockDevice, smallest: UInt64?) -> String {
        let serial = disk.serial.isEmpty ? "-" : Text.safe(disk.serial)
        let use = disk.uses().first.map { Text.safe($0.description) }
        return "\(disk.path)  \(Text.size(disk.size))  \(Text.safe(disk.model))  "
            + MenuWord.serialNumber.text(terminal.language, [serial])
            + (use.map { "  (\($0))" } ?? "")
            + (smallest.map { $0 > disk.size } == true
                ? "  (\(MenuWord.tooSmallDisk.text(terminal.language, [Text.size(smallest ?? 0)])))" : "")
    }
}
