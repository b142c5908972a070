// The number that GRUB lowers at each start while a state is on trial: what stops a machine before anything of its own runs is noticed by its
// boot loader alone.
//
//     5, 4      the state on trial may be started; 5 where the first start itself brings `/` into it
//     3, 2, 1   the recovery system is started, which returns; three times, since a return may be cut off, too
//     0         nothing came of that: the machine starts as it is
//     nothing   no trial
//
// It is in a file of one sector that is overwritten in place, by GRUB as by us: a power cut leaves the number of before or the one of after.

internal import Machine
public import Platform

public struct StartCounter: Sendable, Hashable {
    /// What GRUB calls it.
    static let variable = "holdfast_left"
    private static let length = 512
    private static let heading = "# GRUB Environment Block\n"
    private static let loaders: Set<String> = ["vfat", "ext2", "ext3", "ext4", "xfs"]

    /// Where a trial begins that the next start finds in use, and where that start has to bring it.
    public enum Begin: Int, Sendable { case inUse = 4, broughtAtStart = 5 }

    let file: BytePath
    /// What GRUB calls it: the path in its file system.
    let loaderPath: BytePath

    // MARK: Finding

    /// The counter of this machine; nil where it has none, or where it is not mounted.
    /// - Parameter root: where `/` of the machine is.
    public static func found(state: BytePath, root: BytePath = "/") throws -> StartCounter? {
        guard let id = try RecoverySystem.identifier(state: state, root: root) else { return nil }
        return try places(state: state, root: root).map { $0.counter(id) }.first { exists($0.file) }
    }

    /// Has the file be there, where there is a place for it.
    /// - Parameter id: what tells it from others', eight hexadecimal digits.
    static func install(id: String, state: BytePath) throws -> StartCounter? {
        guard let counter = try places(state: state, root: "/").first?.counter(id) else { return nil }
        try counter.make()
        return counter
    }

    /// One that is whole stays as it is.
    func make() throws {
        if exists(file), try isWhole { return }
        try makeFolders(file.parent, mode: 0o700)
        try replaceFile(file, Self.text(nil), mode: 0o600)
    }

    static func remove(state: BytePath) throws {
        guard let counter = try found(state: state) else { return }
        try removeFile(counter.file)
    }

    private struct Place {
        var folder: BytePath
        var loaderPath: BytePath

        func counter(_ id: String) -> StartCounter {
            StartCounter(file: folder.appending("trial-\(id)"), loaderPath: loaderPath.appending("trial-\(id)"))
        }
    }

    /// Where GRUB can overwrite a file, the best first: what needs nothing of `/`.
    private static func places(state: BytePath, root: BytePath) throws -> [Place] {
        try RecoveryPlace.all(state: state, root: root).compactMap { place in
            let open = try Descriptor.open(nearestExisting(place.folder), .directory)
            guard let mount = try Mount.holding(open), isWritable(mount) else { return nil }
            // One in the tree itself would go back with it.
            if place.kind == .boot, mount.point == root { return nil }
            return Place(folder: place.folder, loaderPath: place.loaderPath)
        }
    }

    /// GRUB writes to these, on a disk or a partition only, and knows nothing of a journal with contents in it.
    private static func isWritable(_ mount: Mount) -> Bool {
        guard loaders.contains(mount.type), !mount.options.contains("data=journal") else { return false }
        guard let device = BlockDevice.at(mount.source) else { return false }
        return device.kind != .mapper && device.kind != .raid
    }

    // MARK: The number

    /// nil: no trial.
    /// - Throws: where it cannot be read, or is nothing that we or GRUB would write.
    public func number() throws -> Int? {
        let bytes = try readRegular(file, limit: 1 << 12)
        let text = String(decoding: bytes, as: UTF8.self)
        guard bytes.count == Self.length, text.hasPrefix(Self.heading) else { throw BootError.counterDamaged(file) }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(Self.variable + "=") }) else {
            return nil
        }
        // Of a value that none of us writes nobody knows what GRUB makes.
        guard let number = Int(line.dropFirst(Self.variable.utf8.count + 1)),
            (0...Begin.broughtAtStart.rawValue).contains(number)
        else { throw BootError.counterDamaged(file) }
        return number
    }

    private var isWhole: Bool {
        get throws {
            do { _ = try number() } catch BootError.counterDamaged { return false }
            return true
        }
    }

    /// From the next start on GRUB counts.
    public func begin(_ begin: Begin) throws { try put(begin.rawValue) }

    /// GRUB counts no more.
    public func end() throws {
        // What says something else is put right by that, where it has the length.
        if let isEnded = try? number() == nil, isEnded { return }
        try put(nil)
    }

    /// Durable on return.
    private func put(_ number: Int?) throws {
        let open = try Descriptor.open(file, [.readWrite, .noFollow])
        guard try open.status().kind == .file, try open.status().size == Self.length else {
            throw BootError.counterDamaged(file)
        }
        try Self.text(number).withUnsafeBytes { try open.write($0, at: 0) }
        try open.synchronize()
    }

    /// As `grub-editenv` would write it, in one sector.
    private static func text(_ number: Int?) -> [UInt8] {
        let said = Array((heading + (number.map { "\(variable)=\($0)\n" } ?? "")).utf8)
        return said + [UInt8](repeating: UInt8(ascii: "#"), count: length - said.count)
    }

    // MARK: Looking

    /// Where a tree has it whose boot menu counts.
    public static let menuPlace = StartCounterMenu.placeInTree

    /// What keeps GRUB from counting, and the recovery system from returning unasked; nil where nothing does.
    public static func obstacle(state: BytePath) throws -> BootError? {
        guard let recovery = try RecoverySystem.installed(state: state) else { return .noRecovery }
        guard let counter = try found(state: state) else {
            return .loaderCannotCount(
                try places(state: state, root: "/").isEmpty
                    ? "GRUB cannot write to any file system that it would count on: not to btrfs or ZFS, nor through LVM, RAID or encryption"
                    : nil)
        }
        // Nobody would be there to type what opens it.
        if try RecoveryPlace.isEncrypted(root: "/") { return .passphraseAtReturn }
        guard try StartCounterMenu.isTaken(counter) else { return .loaderNotCalled }
        return recovery.returnsByItself ? nil : .loaderNotCalled
    }
}
