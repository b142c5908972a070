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
        let notes = try checkBootFiles(loaders, findings)
        try checkFileSystem(findings)
        try readData(progress, findings)
        return notes
    }

    /// Takes a file of the part that starts a machine off the stick.
    private func bootFile(_ name: String, to scratch: ScratchFolder) throws -> BytePath {
        let copy = scratch.path.appending("file")
        try FATFile.run([
            "mcopy", "-o", "-i", "\(target.path)@@\(StickLayout.boot.lowerBound)", "::/\(name)", ProgramWord(copy),
        ])
        return copy
    }

    private func checkBootFiles(_ loaders: StickLoaders?, _ findings: Findings) throws -> [String] {
        let scratch = try ScratchFolder()
        func damaged(_ name: String, _ reason: String) {
            findings.add(Finding(.damaged, subject: name, "\(reason); `holdfast stick update` writes it anew"))
        }
        var digests: [String: String] = [:]
        do {
            let list = try readWhole(bootFile(Self.sums, to: scratch), limit: 1 << 16)
            for line in String(decoding: list, as: UTF8.self).split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2 { digests[String(words[1])] = String(words[0]) }
            }
        } catch let error as StickError { damaged(Self.sums, "\(error)") }
        for name in Self.bootFiles {
            try stop.checkStop()
            do {
                let digest = hexadecimal(try fileDigest(bootFile(name, to: scratch)).bytes)
                if digest != digests[name] { damaged(name, "it is not what was written") }
            } catch let error as StickError { damaged(name, "\(error)") }
        }
        return try loaders.map { try ages($0, digests) } ?? []
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

    private func checkFileSystem(_ findings: Findings) throws {
        let loop = try target.loop(layout.data, isWritten: false)
        let result = try runProgram(["fsck.fat", "-n", ProgramWord(loop.path)])
        if result.status != 0 {
            let words = result.lines.dropFirst().first.map { ": " + printable($0.utf8) } ?? ""
            findings.add(
                Finding(
                    .damaged, subject: Self.dataLabel,
                    "the file system with the images is not in order\(words); `fsck.fat -a` mends it"))
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
