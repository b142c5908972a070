// A system that starts from a medium and runs in memory: a kernel of this machine's, a small initramfs that finds the medium, and a file system
// with Holdfast, what it calls, and drivers. It is made from the files of this machine, without a network.

internal import Cryptography
internal import Glibc
public import Platform
public import Reporting

public struct LiveSystem {
    /// Where it was made; its files are `vmlinuz`, `initrd` and `live.squashfs` there.
    public let folder: BytePath
    public let kernel: LiveKernel
    /// What this machine does not have, so that the live system cannot do it.
    public let lacks: [String]

    public static let files = ["vmlinuz", "initrd", "live.squashfs"]

    /// Programs that are called to make one, with Debian's packages.
    private static let tools = [
        ("mksquashfs", "squashfs-tools"), ("cpio", "cpio"), ("zstd", "zstd"), ("depmod", "kmod"), ("modinfo", "kmod"),
    ]

    /// What of it this machine lacks.
    public static func missing() -> [MissingPart] {
        let programs = LiveProgram.all.filter(\.isNeeded).map { ($0.name, $0.package) } + tools
        return programs.filter { programPath($0.0) == nil }.map { MissingPart($0.0, package: $0.1) }
    }

    /// One that starts from a medium. Nothing of this machine's configuration, names, keys or users goes along.
    /// - Parameters:
    ///   - folder: an empty folder of the caller's own.
    ///   - id: eight hexadecimal digits, by which the initramfs knows its medium.
    ///   - parts: a folder in which packages were unpacked: kernel and modules come from there.
    ///   - auto: the file that says what it does by itself.
    /// - Throws: `LiveError`; `SystemError`.
    public init(in folder: BytePath, medium id: String, parts: BytePath?, auto: [UInt8]? = nil, stop: Stop) throws {
        try self.init(in: folder, .medium(id, auto: auto), parts: parts, stop: stop)
    }

    /// One that a boot loader takes into memory as a whole (`vmlinuz`, `live`, `initrd`), to repair this machine.
    init(recovering facts: MachineFacts, in folder: BytePath, stop: Stop) throws {
        try self.init(in: folder, .memory(facts), parts: nil, stop: stop)
        // An archive of one file, which the kernel unpacks beside the initramfs.
        try makeFolders(folder.appending("pack/live"), mode: 0o755)
        try renameFile(folder.appending("live.squashfs"), to: folder.appending("pack/live/system"), durably: false)
        let packed = try runOrThrow(
            [
                "cpio", "--quiet", "--null", "--create", "--format=newc", "--owner=0:0", "--reproducible",
                "--directory=\(folder.appending("pack"))",
            ], input: Array("live\0live/system\0".utf8))
        try writeNew(folder.appending("live"), packed.output, mode: 0o644)
        try Descriptor.open(folder, .directory).removeTree(Array("pack".utf8))
    }

    /// Where it comes from when it starts.
    private enum Home {
        case medium(String, auto: [UInt8]?)
        case memory(MachineFacts)
    }

    private init(in folder: BytePath, _ home: Home, parts: BytePath?, stop: Stop) throws {
        self.folder = folder
        // The modes in it are its own, whatever this process has; the folder around it is closed to others.
        let mask = umask(0o022)
        defer { umask(mask) }
        kernel = try LiveKernel(in: parts, running: HostFacts.kernelRelease)
        let libraries = try SharedLibraries()
        let root = folder.appending("root")
        try makeFolders(root, mode: 0o755)
        var tree = try LiveTree(root)
        lacks = Self.lacking()
        try Self.putPrograms(&tree, libraries)
        try Self.putSystem(&tree, libraries)
        switch home {
        case .medium(let id, let auto):
            var menu = LiveScripts.menu(medium: id)
            if let auto {
                try tree.put(String(decoding: auto, as: UTF8.self), at: LiveScripts.auto, mode: 0o600)
                menu += " --auto \(LiveScripts.auto)"
            }
            try tree.put(LiveScripts.console(menu: menu), at: "/usr/lib/holdfast/console", mode: 0o755)
        case .memory(let facts):
            try tree.put(
                LiveScripts.console(menu: LiveScripts.menuOfMachine), at: "/usr/lib/holdfast/console", mode: 0o755)
            try tree.put(RecoveryScripts.machine, at: "/usr/lib/holdfast/machine", mode: 0o755)
            try tree.put(RecoveryScripts.comingBack, at: "/usr/lib/holdfast/return", mode: 0o755)
            try tree.put(facts.text, at: "/usr/lib/holdfast/machine.conf")
        }
        try stop.checkStop()
        try Self.putModules(of: kernel, &tree)
        try stop.checkStop()
        let system = folder.appending("live.squashfs")
        try runOrThrow([
            "mksquashfs", ProgramWord(root), ProgramWord(system), "-quiet", "-no-progress", "-all-root", "-no-xattrs",
            "-comp", "zstd", "-Xcompression-level", "9", "-b", "256K",
        ])
        try Descriptor.open(folder, .directory).removeTree(Array("root".utf8))
        try stop.checkStop()
        let size = try Descriptor.open(system).status().size
        let find =
            if case .medium(let id, _) = home { LiveScripts.finding(medium: id, size: size) } else {
                LiveScripts.foundInMemory
            }
        try makeInitramfs(LiveScripts.early(find, digest: hexadecimal(fileDigest(system).bytes)), libraries)
        try writeNew(folder.appending("vmlinuz"), readWhole(kernel.image, limit: 1 << 28), mode: 0o644)
    }

