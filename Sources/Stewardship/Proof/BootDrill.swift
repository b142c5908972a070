// A start in a virtual machine: what was restored of a / is put onto a disk of its own, started with the kernel and the initramfs that it brings, and
// asked how it is. The copy alone is changed: a unit of systemd asks, and no file system is waited for that is not there.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

struct BootDrill {
    /// The folder that is gone afterwards; the tree is in it.
    let scratch: ScratchFolder
    let tree: (path: BytePath, folder: Descriptor)
    /// Asked of a shell of the machine once it is up.
    let health: String
    /// Seconds within which it has to answer.
    let limit: Int
    /// Bytes of the files in the tree.
    let content: UInt64

    enum Answer: Equatable {
        case answers
        /// It is up, and what it says is not what was wanted.
        case isUnwell(String)
        case neverStarts(String)
    }

    static let standardHealth = "systemctl is-active --quiet multi-user.target"
    static let standardLimit = 600
    private static let programs = ["qemu-system-x86_64", "mkfs.ext4"]
    /// MiB.
    private static let memory = "1024"
    private static let leastMemory: UInt64 = 1280 << 20

    /// Refuses what cannot be started here, before anything is restored.
    static func check(_ sources: [BytePath]) throws {
        guard sources.contains("/") else { throw DrillError.cannotStart(reason: "the image is not of /") }
        guard HostFacts.isRoot else {
            throw DrillError.cannotStart(reason: "only root restores owners as a start wants them")
        }
        for program in programs where programPath(program) == nil {
            throw DrillError.cannotStart(reason: "there is no program \(program)")
        }
        if let limit = HostFacts.memoryLimit, limit < leastMemory {
            throw DrillError.cannotStart(
                reason:
                    "what runs here may have \(limit >> 20) MiB of memory, and the virtual machine alone wants \(memory) MiB: `memory = \"3GiB\"` in [schedule], then `holdfast schedule enable`"
            )
        }
    }

    /// Changes the tree, and starts it.
    func run(_ stop: Stop) throws -> Answer {
        let mark = hexadecimal(try SecureRandom.bytes(8))
        do { try takeKernel() } catch let error as SystemError {
            return .neverStarts("it has no kernel with an initramfs in /boot: \(error.reason)")
        }
        do { try addQuestion(mark) } catch let error as SystemError {
            return .neverStarts("it has no place for a unit of systemd: \(error.reason)")
        }
        try makeDisk(stop)
        for name in ["console", "answers"] { try make(name, []) }
        let status: Int32
        do throws(SystemError) {
            status = try runProgram(command(), limit: limit, outputLimit: 1 << 20, stop: stop).status
        } catch {
            try stop.checkStop()
            guard error.code == ETIMEDOUT else { throw error }
            status = -1
        }
        return try answer(mark, status)
    }

    // MARK: What is started

    /// The newest kernel that has an initramfs, copied to beside the tree.
    private func takeKernel() throws {
        let boot = try tree.folder.openBeneath(Array("boot".utf8), .directory)
        let names = try DirectoryListing(of: boot)
        let prefix = Array("vmlinuz-".utf8)
        let versions = names.filter { $0.starts(with: prefix) }.map { Array($0.dropFirst(prefix.count)) }
        let found = versions.compactMap { version -> (kernel: [UInt8], initramfs: [UInt8])? in
            let initramfs = Array("initrd.img-".utf8) + version
            return names.contains(initramfs) ? (prefix + version, initramfs) : nil
        }
        guard let newest = found.last else { throw SystemError(ENOENT, "find", "a kernel") }
        for (name, copy) in [(newest.kernel, "kernel"), (newest.initramfs, "initramfs")] {
            try make(copy, read(name, in: boot))
        }
    }

    private func make(_ name: String, _ bytes: [UInt8]) throws {
        try scratch.folder.open(Array(name.utf8), [.write, .create, .exclusive]).write(bytes)
    }

    private func addQuestion(_ mark: String) throws {
        try replace("fstab", in: "etc", "# emptied for a drill\n")
        try replace(
            "drill.sh", in: "etc",
            """
            exec >/dev/ttyS1 2>&1
            echo "\(mark) begins"
            ( \(health)
            )
            echo "\(mark) ended $?"
            sync
            systemctl poweroff --force --force

            """)
        let unit = """
            [Unit]
            Description=Drill of Holdfast
            After=multi-user.target
            [Service]
            Type=oneshot
            TimeoutStartSec=infinity
            ExecStart=/bin/sh /etc/drill.sh

            """
        // In the folder of the target itself no link is needed.
        try replace("holdfast-drill.service", in: "etc/systemd/system", unit)
        let wants = try tree.folder.makeFolders(Array("etc/systemd/system/multi-user.target.wants".utf8))
        try wants.makeSymbolicLink(
            Array("holdfast-drill.service".utf8), target: Array("../holdfast-drill.service".utf8))
    }

