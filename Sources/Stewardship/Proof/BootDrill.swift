// A start of a tree in a virtual machine: what was restored of a / is put onto a disk of its own, started with the kernel and the initramfs that it
// brings, and asked how it is. The copy alone is changed: a unit of systemd asks, and no file system is waited for that is not there.

internal import Glibc
internal import Platform
internal import Reporting

struct BootDrill {
    let machine: StartedMachine
    /// It lies in the machine's folder.
    let tree: (path: BytePath, folder: Descriptor)
    /// Bytes of the files in the tree.
    let content: UInt64

    private var scratch: ScratchFolder { machine.scratch }

    /// Refuses what cannot be started here, before anything is restored.
    static func check(_ sources: [BytePath]) throws {
        guard sources.contains("/") else { throw DrillError.cannotStart(reason: "the image is not of /") }
        try StartedMachine.check(programs: ["mkfs.ext4"])
    }

    /// Changes the tree, and starts it.
    func run(_ stop: Stop) throws -> StartedMachine.Answer {
        do { try takeKernel() } catch let error as SystemError {
            return .neverStarts("it has no kernel with an initramfs in /boot: \(error.reason)")
        }
        do throws(SystemError) {
            try machine.replace("fstab", in: "etc", of: tree.folder, "# emptied for a drill\n")
            try machine.addQuestion(to: tree.folder)
        } catch {
            return .neverStarts("it has no place for a unit of systemd: \(error.reason)")
        }
        try makeDisk(stop)
        let end = try machine.run(devices, stop)
        return try machine.answer(end) ?? .neverStarts(machine.silence(end))
    }

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
            try machine.make(copy, read(name, in: boot))
        }
    }

    /// The bytes of a file that has the name itself; an initramfs has some hundred million at most.
    private func read(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> [UInt8] {
        let file = try folder.open(name, .nonBlocking)
        guard try file.status().kind == .file else {
            throw SystemError(EINVAL, "read", printable(name), detail: "it is no file")
        }
        return try readWhole(file, limit: 1 << 29, named: printable(name))
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

    private var devices: [ProgramWord] {
        [
            "-drive", machine.word("disk", after: "if=none,id=d,format=raw,cache=unsafe,file="), "-device",
            "virtio-blk-pci,drive=d", "-kernel", ProgramWord(scratch.path.appending("kernel")), "-initrd",
            ProgramWord(scratch.path.appending("initramfs")), "-append",
            "root=/dev/vda rw console=ttyS0 panic=-1",
        ]
    }
}
