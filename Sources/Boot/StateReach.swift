// Where the state of `/` is, as the initramfs can reach it.

internal import Machine
package import Platform

/// In `/` itself, or on a mount of its own of the same file system or pool.
package enum StateReach: Equatable {
    case inside
    /// - Parameter device: nil: what `/` is on.
    case mount(type: String, device: String?, options: String)

    /// - Throws: `BootError.unreachable`
    init(_ state: BytePath) throws {
        guard state.isPlainInScripts else {
            throw BootError.unreachable(state: state, reason: "its name does not go into a script")
        }
        // Below the last folder that is there; it is made there.
        let existing = nearestExisting(state)
        // Under a write filter `/` is what it protects: a start finds that, and not what this session sees.
        let ground = FilterMounts.lower(of: "/")
        let root = try Descriptor.open(ground ?? "/", .directory)
        let here = try Descriptor.open(existing, .directory)
        if try root.status().mount == here.status().mount { self = .inside; return }
        guard let root = try Mount.holding(root), let here = try Mount.holding(here) else {
            throw BootError.unreachable(state: state, reason: "it is on no mount that can be seen")
        }
        // The filter has mounted it from there.
        if let ground, here.device == root.device {
            let below = ground.appending(BytePath("/").remainder(of: existing))
            if here.pathInFileSystem(of: existing) == root.pathInFileSystem(of: below) { self = .inside; return }
        }
        guard here.point == state else {
            throw BootError.unreachable(state: state, reason: "it is on \(here.point), which is mounted later")
        }
        switch here.type {
        case "btrfs" where here.device == root.device || here.source == root.source:
            self = .mount(type: "btrfs", device: nil, options: "subvol=\(here.root)")
        case "zfs": self = .mount(type: "zfs", device: here.source.text, options: "zfsutil")
        default: throw BootError.unreachable(state: state, reason: "it is on \(here.type), mounted from elsewhere")
        }
    }
}

extension BytePath {
    /// Whether it can stand in a script and in other programs' files as it is: no blanks, no quotes, nothing that one of them would take for
    /// something.
    package var isPlainInScripts: Bool {
        isAbsolute
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: Array("/._-+:@".utf8).contains(byte)
                }
            }
    }
}