    private func replace(_ name: String, in folder: String, _ text: String) throws {
        let opened = try tree.folder.makeFolders(Array(folder.utf8))
        do throws(SystemError) { try opened.remove(Array(name.utf8)) } catch { if !error.isAbsent { throw error } }
        try opened.open(Array(name.utf8), [.write, .create, .exclusive], mode: 0o644).write(Array(text.utf8))
    }

    private func makeDisk(_ stop: Stop) throws {
        let disk = scratch.path.appending("disk")
        let size = content.adding(saturating: content / 2).adding(saturating: 1 << 30)
        let file = try scratch.folder.open(Array("disk".utf8), [.write, .create, .exclusive])
        try file.truncate(to: Int64(clamping: size))
        let made = try runProgram(
            ["mkfs.ext4", "-q", "-F", "-d", ProgramWord(tree.path), ProgramWord(disk)], stop: stop)
        guard made.status == 0 else { throw DrillError.cannotStart(reason: "mkfs.ext4: \(made.complaint)") }
    }

    private func command() -> [ProgramWord] {
        func at(_ name: String, _ before: String = "") -> ProgramWord {
            // To QEMU a comma ends a value, and two are one.
            ProgramWord(
                bytes: Array(before.utf8)
                    + scratch.path.appending(name).bytes.flatMap { $0 == UInt8(ascii: ",") ? [$0, $0] : [$0] })
        }
        func plain(_ name: String) -> ProgramWord { ProgramWord(scratch.path.appending(name)) }
        // One machine in another hangs on some: there it is emulated, and takes its time.
        let accelerator: [ProgramWord] =
            Self.isVirtual
            ? ["-accel", "tcg,thread=multi", "-cpu", "max"] : ["-accel", "kvm", "-accel", "tcg,thread=multi"]
        return ["qemu-system-x86_64"] + accelerator + [
            "-m", ProgramWord(Self.memory), "-nodefaults", "-display", "none", "-sandbox", "on", "-no-reboot", "-nic",
            "none", "-drive",
            at("disk", "if=none,id=d,format=raw,cache=unsafe,file="), "-device", "virtio-blk-pci,drive=d",
            "-serial", at("console", "file:"), "-serial", at("answers", "file:"), "-kernel", plain("kernel"), "-initrd",
            plain("initramfs"), "-append", "root=/dev/vda rw console=ttyS0 panic=-1",
        ]
    }

    /// The bytes of a file that has the name itself; an initramfs has some hundred million at most.
    private func read(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> [UInt8] {
        let file = try folder.open(name, .nonBlocking)
        guard try file.status().kind == .file else {
            throw SystemError(EINVAL, "read", printable(name), detail: "it is no file")
        }
        return try readWhole(file, limit: 1 << 29, named: printable(name))
    }

    /// Whether this machine is a virtual one itself.
    private static var isVirtual: Bool {
        // Where it cannot be told, the way is taken that is right anywhere.
        guard let bytes = try? readWhole("/proc/cpuinfo", limit: 1 << 22) else { return true }
        let flags = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("flags") }
        return flags.map { $0.split(separator: " ").contains("hypervisor") } ?? true
    }

    // MARK: What it says

    private func answer(_ mark: String, _ status: Int32) throws -> Answer {
        let answers = try lines("answers")
        if let place = answers.lastIndex(where: { $0.hasPrefix("\(mark) ended ") }) {
            let end = answers[place]
            let said = answers[..<place].filter { !$0.hasPrefix(mark) }.suffix(3).joined(separator: "; ")
            return end == "\(mark) ended 0"
                ? .answers
                : .isUnwell(
                    "its health command ended with \(end.split(separator: " ").last ?? "")"
                        + (said.isEmpty ? "" : ": \(said)"))
        }
        let time = status == -1 ? " within \(limit) s" : ""
        if answers.contains("\(mark) begins") { return .isUnwell("its health command did not answer\(time)") }
        let console = try lines("console")
        let last = console.last { $0.contains("Kernel panic") } ?? console.last ?? "it has said nothing"
        return .neverStarts("it did not come up\(time); its last words: \(last)")
    }

    private func lines(_ name: String) throws -> [String] {
        let bytes = try read(Array(name.utf8), in: scratch.folder)
        return bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }).map { printable($0.prefix(300)) }
    }
}