    // MARK: The system

    private static func putPrograms(_ tree: inout LiveTree, _ libraries: SharedLibraries) throws {
        for program in LiveProgram.all {
            if let path = programPath(program.name) { try tree.putProgram(path, libraries) }
        }
        try putKeyboards(&tree)
        let busybox = try runProgram(["busybox", "--list"])
        for name in busybox.lines
        where !tree.holds(BytePath("/usr/bin/\(name)")) && !tree.holds(BytePath("/usr/sbin/\(name)")) {
            try tree.putLink(BytePath("/usr/bin/\(name)"), to: "busybox")
        }
        for name in ["modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod"] {
            try tree.putLink(BytePath("/usr/sbin/\(name)"), to: "../bin/kmod")
        }
        try tree.putLink("/usr/lib/systemd/systemd-udevd", to: "../../bin/udevadm")
        try tree.putProgram(ProgramFiles.executable, at: "/usr/bin/holdfast", libraries)
        for library in ProgramFiles.libraries where !tree.holds(library) { try tree.put(library) }
        for name in SharedLibraries.loadedLater {
            guard let path = libraries.path(of: name) else { continue }
            try tree.put(path)
            for one in try libraries.needed(by: path) { try tree.put(one) }
        }
    }

    /// What this machine does not have, so that a live system of it cannot do it, in words.
    public static func lacking() -> [String] {
        let programs = LiveProgram.all.filter { programPath($0.name) == nil }.compactMap { program in
            LiveProgram.told[program.name].map { "\($0) (package \(program.package))" }
        }
        return programs
            + (programPath(keyboardMaker) == nil
                ? ["other keyboards than the American one (package console-setup)"] : [])
    }

    private static let keyboardMaker = "ckbcomp"

    /// Keyboards, as `loadkeys` names them and as X does: Debian makes the console's out of those of X.
    private static let keyboards: [(name: String, words: [ProgramWord])] = [
        ("us", ["us"]), ("uk", ["gb"]), ("de", ["de"]), ("jp106", ["-model", "jp106", "jp"]), ("fr", ["fr"]),
        ("it", ["it"]),
        ("es", ["es"]), ("ch", ["ch"]),
    ]

    private static func putKeyboards(_ tree: inout LiveTree) throws {
        guard programPath(keyboardMaker) != nil else { return }
        for (name, words) in keyboards {
            let made = try runOrThrow([ProgramWord(keyboardMaker)] + words)
            try tree.put(
                String(decoding: made.output, as: UTF8.self),
                at: BytePath("/usr/share/keymaps/i386/qwerty/\(name).kmap"))
        }
    }

    /// The rules of udev that find devices; those that put arrays and volume groups together are not among them: nothing is written to a disk
    /// that nobody has chosen.
    private static let rules = [
        "50-udev-default.rules", "60-block.rules", "60-cdrom_id.rules", "60-persistent-storage.rules",
        "60-serial.rules",
        "60-input-id.rules", "60-evdev.rules", "75-net-description.rules", "80-drivers.rules",
        "80-net-setup-link.rules",
    ]
    private static let helpers = ["ata_id", "scsi_id", "cdrom_id", "mtd_probe"]

