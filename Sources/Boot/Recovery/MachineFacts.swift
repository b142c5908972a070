// What a recovery system has to know to find the machine's own: noted while that runs, since nobody can ask it later.

internal import Machine
internal import Platform

/// Where `/` and the state are, as a small system with nothing mounted finds them.
struct MachineFacts {
    private let lines: [(name: String, value: String)]

    /// - Throws: `BootError.unreachable`, where it could not be found again.
    init(state: BytePath) throws {
        func unreachable(_ reason: String) -> BootError { .unreachable(state: state, reason: reason) }
        let reach = try StateReach(state)
        guard let root = try Mount.holding(Descriptor.open(FilterMounts.lower(of: "/") ?? "/", .directory)) else {
            throw unreachable("/ is on no mount that can be seen")
        }
        var lines = [("type", root.type), ("state", state.text)]
        switch root.type {
        case "zfs":
            let pool = root.source.text.split(separator: "/").first.map(String.init) ?? ""
            lines += [("pool", pool), ("dataset", root.source.text)]
        default:
            let found = try runProgram(["blkid", "-o", "value", "-s", "UUID", ProgramWord(root.source)])
            guard found.status == 0, let uuid = found.lines.first else {
                throw unreachable("\(root.source) has no UUID")
            }
            lines.append(("uuid", uuid))
            if root.type == "btrfs" { lines.append(("options", "subvol=\(root.root)")) }
        }
        if case .mount(let type, let device, let options) = reach {
            lines += [("state_type", type), ("state_device", device ?? ""), ("state_options", options)]
        }
        let boot = try Self.bootLines()
        if !boot.isEmpty { lines.append(("boot", boot.joined(separator: ";"))) }
        guard lines.allSatisfy({ $0.1.utf8.allSatisfy(Self.isPlain) }) else {
            throw unreachable("a name in it does not go into a script")
        }
        self.lines = lines.map { (name: $0.0, value: $0.1) }
    }

    /// `/boot` and the EFI system partition, where they are file systems of their own: `UUID,TYPE,/boot`.
    private static func bootLines() throws -> [String] {
        try ["/boot", "/boot/efi", "/efi"].compactMap { point in
            guard let mount = try Mount.at(BytePath(point)), mount.type != "autofs" else { return nil }
            let found = try runProgram(["blkid", "-o", "value", "-s", "UUID", ProgramWord(mount.source)])
            return found.status == 0 ? found.lines.first.map { "\($0),\(mount.type),\(point)" } : nil
        }
    }

    /// In single quotes of a shell.
    private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "'") }

    var text: String { lines.map { "\($0.name)='\($0.value)'\n" }.joined() }
}
