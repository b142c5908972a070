// What is changed on a restored disk before it gets its table: it grows into what it has more, starts from where it is now, and is another
// machine where that was wanted. A cut here is as one before: the next restore writes again what was changed.

internal import Glibc
internal import Platform
internal import Reporting

extension DiskRestoration {
    func change(_ plan: DiskRestorePlan, _ report: inout Report) throws {
        // What a restore has lost is not to be made worse.
        let unmounted = Set(report.notMounted.map(\.stream))
        func volume(_ stream: String?) -> DiskDescription.Volume? {
            plan.description.volumes.first {
                $0.stream == stream && ($0.way == .blocks || $0.way == .tree) && !unmounted.contains($0.stream)
            }
        }
        if let resized = plan.resized, let volume = volume(resized.stream) {
            if volume.way == .blocks {
                grow(volume, to: resized.size, plan, &report)
            } else {
                report.changes.append("\(volume.stream) has \(resized.size) bytes, where it had \(volume.size)")
            }
        }
        if !isExact || identity != .same, let partition = volume(plan.description.firmwareVolume?.stream) {
            changing(partition, plan, "whether a firmware finds its loader", &report) { root in
                if !isExact { addFallbackLoader(&root) }
                // systemd-boot hands it to the kernel.
                if identity != .same { root.remove("loader/random-seed", "random seed") }
            }
        }
        guard let system = plan.description.system else { return }
        guard let place = volume(system.volume) else {
            if identity != .same {
                findings.add(
                    Finding(
                        .notRestored, path.appending(system.volume),
                        "it is the machine that it was: nothing could be changed in it. Before it is on the network remove /etc/machine-id and /etc/ssh/ssh_host_* by hand, and change /etc/hostname"
                    ))
            }
            return
        }
        let identifiers = Dictionary(
            plan.description.volumes.compactMap { volume in
                // It becomes a word of fstab.
                volume.partition.flatMap { number in
                    volume.contentID.flatMap { isPlainName($0) ? (number, $0) : nil }
                }
            }, uniquingKeysWith: { first, _ in first })
        if isExact, identity == .same { return }
        changing(place, in: system.folder, within: system.inner, plan, "the system on it", &report) { root in
            if !isExact { nameByIdentifier(&root, identifiers) }
            if let name = rootByName(in: root) {
                findings.add(
                    Finding(
                        .note, path.appending(place.stream),
                        "its loader finds / by the name \(name), which the disk may not have here: mend boot/grub/grub.cfg, or /etc/default/grub and update-grub"
                    ))
            }
            if case .new(let hostName) = identity { giveNewIdentity(&root, hostName: hostName) }
        }
    }

    private func grow(
        _ volume: DiskDescription.Volume, to size: UInt64, _ plan: DiskRestorePlan, _ report: inout Report
    ) {
        // safe: the plan has put it within the disk
        let range = volume.start..<volume.start + size
        let content = volume.content ?? ""
        do {
            let hasGrown: Bool
            do {
                hasGrown = try plan.target.mount(range, type: content, isWritten: true).grow()
            } catch let error as SystemError where error.code == EPERM && content.hasPrefix("ext") {
                // The kernel wants a right that root has not everywhere; the file system's own program works on what nobody has mounted.
                try growByProgram(plan.target.loop(range))
                hasGrown = true
            }
            if hasGrown { report.changes.append("\(volume.stream) has grown to all of the disk") }
        } catch {
            findings.add(
                Finding(
                    .note, path.appending(volume.stream),
                    "it has not grown, and is as large as it was: \(explained(error).sentence)"))
        }
    }

    private func growByProgram(_ device: LoopDevice) throws(SystemError) {
        defer { withExtendedLifetime(device) {} }
        for words: [ProgramWord] in [["e2fsck", "-f", "-p"], ["resize2fs"]] {
            let result = try runProgram(words + [ProgramWord(device.path)], limit: 6 * 3600)
            // Of e2fsck 1 is "mended".
            guard result.status == 0 || result.status == 1 && words.count == 3 else {
                throw SystemError(EIO, "grow", "the file system", detail: result.complaint)
            }
        }
    }

    /// Mounts a volume for writing, and has something done in it.
    private func changing(
        _ volume: DiskDescription.Volume, in folder: String? = nil, within inner: SystemOnDisk.Inner? = nil,
        _ plan: DiskRestorePlan, _ what: String,
        _ report: inout Report, _ body: (inout SystemRoot) -> Void
    ) {
        do {
            let place = try mount(volume, in: folder, within: inner, plan)
            var root = SystemRoot(place.folder)
            body(&root)
            report.changes += root.done
            for sentence in root.failed {
                findings.add(Finding(.notRestored, path.appending(volume.stream), sentence))
            }
        } catch {
            // Somebody relies on being another machine.
            let kind: Finding.Kind = identity == .same ? .note : .notRestored
            findings.add(
                Finding(
                    kind, path.appending(volume.stream),
                    "\(what) could not be looked at, and is as it was: \(explained(error).sentence)"))
        }
    }

    /// Mounts a volume for writing: a folder of it, and what is gone with the last who uses it.
    func mount(
        _ volume: DiskDescription.Volume, in folder: String?, within inner: SystemOnDisk.Inner?, _ plan: DiskRestorePlan
    ) throws -> (folder: Descriptor, mount: VolumeMount) {
        // safe: the plan has put it within the disk
        var range = volume.start..<volume.start + plan.size(of: volume)
        if let inner {
            let start = volume.start.adding(saturating: inner.offset)
            range = (start..<start.adding(saturating: inner.size)).clamped(to: range)
        }
        let mount = try plan.target.mount(range, type: inner?.type ?? volume.content ?? "", isWritten: true)
        guard let place = SystemOnDisk.root(of: mount.folder, folder ?? "") else {
            throw DiskFormatError("\(printable((folder ?? "").utf8)) is not there")
        }
        return (place, mount)
    }

    /// Has a UEFI firmware start from the disk, where this machine has one and the entry is not there: failure costs nothing, as there is a
    /// loader where all firmware looks.
    func tellFirmware(_ plan: DiskRestorePlan, _ report: inout Report) {
        guard let device = plan.target.device, let partition = plan.description.firmwareVolume?.partition,
            let entry = plan.description.table?.partitions.first(where: { $0.number == partition }),
            exists("/sys/firmware/efi/efivars")
        else { return }
        do throws(SystemError) {
            let list = try runProgram(["efibootmgr", "-v"], limit: 60)
            guard list.status == 0 else { throw SystemError(EIO, "ask", "the firmware", detail: list.complaint) }
            let known = String(decoding: list.output, as: UTF8.self).lowercased()
            if let id = entry.id?.lowercased(), known.contains(id) { return }
            let word = plan.description.system?.name?.split(separator: " ").first.map(String.init)
            let name = word.flatMap { isPlainName($0) ? $0 : nil } ?? "Holdfast"
            let result = try runProgram(
                [
                    "efibootmgr", "--create", "--disk", ProgramWord(device.path), "--part", ProgramWord("\(partition)"),
                    "--label", ProgramWord("\(name) (restored)"), "--loader", "\\EFI\\BOOT\\BOOTX64.EFI",
                ], limit: 60)
            guard result.status == 0 else { throw SystemError(EIO, "tell", "the firmware", detail: result.complaint) }
            report.changes.append("firmware: an entry for the disk was made")
        } catch {
            findings.add(
                Finding(
                    .note, path,
                    "the firmware could not be told of it, and will find it by itself, or by its own menu: \(error.reason)"
                ))
        }
    }
}
