// What drives answer that no machine at hand has: nothing but an erase that ended well, and left nothing of what was written before, is one.

import Platform
import Reporting
import Sanitization
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "devices are root's"))
struct FirmwareTests {
    enum End: Sendable, Equatable {
        case achieved(WipeLevel)
        /// A report that says why not.
        case failed(String)
        /// A report with markers that are still there.
        case kept
        /// Nothing was begun.
        case refused(String)
        case thrown(String)
    }

    struct Case: Sendable, CustomStringConvertible {
        var file: String
        var technique: FirmwareTechnique?
        var end: End
        var description: String { file }

        init(_ file: String, _ end: End, _ technique: FirmwareTechnique? = nil) {
            self.file = file
            self.technique = technique
            self.end = end
        }
    }

    private func wipe(_ loop: LoopDevice, _ drive: ReplayedDrive, _ technique: FirmwareTechnique?) throws -> Wipe {
        var request = WipeRequest()
        request.level = technique == nil ? .purge : .clear
        request.technique = technique.map { .firmware($0) }
        return try Wipe(loop.path, request, state: loop.state, replay: (drive.kind, drive))
    }

    private func replay(_ file: String, _ loop: LoopDevice) throws -> ReplayedDrive {
        let backing = loop.file
        return try ReplayedDrive(file) {
            shell("dd if=/dev/zero of=\(backing) bs=1M count=20 conv=notrunc status=none; sync")
        }
    }

    private func end(_ file: String, _ technique: FirmwareTechnique?, _ loop: LoopDevice, _ drive: ReplayedDrive) -> End
    {
        let wipe: Wipe
        do { wipe = try self.wipe(loop, drive, technique) } catch let error as WipeError {
            return .refused(error.description)
        } catch { return .thrown("\(error)") }
        do {
            let report = try wipe.run(Progress())
            if let level = report.achieved { return .achieved(level) }
            return report.failure.map { .failed($0) } ?? .kept
        } catch { return .thrown("\(error)") }
    }

    static let cases = [
        Case("sata-sanitize", .achieved(.purge)),
        Case("sata-lying", .kept),
        Case("sata-rejected", .failed("SANITIZE DEVICE was rejected (sense key 11)")),
        Case("sata-rejected-fixed", .failed("SANITIZE DEVICE: the drive does not say what came of it")),
        Case("sata-swallowed", .refused("does not tell how a sanitize goes")),
        Case("sata-forgets", .failed("the drive knows nothing of an erase that it was asked for")),
        Case("sata-sanitize-frozen", .refused("its sanitize commands are frozen")),
        Case("sata-no-translation", .refused("does not let ATA commands through")),
        Case("sata-no-identify", .refused("IDENTIFY DEVICE was rejected (sense key 5)")),
        Case("sata-enhanced", .achieved(.purge)),
        Case("sata-frozen", .refused("it is frozen; suspend the machine")),
        Case("sata-locked", .refused("it is locked with a password")),
        Case("sata-flash-erase", .refused("its firmware offers security-erase-enhanced (clear)")),
        Case("sata-flash-erase", .achieved(.clear), .securityEraseEnhanced),
        Case("sata-erase-rejected", .failed("SECURITY ERASE UNIT was rejected")),
        Case("sata-password-ignored", .failed("it did not take the password")),
        Case("sata-erase-none", .failed("the password outlived the erase")),
        Case("sata-password-left", .thrown("the password that was set could not be taken away")),
        Case("sata-gone", .thrown("whether the password that was set is still there cannot be told")),
        Case("sata-short-sense", .failed("SANITIZE DEVICE: the drive does not say what came of it")),
        Case("emmc-small", .refused("a card of 2 GiB or less")),
        Case("nvme-sanitize", .achieved(.purge)),
        Case("nvme-lying", .kept),
        Case("nvme-failed", .failed("the drive says that its sanitize failed")),
        Case("nvme-stuck", .thrown("no progress for an hour or more; it is NOT erased")),
        Case("nvme-rejected", .failed("Sanitize was rejected (status 0x1)")),
        Case("nvme-neighbours", .refused("it would reach 1 other namespace of the drive")),
        Case("nvme-neighbours", .refused("it would reach 1 other namespace of the drive"), .format),
        Case("nvme-detached", .refused("it would reach 1 other namespace of the drive")),
        Case("nvme-format", .refused("its firmware offers format (clear)")),
        Case("nvme-format", .achieved(.clear), .format),
        Case("nvme-format-lying", .kept, .format),
        Case("nvme-format-rejected", .failed("Format NVM was rejected (status 0x10a)"), .format),
        Case("nvme-format-keeps", .achieved(.clear), .formatCrypto),
        Case("nvme-format", .refused("its firmware offers format (clear)"), .formatCrypto),
        Case("emmc-sanitize", .achieved(.purge)),
        Case("emmc-none", .refused("its firmware offers no erase")),
        Case("emmc-switch-error", .failed("SANITIZE was rejected (status 0x980)")),
        Case("emmc-erase-rejected", .failed("ERASE was rejected")),
    ]

