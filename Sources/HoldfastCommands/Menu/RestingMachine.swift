// A machine that a stick was started on: its state is found on its disks, and they are mounted only while something is done with it.

internal import FoundationEssentials
internal import Glibc
internal import Machine
internal import Platform
internal import Reporting

struct RestingMachine {
    let device: BlockDevice
    /// As the kernel calls it.
    private let type: String
    /// Of a btrfs: the subvolumes with `/` and with the state.
    private let root: String
    private let state: String?
    let host: String

    private static let home: BytePath = "/run/machine"
    private static let (rootPlace, statePlace) = (home.appending("root"), home.appending("state"))
    private static let standardState = BytePath("/").remainder(of: Places.standardState)
    /// Where installers put `/` in a btrfs.
    private static let roots = ["", "@rootfs", "@"]
    private static let stateSubvolume = "@holdfast-state"
    private static let types = ["ext2": "ext4", "ext3": "ext4", "ext4": "ext4", "btrfs": "btrfs", "xfs": "xfs"]

    /// What says that a machine's `/` is protected.
    private struct Protection: Decodable {
        var root: String
        var facts: [String: String]?

        /// Of a btrfs: the subvolume that is `/`.
        var subvolume: String? {
            facts?["live"].flatMap { decodeHexadecimal($0) }.flatMap { String(validating: $0, as: UTF8.self) }
        }
    }

    /// All that can be mounted here. Nothing is written, and no journal replayed.
    /// - Parameters:
    ///   - disk: not on this one.
    ///   - among: devices that are looked at; empty: all of this machine that are no loop devices.
    ///   - tell: hears of each that could not be looked into, in a sentence.
    static func all(
        without disk: String?, among: [BytePath], stop: Stop, tell: (String) -> Void
    ) throws -> [RestingMachine] {
        let named = among.compactMap { BlockDevice.at($0) }
        let disks = named.isEmpty ? BlockDevice.disks().filter { $0.kind != .loop && $0.name != disk } : named
        let volumes = disks.flatMap { disk in
            disk.partitions.isEmpty ? [disk] : disk.partitions.compactMap { BlockDevice(named: $0) }
        }
        var found: [RestingMachine] = []
        for volume in volumes where volume.holders.isEmpty && volume.size > 0 {
            try stop.checkStop()
            do {
                guard let content = try ContentProbe.look(at: volume.path), let type = types[content.type] else {
                    continue
                }
                if let machine = RestingMachine(volume, type, try mountToLook(volume, type)) { found.append(machine) }
            } catch { tell("\(volume.path): \(explained(error).sentence)") }
        }
        return found
    }

    private static func readOnlyOptions(_ type: String) -> [String] {
        switch type {
        case "ext4": ["ro", "noload"]
        case "xfs": ["ro", "norecovery", "nouuid"]
        default: ["ro", "rescue=nologreplay"]
        }
    }

    private static func mountToLook(_ volume: BlockDevice, _ type: String) throws -> Descriptor {
        let options = (readOnlyOptions(type) + (type == "btrfs" ? ["subvolid=5"] : [])).map { option in
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            return (key: parts[0], value: parts.count > 1 ? parts[1] : "")
        }
        return try Descriptor.makeMount(type, source: volume.path, options: options).open(
            [UInt8(ascii: ".")], .directory)
    }

    private init?(_ device: BlockDevice, _ type: String, _ top: Descriptor) {
        func text(_ path: String) -> [UInt8]? {
            // What is not there, or cannot be read, says nothing.
            guard let file = try? top.openBeneath(Array(path.utf8), .nonBlocking), (try? file.status().kind) == .file
            else {
                return nil
            }
            do { return try readWhole(file, limit: 1 << 20, named: path) } catch { return nil }
        }
        func below(_ folder: String, _ path: String) -> String { folder.isEmpty ? path : "\(folder)/\(path)" }
        let inside = Self.roots.map { below($0, String(decoding: Self.standardState, as: UTF8.self)) }
        let states = (type == "btrfs" ? [Self.stateSubvolume] : []) + inside
        guard let folder = states.first(where: { text("\($0)/protected.json") != nil }),
            let bytes = text("\(folder)/protected.json"),
            // One that is damaged is none that could be used.
            let protection = try? JSONDecoder().decode(Protection.self, from: Data(bytes)), protection.root == "/",
            let root = type == "btrfs" ? protection.subvolume : "", text(below(root, "etc/fstab")) != nil
        else { return nil }
        self.device = device
        self.type = type
        self.root = root
        state = folder == Self.stateSubvolume ? folder : nil
        let line = text(below(root, "etc/hostname")) ?? []
        let name = String(decoding: line.prefix { $0 > 0x20 }, as: UTF8.self)
        host = name.isEmpty ? "-" : Text.safe(name)
    }

