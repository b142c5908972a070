// Wiping files and free space: what is left on the device, as an independent search finds it, and what is said of it.

import Glibc
import Platform
import Reporting
import Sanitization
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "file systems are made by root"))
struct PathWipeTests {
    /// A file system on a loop device, mounted.
    final class Volume {
        let loop: LoopDevice
        let options: String
        var mount: BytePath { loop.scratch.appending("mount") }

        init(_ make: String, options: String = "defaults", megabytes: Int = 300) throws {
            self.options = options
            loop = try LoopDevice(megabytes << 20)
            shell("\(make) \(loop.path) >/dev/null 2>&1; mount -o \(options) \(loop.path) \(loop.scratch)/mount")
        }

        /// How many blocks with this text the device has, read past every cache.
        func count(_ canary: String) -> Int {
            shell("sync; umount \(mount)")
            defer { shell("mount -o \(options) \(loop.path) \(mount)") }
            return Int(shell("grep -a -o '\(canary)' \(loop.file) | wc -l").dropLast()) ?? -1
        }

        /// 1000 blocks of 4 KiB with a text in each, in files of some sizes.
        func fill(_ folder: String, _ canary: String) {
            shell(
                """
                mkdir -p \(mount)/\(folder)/deep; cd \(mount)/\(folder)
                python3 -c 'import sys
                for n, blocks in enumerate([1, 3, 96, 400, 500]):
                    with open(("deep/" if n % 2 else "") + "\(canary)" + str(n), "wb") as f:
                        for _ in range(blocks): f.write(b"\(canary)".ljust(4096, b"."))
                        f.write(b"\(canary)")'
                ln -s nowhere link; touch empty; sync
                """)
        }
    }

    struct Case: Sendable, CustomStringConvertible {
        var make: String
        var options = "defaults"
        /// Why it is not achieved; nil where nothing is left.
        var reason: String?
        var description: String { "\(make) \(options)" }
    }

    static let cases = [
        Case(make: "mkfs.ext4 -q"), Case(make: "mkfs.ext4 -q -O inline_data -I 256"), Case(make: "mkfs.ext2 -q"),
        Case(make: "mkfs.xfs -q"), Case(make: "mkfs.ext4 -q", options: "data=journal", reason: "journal"),
        Case(make: "mkfs.btrfs -q", reason: "btrfs writes elsewhere"),
    ]

