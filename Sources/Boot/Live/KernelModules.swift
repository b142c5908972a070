// A kernel of this machine with its modules: all that a live system may need, and the few that find its medium.

public import Platform

public struct LiveKernel: Sendable {
    public let version: String
    /// The kernel itself, which Debian has signed.
    public let image: BytePath
    /// Its modules: a folder with modules.dep and the others.
    let modules: BytePath

    /// The running kernel where it is among the installed ones, else the newest.
    /// - Parameter parts: a folder in which packages were unpacked; nil: this machine's own.
    /// - Throws: `LiveError.noKernel`
    public init(in parts: BytePath?, running: String) throws {
        let root = parts ?? "/"
        let boot = root.appending("boot")
        guard exists(boot) else { throw LiveError.noKernel(in: boot) }
        var found: [(version: String, modules: BytePath)] = []
        let names = try DirectoryListing(of: Descriptor.open(boot, .directory))
        for index in 0..<names.count {
            let name = String(decoding: names[index], as: UTF8.self)
            guard name.hasPrefix("vmlinuz-") else { continue }
            let version = String(name.dropFirst("vmlinuz-".count))
            // It goes into a boot menu.
            guard BytePath("/\(version)").isPlainInScripts else { continue }
            let modules = ["usr/lib/modules", "lib/modules"].map { root.appending($0).appending(version) }
            if let folder = modules.first(where: { exists($0.appending("modules.builtin")) }) {
                found.append((version, folder))
            }
        }
        let newest = found.max { VersionText($0.version) < VersionText($1.version) }
        guard let chosen = parts == nil ? found.first(where: { $0.version == running }) ?? newest : newest else {
            throw LiveError.noKernel(in: boot)
        }
        version = chosen.version
        image = boot.appending("vmlinuz-\(version)")
        modules = chosen.modules
    }

    /// What a live system does not need: sound, pictures, radio, other people's networks.
    private static let leftOut = [
        "sound/", "drivers/gpu/", "drivers/media/", "drivers/net/wireless/", "drivers/bluetooth/",
        "drivers/infiniband/",
        "drivers/staging/", "drivers/iio/", "drivers/isdn/", "drivers/net/can/", "drivers/accel/", "drivers/comedi/",
        "drivers/video/fbdev/", "drivers/nfc/", "drivers/net/ieee802154/", "drivers/net/hamradio/", "drivers/gnss/",
        "drivers/hwmon/", "drivers/isdn/", "drivers/leds/", "drivers/greybus/", "drivers/platform/chrome/",
        "net/bluetooth/", "net/wireless/", "net/mac80211/", "net/can/", "net/nfc/", "net/ieee802154/", "net/mac802154/",
        "net/batman-adv/", "net/sctp/", "net/tipc/", "net/rds/", "net/dccp/", "net/openvswitch/", "net/sched/",
        "net/netfilter/",
        "net/ipv4/netfilter/", "net/ipv6/netfilter/", "net/bridge/", "net/rxrpc/", "net/ceph/", "net/smc/",
        "net/appletalk/",
        "fs/ocfs2/", "fs/gfs2/", "fs/ceph/", "fs/afs/", "fs/dlm/", "fs/coda/", "fs/orangefs/", "fs/smbfs/", "fs/nfsd/",
        "arch/x86/kvm/", "virt/", "samples/", "lib/test_", "drivers/net/wireguard/", "drivers/net/wwan/",
        "drivers/atm/",
    ]

    /// Whether a module, by its path below the kernel's folder, goes onto a live system.
    static func isWanted(_ path: String) -> Bool {
        guard path.hasPrefix("kernel/") else { return true }
        let name = path.dropFirst("kernel/".count)
        return !leftOut.contains { name.hasPrefix($0) }
    }

    /// What finds the medium, whatever it is plugged into, and mounts what is on it.
    private static let early = [
        "usb-storage", "uas", "xhci-pci", "xhci-hcd", "ehci-pci", "ehci-hcd", "ohci-pci", "uhci-hcd", "sd_mod",
        "sr_mod", "ahci",
        "ata_piix", "nvme", "virtio_pci", "virtio_blk", "virtio_scsi", "sdhci-pci", "sdhci-acpi", "mmc_block",
        "rtsx_pci_sdmmc",
        "rtsx_usb_sdmmc", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8", "squashfs", "overlay", "loop",
        "usbhid",
        "hid-generic", "atkbd", "i8042",
    ]

    /// The modules for the start, each after those that it needs, by their paths below the modules' folder.
    func earlyModules() throws -> [String] {
        let text = String(decoding: try readWhole(modules.appending("modules.dep"), limit: 1 << 24), as: UTF8.self)
        var needs: [String: [String]] = [:]
        var paths: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let path = parts.first.map(String.init) else { continue }
            needs[path] = parts.count > 1 ? parts[1].split(separator: " ").map(String.init) : []
            paths[Self.name(of: path)] = path
        }
        var order: [String] = []
        // What is built into the kernel has no line. A line names all that its module needs, the nearest first.
        for path in Self.early.compactMap({ paths[$0.replacing("-", with: "_")] }) {
            for one in (needs[path] ?? []).reversed() + [path] where !order.contains(one) { order.append(one) }
        }
        return order
    }

    /// `usb_storage`, of `kernel/drivers/usb/storage/usb-storage.ko.xz`.
    private static func name(of path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return String(file.prefix { $0 != "." }).replacing("-", with: "_")
    }
}

/// A version with its numbers in their order: 6.1.0-9 is before 6.1.0-10.
private struct VersionText: Comparable {
    private let pieces: [(number: UInt64, text: String)]

    init(_ text: String) {
        var pieces: [(number: UInt64, text: String)] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            let words = rest.prefix { !$0.isASCII || !$0.isNumber }
            rest = rest.dropFirst(words.count)
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            // One with more digits than that is no kernel's.
            pieces.append((UInt64(digits) ?? .max, String(words)))
        }
        self.pieces = pieces
    }

    static func == (one: VersionText, other: VersionText) -> Bool { !(one < other) && !(other < one) }

    static func < (one: VersionText, other: VersionText) -> Bool {
        for (mine, its) in zip(one.pieces, other.pieces) {
            if mine.text != its.text { return mine.text < its.text }
            if mine.number != its.number { return mine.number < its.number }
        }
        return one.pieces.count < other.pieces.count
    }
}