    /// Where it is while it is mounted.
    var place: MenuMachine.Place {
        MenuMachine.Place(
            root: Self.rootPlace,
            state: state == nil ? Self.rootPlace.appending(Self.standardState) : Self.statePlace)
    }

    /// Has it mounted while `body` lasts, with what of its boot files is on file systems of their own.
    func whileMounted<R>(writing: Bool, _ body: () throws -> R) throws -> R {
        try Self.takeDown()
        try makeFolders(Self.rootPlace, mode: 0o700)
        try makeFolders(Self.statePlace, mode: 0o700)
        defer { try? Self.takeDown() }  // What is still mounted then is taken down before the next.
        if writing, type == "ext4" {
            let checked = try runProgram(["e2fsck", "-p", ProgramWord(device.path)])
            // Up to 3: in order, or put in order.
            guard checked.status < 4 else {
                throw Problem(
                    "\(device.path) is not in order, and e2fsck does not mend it unasked: \(checked.complaint)",
                    status: 1)
            }
        }
        try mount(device, type, at: Self.rootPlace, subvolume: root, writing: writing)
        if let state { try mount(device, type, at: Self.statePlace, subvolume: state, writing: writing) }
        let table = FileSystemTable.entries(
            in: try readRegular(Self.rootPlace.appending("etc/fstab"), limit: 1 << 20, followsLinks: false))
        for point in ["/boot", "/boot/efi", "/efi"] as [BytePath] {
            guard let entry = table.first(where: { $0.point == point }) else { continue }
            let volume = try Self.device(entry.device)
            guard let content = try ContentProbe.look(at: volume.path) else {
                throw Problem("what the machine has at \(point) (\(entry.device)) cannot be looked at", status: 1)
            }
            try mount(
                volume, Self.types[content.type] ?? content.type,
                at: Self.rootPlace.appending(point.bytes.dropFirst()), subvolume: "", writing: writing)
        }
        return try body()
    }

    private static func device(_ name: BytePath) throws -> BlockDevice {
        let text = name.text
        let path =
            text.hasPrefix("UUID=")
            ? BytePath("/dev/disk/by-uuid/\(text.dropFirst(5))")
            : text.hasPrefix("PARTUUID=") ? BytePath("/dev/disk/by-partuuid/\(text.dropFirst(9))") : name
        guard let device = BlockDevice.at(path) else {
            throw Problem(
                "the machine's \(text) is not here", hint: "its recovery entry in the boot menu may find it", status: 1)
        }
        return device
    }

    private func mount(
        _ device: BlockDevice, _ type: String, at place: BytePath, subvolume: String, writing: Bool
    ) throws {
        var options = writing ? [] : Self.types.values.contains(type) ? Self.readOnlyOptions(type) : ["ro"]
        if type == "btrfs" { options.append("subvol=/\(subvolume)") }
        if type == "xfs", writing { options.append("nouuid") }
        let result = try runProgram(
            [
                "mount", "-t", ProgramWord(type), "-o",
                ProgramWord((options + ["nosuid", "nodev"]).joined(separator: ",")),
            ]
                + [ProgramWord(device.path), ProgramWord(place)])
        guard result.status == 0 else {
            throw Problem("\(device.path) cannot be mounted: \(result.complaint)", status: 1)
        }
    }

    /// Also what a menu that was killed has left.
    private static func takeDown() throws {
        let mounted = try Mount.all().map(\.point).filter { $0.isBelow(home) }
        for point in mounted.sorted(by: { $0.bytes.count > $1.bytes.count }) {
            do throws(SystemError) { try unmount(point) } catch {
                if error.code != EBUSY { throw error }
                try unmountTree(point)
            }
        }
    }
}

extension Menu {
    /// The machine that the stick was started on; of several, the one that is chosen.
    func chooseResting() throws -> RestingMachine {
        terminal.say(.looking)
        let found = try RestingMachine.all(
            without: stick?.disk, among: among, stop: session.progress.stop
        ) { terminal.say($0) }
        if found.isEmpty { throw said(.noMachineFound) }
        let choice = try terminal.choose(
            .whichMachine, found.map { "\($0.host)  \($0.device.path)  \(Text.safe($0.device.wholeDisk.model))" })
        return found[choice]
    }
}
