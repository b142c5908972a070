// Wiping files and free space: what is left on the device, as an independent search finds it, and what is said of it.

import Glibc
import Machine
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
        var state: BytePath { loop.scratch.appending("state") }

        init(_ make: String, options: String = "defaults", megabytes: Int = 300) throws {
            self.options = options
            loop = try LoopDevice(megabytes << 20)
            // A device that is new is looked at by others for a moment.
            let made = shell(
                """
                for i in 1 2 3 4 5; do \(make) \(loop.path) && mount -o \(options) \(loop.path) \(mount) && exit; sleep 1; done 2>&1
                echo no
                """)
            try #require(!made.hasSuffix("no\n"), "\(make): \(made)")
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

    /// What may happen to a folder between the plan of its wipe and the wipe: how, and how it ends.
    static let races = [
        ("losetup -f --show secret/empty/image > loop", "losetup -d $(cat loop)"),
        ("mount -t tmpfs none secret/empty", "umount secret/empty"),
        ("mv secret other; mkdir secret", "rm -r secret; mv other secret"),
        ("echo more > secret/more", "rm secret/more"),
        ("echo other > secret/file; sleep 0.01", "echo secret > secret/file"),
        ("cp secret/file new; mv new secret/file", "true"),
        ("echo x > elsewhere; ln elsewhere secret/x", "rm secret/x elsewhere"),
        ("(exec 9<secret/file; exec sleep 4070) >/dev/null 2>&1 & sleep 0.5", "pkill -f 'sleep 407[0]'; sleep 0.3"),
    ]

    @Test(
        "A folder that came into use, or became another, after its wipe was planned is left as it is", arguments: races)
    func stale(_ happens: String, _ ends: String) throws {
        let volume = try Volume("mkfs.ext4 -q")
        shell("cd \(volume.mount); mkdir -p secret/empty; truncate -s 1M secret/empty/image; echo secret > secret/file")
        let wipe = try PathWipe(volume.mount.appending("secret"))
        shell("cd \(volume.mount); \(happens)")
        #expect(throws: StalePlan.self) { try wipe.run(Progress()) }
        shell("cd \(volume.mount); \(ends)")
        #expect(shell("cd \(volume.mount)/secret; cat file; find . | wc -l") == "secret\n4\n")
        _ = try PathWipe(volume.mount.appending("secret")).run(Progress())
        #expect(!exists(volume.mount.appending("secret")))
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
        // What a kill left, and what somebody else calls like that.
        shell(
            """
            mkdir -p \(volume.state)/wipe/free-space; touch \(volume.state)/wipe/free-space/.holdfast-wipe-0123456789ab
            cd \(volume.mount); rm -r secret; mkdir -m 700 .holdfast-wipe-0123456789ab; touch .holdfast-wipe-0123456789ab/0
            mkdir .holdfast-wipe-1234; echo own >.holdfast-wipe-1234/0; echo own >.holdfast-wipe-file
            """)
        #expect(volume.count("CANARY7f3a") > 900)
        let report = try FreeSpaceWipe(volume.mount, reserve: nil, state: volume.state).run(Progress())
        #expect(report.isAchieved, "\(report.reasons)")
        #expect(report.bytes > 150 << 20 && report.verified >= report.bytes)
        #expect(
            shell("cd \(volume.mount); ls -A -d .holdfast*; cat .holdfast-wipe-1234/0 .holdfast-wipe-file")
                == ".holdfast-wipe-1234\n.holdfast-wipe-file\nown\nown\n")
        #expect(shell("find \(volume.state)/wipe \(volume.state)/journal -type f") == "")
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
        let partly = try FreeSpaceWipe(volume.mount, reserve: 50 << 20, state: volume.state).run(Progress())
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
        shell("pkill -f 'sleep 407[0]'; sleep 0.3")
        // What is mounted in a folder is neither taken along nor left under another name.
        shell("mkdir \(volume.mount)/secret/in; mount -t tmpfs none \(volume.mount)/secret/in")
        #expect(throws: WipeError.self) { try PathWipe(volume.mount.appending("secret")) }
        shell("umount \(volume.mount)/secret/in")
        #expect(throws: WipeError.self) { try PathWipe(volume.mount) }
        #expect(throws: WipeError.self) { try PathWipe("/") }
        #expect(throws: WipeError.self) { try PathWipe("/dev/null") }
        #expect(throws: WipeError.self) { try FreeSpaceWipe("/", reserve: nil, state: "/nonexistent") }
        #expect(volume.count("CANARY7f3a\\.") == before)
    }

    @Test("A file that is mapped, under a loop device, swap space or mounted elsewhere is refused, and is as it was")
    func inUseOtherwise() throws {
        let volume = try Volume("mkfs.ext4 -q")
        let file = volume.mount.appending("secret/image")
        shell("mkdir \(volume.mount)/secret; head -c 20971520 /dev/urandom >\(file)")
        func expectRefused(_ what: String, _ path: BytePath) {
            let refused = #expect(throws: WipeError.self) { try PathWipe(path) }
            #expect(
                refused.map { "\($0)".contains(what) && $0.exitStatus == 4 } == true,
                "\(refused.map { "\($0)" } ?? "none")")
        }
        let sum = shell("sha256sum \(file)")
        let mapper = shell(
            "python3 -c 'import mmap, os, time; f = os.open(\"\(file)\", os.O_RDWR); m = mmap.mmap(f, 0); os.close(f); time.sleep(4071)' >/dev/null 2>&1 & sleep 1; echo -n $!"
        )
        expectRefused("python3", file)
        expectRefused("python3", file.parent)
        shell("kill \(mapper); sleep 0.3")
        let loop = shell("losetup -f --show \(file)").dropLast()
        expectRefused("loop device", file)
        expectRefused("loop device", file.parent)
        shell("losetup -d \(loop)")
        shell("mkdir \(volume.loop.scratch)/bind; mount --bind \(file.parent) \(volume.loop.scratch)/bind")
        expectRefused("is mounted at", file.parent)
        shell("umount \(volume.loop.scratch)/bind")
        #expect(shell("sha256sum \(file)") == sum)
        shell("chmod 600 \(file); mkswap \(file) >/dev/null 2>&1; swapon \(file)")
        if shell("grep -c \(file) /proc/swaps") == "1\n" { expectRefused("swap", file.parent) }
        shell("swapoff \(file)")
        #expect(try PathWipe(file.parent).run(Progress()).isAchieved)
    }

    @Test("What attributes and long links held is said to be left; ACLs are not secrets")
    func besides() throws {
        let volume = try Volume("mkfs.ext4 -q")
        shell(
            """
            cd \(volume.mount); mkdir a b c; echo 1 >a/f; setfattr -n user.key -v SECRET a/f; ln -s $(printf x%.0s $(seq 80)) b/l
            echo 1 >c/f; setfacl -m u:1234:r c/f; ln -s short c/l
            """)
        for (name, isAchieved) in [("a", false), ("b", false), ("c", true)] {
            let report = try PathWipe(volume.mount.appending(name)).run(Progress())
            #expect(report.isAchieved == isAchieved, "\(name): \(report.reasons)")
            #expect(!exists(volume.mount.appending(name)))
        }
    }

    @Test("A folder of any depth is wiped")
    func deep() throws {
        let volume = try Volume("mkfs.ext4 -q")
        shell(
            """
            python3 -c 'import os
            os.chdir("\(volume.mount)"); os.mkdir("deep"); os.chdir("deep")
            for i in range(6000):
                os.mkdir("d"); os.chdir("d")
            open("f", "w").write("x")'
            """)
        #expect(try PathWipe(volume.mount.appending("deep")).run(Progress()).files == 6002)
        #expect(!exists(volume.mount.appending("deep")))
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