    @Test("Files are gone from the device, or it is said that they may not be", arguments: cases)
    func files(_ which: Case) throws {
        let volume = try Volume(which.make, options: which.options, megabytes: 400)
        volume.fill("secret", "CANARY7f3a")
        volume.fill("other", "KEEP55aa")
        #expect(volume.count("CANARY7f3a") > 1000)
        // Not kept: it has the folder open.
        let report = try PathWipe(volume.mount.appending("secret")).run(Progress())
        #expect(!exists(volume.mount.appending("secret")))
        #expect(
            shell("cat \(volume.mount)/other/KEEP* \(volume.mount)/other/deep/KEEP* | grep -a -o KEEP55aa | wc -l")
                == "1005\n")
        if let reason = which.reason {
            #expect(report.reasons.contains { $0.contains(reason) }, "\(report.reasons)")
        } else {
            #expect(report.isAchieved, "\(report.reasons)")
            #expect(report.verified >= 4_000_000)
            #expect(volume.count("CANARY7f3a\\.") == 0)
            // From Linux 5.14 on ext4's journal is cleared, and then names are gone, too.
            let isSaid = report.notes.contains { $0.contains("names may be left in the journal") }
            #expect(isSaid == which.make.contains("xfs"))
            #expect(isSaid || volume.count("CANARY7f3a") == 0)
        }
    }

    @Test("Content that is packed into the inode is told of")
    func packed() throws {
        let volume = try Volume("mkfs.ext4 -q -O inline_data -I 256")
        shell("echo CANARY > \(volume.mount)/small; sync")
        let report = try PathWipe(volume.mount.appending("small")).run(Progress())
        #expect(report.reasons.contains { $0.contains("packed") }, "\(report.reasons)")
    }

    @Test("Blocks that others have, too, are told: a reflink, a hard link")
    func shared() throws {
        let volume = try Volume("mkfs.xfs -q -m reflink=1", megabytes: 400)
        try #require(Mount.at(volume.mount)?.type == "xfs")
        volume.fill("secret", "CANARY7f3a")
        shell("cd \(volume.mount); cp --reflink=always secret/CANARY7f3a2 copy; ln secret/deep/CANARY7f3a3 second")
        let report = try PathWipe(volume.mount.appending("secret")).run(Progress())
        #expect(report.reasons.contains { $0.contains("belong to other files") })
        #expect(report.notes.contains { $0.contains("1 files had names elsewhere") })
        #expect(volume.count("CANARY7f3a") >= 96)
    }

    @Test("What is free is gone, to the last block, and the space is given back; leftovers of a kill, too")
    func freeSpace() throws {
        let volume = try Volume("mkfs.ext4 -q -m 0", megabytes: 200)
        volume.fill("kept", "KEEP55aa")
        volume.fill("secret", "CANARY7f3a")
        let kept = shell("cat /sys/fs/ext4/\(volume.loop.name)/reserved_clusters")
        let free = shell("df --output=avail \(volume.mount) | tail -1")
        shell(
            "rm -r \(volume.mount)/secret; mkdir \(volume.mount)/.holdfast-wipe-1234; touch \(volume.mount)/.holdfast-wipe-1234/0"
        )
        #expect(volume.count("CANARY7f3a") > 900)
        let report = try FreeSpaceWipe(volume.mount, reserve: nil).run(Progress())
        #expect(report.isAchieved, "\(report.reasons)")
        #expect(report.bytes > 150 << 20 && report.verified >= report.bytes)
        #expect(shell("ls -A \(volume.mount) | grep -c holdfast") == "0\n")
        #expect(shell("df --output=avail \(volume.mount) | tail -1") >= free)
        #expect(
            Int(kept.dropLast()) ?? 0 > 0 && shell("cat /sys/fs/ext4/\(volume.loop.name)/reserved_clusters") == kept)
        // A name in a journal or a removed entry of a folder is not content.
        let content = shell(
            "sync; python3 -c 'd = open(\"\(volume.loop.file)\", \"rb\").read(); print(d.count(b\"CANARY7f3a......\"))'"
        )
        #expect(content == "0\n")
        #expect(volume.count("KEEP55aa") > 1000)
        // Some may be left to those who work there: then it is not all of it.
        let partly = try FreeSpaceWipe(volume.mount, reserve: 50 << 20).run(Progress())
        #expect(!partly.isAchieved && partly.bytes < report.bytes - (40 << 20))
    }

    @Test("What is open, mounted, or everything, is refused, and nothing is touched")
    func refusals() throws {
        let volume = try Volume("mkfs.ext4 -q")
        volume.fill("secret", "CANARY7f3a")
        let before = volume.count("CANARY7f3a\\.")
        shell("(exec 7<\(volume.mount)/secret/CANARY7f3a0; exec sleep 4070) >/dev/null 2>&1 & sleep 0.3")
        #expect(throws: WipeError.self) { try PathWipe(volume.mount.appending("secret")) }
        // Through a link it is the same.
        shell("ln -s \(volume.mount) \(volume.loop.scratch)/way")
        #expect(throws: WipeError.self) { try PathWipe(volume.loop.scratch.appending("way/secret")) }
        shell("pkill -f 'sleep 4070'; sleep 0.3")
        // What is mounted in a folder is neither taken along nor left under another name.
        shell("mkdir \(volume.mount)/secret/in; mount -t tmpfs none \(volume.mount)/secret/in")
        #expect(throws: WipeError.self) { try PathWipe(volume.mount.appending("secret")) }
        shell("umount \(volume.mount)/secret/in")
        #expect(throws: WipeError.self) { try PathWipe(volume.mount) }
        #expect(throws: WipeError.self) { try PathWipe("/") }
        #expect(throws: WipeError.self) { try PathWipe("/dev/null") }
        #expect(throws: WipeError.self) { try FreeSpaceWipe("/", reserve: nil) }
        #expect(volume.count("CANARY7f3a\\.") == before)
    }

    @Test("The command says which points and images still have it")
    func holders() throws {
        let volume = try Volume("mkfs.ext4 -q")
        let scratch = volume.loop.scratch
        shell(
            "mkdir -p \(volume.mount)/plant; echo secret > \(volume.mount)/plant/recipe; echo x > \(volume.mount)/plant/other"
        )
        let environment =
            "cd \(scratch); export HOME=\(scratch)/home XDG_CONFIG_HOME=\(scratch)/config XDG_STATE_HOME=\(scratch)/s XDG_CACHE_HOME=\(scratch)/k HOLDFAST_CONFIG=\(scratch)/c.toml; mkdir -p $HOME"
        shell(
            """
            \(environment); printf '[stores]\\nusb = "\(scratch)/store"\\n' > c.toml
            \(builtProgram) setup --root \(volume.mount)/plant --state state --quiet; \(builtProgram) create good --state state --quiet
            \(builtProgram) store init usb --quiet; \(builtProgram) backup \(volume.mount)/plant --to usb --quiet
            """)
        let said = shell(
            "\(environment); \(builtProgram) wipe \(volume.mount)/plant/recipe --state state --yes 2>&1; echo status $?"
        )
        #expect(said.contains("2 points still have it: factoryreset, good"), "\(said)")
        #expect(said.contains("1 image in the store usb may still have it"), "\(said)")
        #expect(said.contains("status 3"), "\(said)")
        let other = shell(
            "\(environment); echo y > \(volume.mount)/new; \(builtProgram) wipe \(volume.mount)/new --state state --yes 2>&1; echo status $?"
        )
        #expect(other.contains("wiped") && other.contains("status 0"), "\(other)")
        #expect(
            shell(
                "\(environment); \(builtProgram) wipe \(volume.mount)/plant/other --level purge --yes >/dev/null 2>&1; echo $?"
            ) == "2\n")
    }
}
