// Asks this machine what is needed to restore it. Each part is asked by itself: one that cannot be is one line more, and never a failure of the
// backup. Files and the kernel's own folders are read, and hardly a program is started: an unchanged backup is to stay quick.

internal import Glibc
internal import Machine
internal import Platform
internal import Reporting

struct NeedsGathering {
    /// What is backed up, as it is restored.
    var sources: [BytePath]
    /// Where `/` is read: a snapshot, or what is below a write filter. Packages and units are those of the tree that the image has.
    var tree: BytePath = "/"
    /// Patterns that leave something out, as they were typed.
    var excludes: [[UInt8]] = []
    /// Holdfast's own, which no image holds.
    var own: [BytePath] = []
    var stop: Stop?

    func gather() -> MachineNeeds {
        var needs = MachineNeeds()
        var failures: [String] = []
        func ask<Part>(_ what: String, _ body: () throws -> Part?) -> Part? {
            do { return try body() } catch {
                let reason = (error as? SystemError)?.reason ?? explained(error).sentence
                failures.append("\(what) could not be asked: \(reason)")
                return nil
            }
        }
        needs.system = ask("the system") { system() }
        // What Holdfast has mounted for itself comes and goes with it.
        let mounts = (ask("mounts") { try Mount.all() } ?? []).filter { !$0.point.isBelow(Places.runtime) }
        needs.disks = ask("disks") { DiskNeeds(mounts).list() }
        if !exists(DiskNeeds.database) {
            failures.append("file systems that are not mounted could not be asked: udev does not run")
        }
        needs.network = ask("the network") { try network() }
        needs.units = ask("units") { try units { failures.append($0) } }
        needs.packages = ask("packages") { try packages() }
        needs.notCovered = gaps(mounts)
        if !failures.isEmpty { needs.notAsked = failures }
        return needs
    }

    // MARK: The system

    private func system() -> MachineNeeds.System {
        var names = utsname()
        uname(&names)
        let machine = withUnsafeBytes(of: names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return MachineNeeds.System(
            distribution: distribution, kernel: HostFacts.kernelRelease, architecture: machine,
            firmware: exists("/sys/firmware/efi") ? "EFI" : ["x86_64", "i686"].contains(machine) ? "BIOS" : nil,
            hardware: HostFacts.hardwareSeries)
    }

    /// os-release(5)
    private var distribution: String? {
        for name in ["etc/os-release", "usr/lib/os-release"] {
            guard let bytes = try? readRegular(tree.appending(name), limit: 1 << 16) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                guard line.hasPrefix("PRETTY_NAME=") else { continue }
                return String(line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" && $0 != "'" }.prefix(200))
            }
        }
        return nil
    }

    // MARK: Units

    /// What the folders of the administrator say; it needs no systemd that runs.
    private func units(_ complain: (String) -> Void) throws -> MachineNeeds.Units? {
        let folder = tree.appending("etc/systemd/system")
        guard exists(folder) else { return nil }
        var result = MachineNeeds.Units()
        var enabled: Set<String> = []
        let open = try Descriptor.open(folder, .directory)
        for name in try DirectoryListing(of: open) {
            let text = printable(name)
            if text.hasSuffix(".wants") || text.hasSuffix(".requires") {
                guard let below = try? Descriptor.open(folder.appending(name), .directory),
                    let names = try? DirectoryListing(of: below)
                else { continue }
                enabled.formUnion(names.map { printable($0) })
            } else if (try? open.readLink(name)) == Array("/dev/null".utf8) {
                result.masked.append(text)
            }
        }
        result.enabled = enabled.sorted()
        if exists("/run/systemd/system") {
            do throws(SystemError) {
                let answer = try runProgram(
                    ["systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--full"],
                    limit: 5,
                    outputLimit: 1 << 20, stop: stop)
                result.failed = answer.lines.compactMap { $0.split(separator: " ").first.map(String.init) }.sorted()
            } catch { complain("units that failed could not be asked: \(error.reason)") }
        }
        return result
    }

    // MARK: What is not covered

    /// Mounts below the sources that are none themselves, what fstab has and is not mounted, what was left out, and swap.
    private func gaps(_ mounts: [Mount]) -> [MachineNeeds.Gap] {
        var gaps: [MachineNeeds.Gap] = []
        if !sources.contains("/") {
            gaps.append(
                MachineNeeds.Gap(what: "/", why: "not among what was backed up: this image brings no machine back"))
        }
        func isMissed(_ path: BytePath) -> Bool {
            !sources.contains(path) && sources.contains { path.isBelow($0) && path != $0 }
        }
        var seen: Set<BytePath> = []
        for mount in mounts where !Self.kernels.contains(mount.type) && isMissed(mount.point) {
            guard seen.insert(mount.point).inserted else { continue }
            gaps.append(
                MachineNeeds.Gap(
                    what: mount.point.description,
                    why: "\(MachineNeeds.Gap.ownMount)\(mount.type) on \(Self.withoutUser(mount.source.description))"))
        }
        let points = Set(mounts.map(\.point))
        let table = (try? readRegular(tree.appending("etc/fstab"), limit: 1 << 20)) ?? []
        for entry in FileSystemTable.entries(in: table) where isMissed(entry.point) && !points.contains(entry.point) {
            gaps.append(
                MachineNeeds.Gap(
                    what: entry.point.description,
                    why: "\(MachineNeeds.Gap.notMounted)\(Self.withoutUser(entry.device.description))"))
        }
        gaps += excludes.map { MachineNeeds.Gap(what: printable($0), why: "excluded") }
        gaps += own.filter { path in sources.contains { path.isBelow($0) } && exists(path) }
            .map { MachineNeeds.Gap(what: $0.description, why: "Holdfast's own") }
        let swaps = (try? readWhole("/proc/swaps", limit: 1 << 16)) ?? []
        for line in String(decoding: swaps, as: UTF8.self).split(separator: "\n").dropFirst() {
            guard let place = line.split(separator: " ").first else { continue }
            gaps.append(MachineNeeds.Gap(what: String(place), why: "swap"))
        }
        if gaps.count > Self.mostGaps {
            let more = gaps.count - Self.mostGaps
            gaps = gaps.prefix(Self.mostGaps) + [MachineNeeds.Gap(what: "… and \(more) more", why: "as those before")]
        }
        return gaps
    }

    private static let mostGaps = 500

    /// File systems that the kernel or a start makes anew: nobody misses what is in them.
    private static let kernels: Set<String> = [
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
        "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs",
        "sysfs", "tmpfs", "tracefs",
    ]

    /// The name of a share without a user, a password and what is asked of a server: whatever stands before the last `@` and behind a `?`.
    static func withoutUser(_ source: String) -> String {
        let isShare = source.contains(":") || source.contains("#") || source.hasPrefix("//") || source.hasPrefix("\\\\")
        if !isShare || source.hasPrefix("/dev/") { return source }
        let place = source.prefix { $0 != "?" }
        guard let at = place.lastIndex(of: "@") else { return String(place) }
        let rest = place[place.index(after: at)...]
        for mark in ["://", "#", "//", "\\\\"] {
            if let end = place[..<at].firstRange(of: mark)?.upperBound { return "\(place[..<end])\(rest)" }
        }
        return String(rest)
    }
}