    @Test("Nothing that a drive says is believed but an erase that can be seen", arguments: cases)
    func ends(_ which: Case) throws {
        let loop = try LoopDevice(20 << 20)
        let before = shell("sha256sum < \(loop.file)")
        let drive = try replay(which.file, loop)
        let came = end(which.file, which.technique, loop, drive)
        switch (came, which.end) {
        case (.failed(let text), .failed(let wanted)), (.refused(let text), .refused(let wanted)),
            (.thrown(let text), .thrown(let wanted)):
            #expect(text.contains(wanted))
        default: #expect(came == which.end)
        }
        if case .refused = came {
            shell("sync \(loop.file)")
            #expect(shell("sha256sum < \(loop.file)") == before, "what is refused has not begun")
        }
        // A password that was taken is gone with the erase, or was taken away, or that it was not is an error.
        if drive.hasSent(ata: 0xf1), came != .achieved(.purge), came != .achieved(.clear),
            !["sata-password-ignored", "sata-gone"].contains(which.file)
        {
            #expect(drive.hasSent(ata: 0xf6))
        }
    }

    @Test("A password that was left is taken away by the same command, which then erases")
    func passwordLeft() throws {
        let loop = try LoopDevice(20 << 20)
        let first = end("", nil, loop, try replay("sata-password-left", loop))
        #expect(first != .achieved(.purge))
        // No other way is taken, and the record with the password is not given up, until then.
        for technique in [nil, FirmwareTechnique.securityErase] {
            var request = WipeRequest()
            request.isRestart = true
            request.technique = technique.map { .firmware($0) }
            let drive = try replay("sata-flash-erase", loop)
            let error = #expect(throws: WipeError.self) {
                try Wipe(loop.path, request, state: loop.state, replay: (drive.kind, drive)).run(Progress())
            }
            #expect(error?.mend?.contains("--technique security-erase-enhanced") == true)
        }
        let drive = try replay("sata-password-found", loop)
        #expect(end("", nil, loop, drive) == .achieved(.purge))
        #expect(drive.hasSent(ata: 0xf2) && drive.hasSent(ata: 0xf6))
        #expect(shell("ls \(loop.state)/journal") == "")
    }

    @Test("A security erase whose password a power cut would lose is refused, and no password is set")
    func inMemory() throws {
        let loop = try LoopDevice(20 << 20)
        let state = BytePath("/dev/shm/holdfast-\(loop.name)")
        defer { shell("rm -rf \(state)") }
        let drive = try replay("sata-enhanced", loop)
        var request = WipeRequest()
        request.level = .purge
        let wipe = try Wipe(loop.path, request, state: state, replay: (drive.kind, drive))
        #expect(throws: WipeError.self) { try wipe.run(Progress()) }
        #expect(!drive.hasSent(ata: 0xf1))
    }

    @Test("An erase that goes on by itself is watched, and not begun again")
    func goesOn() throws {
        let loop = try LoopDevice(20 << 20)
        let stuck = try replay("nvme-stuck", loop)
        #expect(end("", nil, loop, stuck) != .achieved(.purge))
        #expect(stuck.waited >= 3600)
        // It goes on, and ends; a log of a drive that is at it from the beginning.
        let drive = try ReplayedDrive("nvme-goes-on") {}
        shell("dd if=/dev/zero of=\(loop.file) bs=1M count=20 conv=notrunc status=none; sync")
        #expect(end("", nil, loop, drive) == .achieved(.purge))
        #expect(!drive.sent.contains { $0.hasPrefix("nvme 84") })
    }
}