    private static func putSystem(_ tree: inout LiveTree, _ libraries: SharedLibraries) throws {
        for folder in ["/usr/lib/udev", "/lib/udev"] as [BytePath] {
            for name in rules where exists(folder.appending("rules.d").appending(name)) {
                try tree.put(folder.appending("rules.d").appending(name))
            }
            for name in helpers where exists(folder.appending(name)) {
                try tree.putProgram(folder.appending(name), libraries)
            }
        }
        for file in ["/etc/ssl/certs/ca-certificates.crt", "/etc/mke2fs.conf", "/etc/services", "/etc/protocols"]
            as [BytePath]
        where exists(file) {
            try tree.put(file)
        }
        try tree.put(
            "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n", at: "/etc/passwd")
        let groups = [
            ("root", 0), ("tty", 5), ("disk", 6), ("lp", 7), ("kmem", 15), ("dialout", 20), ("cdrom", 24),
            ("floppy", 25), ("tape", 26),
            ("audio", 29), ("video", 44), ("input", 101), ("kvm", 102), ("render", 103), ("sgx", 104),
        ]
        try tree.put(groups.map { "\($0.0):x:\($0.1):\n" }.joined(), at: "/etc/group")
        try tree.put("passwd: files\ngroup: files\nhosts: files dns\n", at: "/etc/nsswitch.conf")
        try tree.put("127.0.0.1 localhost\n::1 localhost\n", at: "/etc/hosts")
        try tree.putLink("/etc/mtab", to: "/proc/self/mounts")
        try tree.put(LiveScripts.begin, at: "/usr/lib/holdfast/begin", mode: 0o755)
        try tree.put(LiveScripts.addressed, at: "/etc/udhcpc/default.script", mode: 0o755)
    }

    private static func putModules(of kernel: LiveKernel, _ tree: inout LiveTree) throws {
        let home = BytePath("/usr/lib/modules/\(kernel.version)")
        try tree.putFolder(kernel.modules, at: home) { path in
            // What names them all is made anew for those that are there.
            path.contains("/")
                ? LiveKernel.isWanted(path)
                : ["modules.builtin", "modules.builtin.modinfo", "modules.order"].contains(path)
        }
        try runOrThrow(["depmod", "-b", ProgramWord(tree.root.appending("usr")), ProgramWord(kernel.version)])
        try putFirmware(of: kernel, home, &tree)
    }

    /// What those modules load into their devices, as far as it is installed.
    private static func putFirmware(of kernel: LiveKernel, _ home: BytePath, _ tree: inout LiveTree) throws {
        let walk = try TreeWalk(Descriptor.open(tree.root.appending(home.bytes.dropFirst()), .directory))
        var files: [ProgramWord] = []
        while let step = walk.next() {
            guard case .entry(let entry) = step, String(decoding: entry.name, as: UTF8.self).contains(".ko") else {
                continue
            }
            files.append(ProgramWord(tree.root.appending(home.bytes.dropFirst()).appending(entry.path)))
        }
        for start in stride(from: 0, to: files.count, by: 1000) {
            let some = files[start..<min(start + 1000, files.count)]
            for name in Set(try runProgram(["modinfo", "-F", "firmware"] + some).lines) {
                // From the modules: no name leads anywhere else.
                guard !name.split(separator: "/").contains(".."), !name.contains("*") else { continue }
                let file = BytePath("/lib/firmware").appending(name)
                if exists(file) { try tree.put(file) }
            }
        }
    }

    // MARK: The initramfs

    private func makeInitramfs(_ script: String, _ libraries: SharedLibraries) throws {
        let root = folder.appending("early")
        try makeFolders(root, mode: 0o755)
        var tree = try LiveTree(root)
        guard let busybox = programPath("busybox") else {
            throw LiveError.missing([MissingPart("busybox", package: "busybox")])
        }
        try tree.putProgram(busybox, at: "/usr/bin/busybox", libraries)
        let modules = try kernel.earlyModules()
        var names: [String] = []
        for module in modules {
            let name = module.split(separator: "/").last.map(String.init) ?? module
            try tree.put(kernel.modules.appending(module), at: BytePath("/modules.d/\(name)"))
            names.append(name)
        }
        try tree.put(names.map { $0 + "\n" }.joined(), at: "/modules")
        try tree.put(script, at: "/init", mode: 0o755)
        var list: [UInt8] = []
        let walk = try TreeWalk(Descriptor.open(root, .directory))
        while let step = walk.next() {
            switch step {
            case .entry(let entry), .enter(let entry, _): list += entry.path + [0]
            case .leave: break
            case .unreadable(let path, let error): throw SystemError(error.code, "read", printable(path))
            }
        }
        let archive = try runOrThrow(
            [
                "cpio", "--quiet", "--null", "--create", "--format=newc", "--owner=0:0", "--reproducible",
                "--directory=\(root)",
            ], input: list)
        let packed = try runOrThrow(["zstd", "--quiet", "-12", "--stdout"], input: archive.output)
        try writeNew(folder.appending("initrd"), packed.output, mode: 0o644)
        try Descriptor.open(folder, .directory).removeTree(Array("early".utf8))
    }
}
