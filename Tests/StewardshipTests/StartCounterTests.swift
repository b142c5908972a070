// What the boot loader counts in, and what its menu makes of it.

import Glibc
import Platform
import TestSupport
import Testing

@testable import Boot

@Suite("A trial that the boot loader counts")
struct StartCounterTests {
    private func counter() throws -> (StartCounter, scratch: ScratchFolder) {
        let scratch = try ScratchFolder()
        let counter = StartCounter(
            file: scratch.path.appending("trial-1a2b3c4d"), loaderPath: "/holdfast/trial-1a2b3c4d")
        try counter.make()
        return (counter, scratch)
    }

    @Test("It is one sector that is overwritten in place, and holds the number that GRUB's own program reads, or none")
    func number() throws {
        let (counter, scratch) = try counter()
        defer { withExtendedLifetime(scratch) {} }
        let before = try Descriptor.open(counter.file).status()
        #expect(try counter.number() == nil)
        for begin in [StartCounter.Begin.inUse, .broughtAtStart] {
            try counter.begin(begin)
            #expect(try counter.number() == begin.rawValue)
            if programPath("grub-editenv") != nil {
                #expect(shell("grub-editenv \(counter.file) list") == "holdfast_left=\(begin.rawValue)\n")
            }
        }
        // As GRUB leaves it at its last step.
        shell("sed -i 's/left=5/left=0/' \(counter.file)")
        #expect(try counter.number() == 0)
        try counter.end()
        #expect(try counter.number() == nil)
        try counter.make()
        let after = try Descriptor.open(counter.file).status()
        #expect(before.size == 512 && after.size == 512)
    }

    @Test("One that is damaged is not written to, and made anew by the next set-up")
    func damaged() throws {
        let (counter, scratch) = try counter()
        defer { withExtendedLifetime(scratch) {} }
        for damage in ["truncate -s 100", "truncate -s 600", "truncate -s 0"] {
            shell("\(damage) \(counter.file)")
            #expect(throws: BootError.counterDamaged(counter.file)) { try counter.number() }
            #expect(throws: BootError.counterDamaged(counter.file)) { try counter.begin(.inUse) }
            #expect(throws: BootError.counterDamaged(counter.file)) { try counter.end() }
            try counter.make()
            try counter.begin(.inUse)
            #expect(try counter.number() == 4)
        }
        shell("head -c 512 /dev/zero > \(counter.file)")
        #expect(throws: BootError.counterDamaged(counter.file)) { try counter.number() }
        try counter.end()
        #expect(try counter.number() == nil)
    }

    @Test("The menu's part is GRUB's language, and has all that a trial and its return want")
    func menu() throws {
        let (counter, scratch) = try counter()
        let place = RecoveryPlace(kind: .firmware, folder: "/boot/efi/holdfast", loaderPath: "/holdfast")
        let script = scratch.path.appending("43_holdfast")
        try writeNew(
            script, Array(StartCounterMenu.text(counter, recovery: place, id: "1a2b3c4d").utf8), mode: 0o755)
        let part = shell("\(script)")
        #expect(part.hasPrefix("insmod") && part.contains("/holdfast/trial-1a2b3c4d"))
        #expect(part.contains("panic=30") && part.contains("holdfast_return=holdfast.return"))
        if programPath("grub-script-check") != nil {
            #expect(shell("\(script) | grub-script-check && echo right") == "right\n")
        }
        let recovery = RecoveryScripts.menu(place, id: "1a2b3c4d", current: "A", kernels: ["A": "6.1"])
        #expect(recovery.contains("quiet $holdfast_return console="))
    }

    @Test("Every entry for Linux takes the words of a trial, and nothing where there is none")
    func settings() throws {
        let words = RecoveryScripts.settings(isCounting: true)
        let said = shell("GRUB_CMDLINE_LINUX=own; \(words)\necho \"$GRUB_CMDLINE_LINUX\"")
        #expect(said == "own $holdfast\n")
        #expect(!RecoveryScripts.settings(isCounting: false).contains("$holdfast"))
    }
}
