// Whether a stick still is what it was made as.

internal import Boot
internal import Cryptography
internal import Glibc
internal import Platform
public import Reporting

extension Stick {
    /// Reads all of it: the files that a machine starts from by their digests, the file system with the images by `fsck.fat`, and each sector of
    /// that. Nothing is written.
    /// - Returns: what is not wrong and can be known, in words.
    /// - Throws: where the check itself could not be made; what it finds goes to `findings`.
    public func check(_ loaders: StickLoaders?, progress: Progress, findings: Findings) throws -> [String] {
        progress.expect(bytes: dataSize, items: 0)
        var notes = try checkBootFiles(loaders, findings)
        if target.device?.isReadOnly == true { notes.append("\(target.path) is write-protected") }
        try checkFileSystem(
            StickLayout.boot, "the file system that it starts from", "`holdfast stick update` makes it anew", findings)
        try checkFileSystem(layout.data, "the file system with the images", "`fsck.fat -a` mends it", findings)
        try readData(progress, findings)
        return notes
    }

    /// Takes a file of the part that starts a machine off the stick.
    /// - Parameter device: that part alone.
    private func bootFile(_ name: String, on device: LoopDevice, to scratch: ScratchFolder) throws -> BytePath {
        let copy = scratch.path.appending("file")
        do {
            try FATFile.run(["mcopy", "-o", "-i", ProgramWord(device.path), "::/\(name)", ProgramWord(copy)])
        } catch let error as StickError {
            // That is the fault of where it was to go.
            if try Descriptor.open(scratch.path, .directory).space().free < 1 << 20 {
                throw SystemError(ENOSPC, "write to", "\(scratch.path)")
            }
            throw error
        }
        return copy
    }

    private func checkBootFiles(_ loaders: StickLoaders?, _ findings: Findings) throws -> [String] {
        let scratch = try ScratchFolder()
        let device = try target.loop(StickLayout.boot, isWritten: false)
        func damaged(_ name: String, _ reason: String) {
            findings.add(
                Finding(.damaged, subject: name, "\(reason); `holdfast stick update \(target.path)` writes it anew"))
        }
        var digests: [String: String] = [:]
        do {
            let list = try readWhole(bootFile(Self.sums, on: device, to: scratch), limit: 1 << 16)
            for line in String(decoding: list, as: UTF8.self).split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2 { digests[String(words[1])] = String(words[0]) }
            }
        } catch let error as StickError { damaged(Self.sums, "\(error)") } catch let error as SystemError {
            guard error.code == EFBIG else { throw error }
            damaged(Self.sums, "it is not what was written")
        }
        for name in Set(bootFiles).union(digests.keys.filter { $0.hasPrefix("EFI/") || $0 == Self.autoName }).sorted() {
            try stop.checkStop()
            do {
                let copy = try bootFile(name, on: device, to: scratch)
                let digest = hexadecimal(try fileDigest(copy).bytes)
                if digest != digests[name] { damaged(name, "it is not what was written") }
                if let place = [Self.codeName: UInt64(0), Self.coreName: 512][name] {
                    let wanted = try readWhole(copy, limit: 1 << 20)
                    var found = [UInt8](repeating: 0, count: wanted.count)
                    try found.withUnsafeMutableBytes { try target.read(into: $0, at: place) }
                    if found != wanted { damaged("what a BIOS starts", "it is not what was written") }
                }
            } catch let error as StickError { damaged(name, "\(error)") }
        }
        let auto = digests[Self.autoName] == nil ? [] : ["it is for series production: it restores by itself (--auto)"]
        return try auto + (loaders.map { try ages($0, digests) } ?? [])
    }

    /// What the stick does by itself; nil where it does nothing.
    /// - Throws: where that cannot be told.
    public func auto() throws -> [UInt8]? {
        let scratch = try ScratchFolder()
        let device = try target.loop(StickLayout.boot, isWritten: false)
        let list = try FATFile.run(["mdir", "-i", ProgramWord(device.path), "-b", "::/holdfast"])
        let names = String(decoding: list, as: UTF8.self).split(separator: "\n")
        guard names.contains(where: { $0.lowercased().hasSuffix("/auto.toml") }) else { return nil }
        return try readWhole(bootFile(Self.autoName, on: device, to: scratch), limit: 1 << 16)
    }

    /// Which loaders this machine has in another state than the stick: firmware stops starting old ones at times.
    private func ages(_ loaders: StickLoaders, _ digests: [String: String]) throws -> [String] {
        let pairs = [("EFI/BOOT/BOOTX64.EFI", loaders.shim), ("EFI/BOOT/grubx64.efi", loaders.grub)]
        let others = try pairs.filter { try digests[$0.0] != hexadecimal(fileDigest($0.1).bytes) }
        return others.isEmpty
            ? []
            : [
                "this machine has other loaders for UEFI than the stick; where these are newer, `holdfast stick update` takes them"
            ]
    }

    private func checkFileSystem(_ range: Range<UInt64>, _ what: String, _ mend: String, _ findings: Findings) throws {
        let loop = try target.loop(range, isWritten: false)
        let result = try withExtendedLifetime(loop) { try runProgram(["fsck.fat", "-n", ProgramWord(loop.path)]) }
        if result.status != 0 {
            let words = result.lines.dropFirst().first.map { ": " + printable($0.utf8) } ?? ""
            findings.add(Finding(.damaged, subject: "\(target.path)", "\(what) is not in order\(words); \(mend)"))
        }
    }

    private func readData(_ progress: Progress, _ findings: Findings) throws {
        try target.forgetCached()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var place = layout.data.lowerBound
        var bad: Range<UInt64>?
        func tell() {
            guard let range = bad else { return }
            findings.add(
                Finding(
                    .damaged, subject: "\(target.path)",
                    "\(range.upperBound - range.lowerBound) bytes from \(range.lowerBound) on cannot be read"))
            bad = nil
        }
        while place < layout.data.upperBound {
            try stop.checkStop()
            let count = min(UInt64(buffer.count), layout.data.upperBound - place)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])  // safe: at most the buffer
            do throws(SystemError) {
                try target.read(into: part, at: place)
                tell()
            } catch {
                // One that was taken away has no bad sectors.
                guard error.code == EIO else { throw error }
                bad = (bad?.lowerBound ?? place)..<place + count
            }
            progress.add(bytes: count)
            place += count
        }
        tell()
    }
}
