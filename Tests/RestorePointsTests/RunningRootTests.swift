// `/` on a plain tree, in a root of its own: what the command decides is done by the boot, before anything uses the tree.

import AuditLog
import Glibc
import Images
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct RunningRootTests {
    /// A folder that is `/` for what runs in it: the programs of this machine, and a small system.
    private final class Root {
        let place: Place
        let path: BytePath
        private static let borrowed = ["usr", "lib", "lib64", "bin", "sbin", "opt/swift", "proc", "dev", "sys"]

        init() throws {
            place = try Place(.tree)
            path = place.root
            let program = builtProgram
            shell(
                """
                cd \(path); mkdir -p etc/initramfs-tools opt/plc var/lib tmp program; echo one > opt/plc/version
                for i in $(seq 1 30); do echo $i > opt/plc/$i; done
                for d in \(Self.borrowed.joined(separator: " ")); do
                if [ -d /$d ]; then mkdir -p $d; mount --bind /$d $d; fi; done
                mount --bind \(BytePath(program).parent) program
                """)
        }

        deinit {
            shell(
                "cd \(path); for d in \(Self.borrowed.joined(separator: " ")) program; do umount $d; done 2>/dev/null")
        }

        /// Runs the program in there; its exit status and what it said. The last thing that a set-up does to the machine, the making
        /// of an initramfs, is left to a program that does nothing.
        @discardableResult
        func holdfast(_ words: String) -> (status: String, said: String) {
            let said = shell(
                """
                cd /; unshare -m /bin/bash -c 'if [ -e /usr/sbin/update-initramfs ]; then mount --bind /bin/true \(path)/usr/sbin/update-initramfs
                else mount -t tmpfs none /mnt; mkdir /mnt/upper /mnt/work; cp /bin/true /mnt/upper/update-initramfs
                mount -t overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work none \(path)/usr/sbin; fi
                HOME=/tmp HOLDFAST_CONFIG= chroot \(path) /program/holdfast \(words) --yes' 2>&1; echo $?
                """
            ).split(separator: "\n").map(String.init)
            return (said.last ?? "", said.dropLast().joined(separator: "\n"))
        }

        /// What the initramfs does, which has it mounted.
        /// - Returns: its exit status, and what it said. Done and restarted is done: the kernel of this machine is not this root's.
        @discardableResult
        func boot(_ before: String = "", id: String? = nil) -> (isWhole: Bool, said: String) {
            // What tells one start from another.
            let other = id.map { "echo \($0) > /run/id; mount --bind /run/id /proc/sys/kernel/random/boot_id" } ?? ""
            let said = shell(
                """
                cd /; unshare -m --propagation private /bin/bash -c 'mount -t tmpfs none /run
                \(other)
                HOME=/ HOLDFAST_CONFIG= \(before) \(path)/program/holdfast boot --root \(path) --state \(path)/var/lib/holdfast' 2>&1; echo $?
                """
            ).split(separator: "\n").map(String.init)
            return (["0", "10"].contains(said.last ?? ""), said.dropLast().joined(separator: "\n"))
        }

        /// What there is of its own.
        func look() -> String {
            shell(
                """
                cd \(path); find opt/plc var -xdev -path var/lib/holdfast -prune -o -printf '%p %y %m %U %G %T@ %n\\n' | grep -v '^var/lib ' | sort
                find opt/plc -type f -print0 | sort -z | xargs -0 sha256sum
                """)
        }

        func spoil() {
            shell("cd \(path)/opt/plc; echo two > version; rm 1?; mkdir new; echo x > new/file; chmod 600 3")
        }
    }

    @Test("A rollback of / waits for the boot, is shown, can be taken back, and keeps what was written until then")
    func scheduled() throws {
        let root = try Root()
        let setUp = root.holdfast("setup --root / --backend tree")
        try #require(setUp.status == "0", "\(setUp)")
        root.holdfast("create one")
        let one = root.look()
        root.spoil()
        let before = root.look()
        #expect(root.holdfast("rollback one").said.contains("after the next boot"))
        #expect(root.look() == before, "nothing has happened yet")
        #expect(root.holdfast("status").said.contains("takes effect at the next boot"))
        #expect(root.holdfast("create two").status == "4")
        #expect(root.holdfast("recover").said.contains("waits for the next boot"))
        #expect(root.holdfast("undo").said.contains("taken back"))
        #expect(root.look() == before)
        root.holdfast("rollback one")
        shell("echo late > \(root.path)/opt/plc/late")
        let late = root.look()
        #expect(root.boot().said.contains("finished the rollback to one"))
        #expect(
            root.look() == one,
            "\(Set(root.look().split(separator: "\n")).symmetricDifference(one.split(separator: "\n")))")
        #expect(shell("ls /usr/bin/env /bin/sh | wc -l") == "2\n", "what is mounted in it is not its own")
        root.holdfast("undo")
        root.boot()
        #expect(root.look() == late, "what was written until the boot is not lost")
        #expect(root.holdfast("log verify").status == "0")
    }

    @Test("What the boot runs goes with the program: an update is there before a rollback waits for it")
    func updated() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        let copy = "\(root.path)/var/lib/holdfast/bin"
        let first = shell("ls \(copy); cat \(copy)/holdfast")
        // As one of another program.
        shell("cd \(copy); mv [0-9a-f]* 0123456789abcdef; printf '#!/bin/sh\\nexit 9\\n' > holdfast")
        #expect(root.holdfast("create one").status == "0")
        #expect(shell("ls \(copy); cat \(copy)/holdfast") == first)
        let began = shell("stat -c %Y.%i \(copy)/holdfast")
        root.holdfast("create two")
        #expect(shell("stat -c %Y.%i \(copy)/holdfast") == began, "one that is the program already is left alone")
        #expect(shell("chroot \(root.path) /var/lib/holdfast/bin/holdfast status; echo $?").hasSuffix("0\n"))
    }

    @Test("Every script that is installed is one that any shell reads")
    func scripts() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        for file in [
            "etc/initramfs-tools/scripts/local-bottom/holdfast", "etc/initramfs-tools/hooks/holdfast",
            "var/lib/holdfast/bin/holdfast",
        ] {
            #expect(
                shell(
                    "sh -n \(root.path)/\(file) && shellcheck -s sh -e SC1091,SC2154 \(root.path)/\(file) 2>&1; echo $?"
                ) == "0\n", "\(file)")
        }
    }

    @Test("Without anything that would apply it at the boot, a rollback of / is refused with the mend")
    func noInitramfs() throws {
        let root = try Root()
        shell("rmdir \(root.path)/etc/initramfs-tools")
        let setUp = root.holdfast("setup --root / --backend tree")
        #expect(setUp.status == "0" && setUp.said.contains("initramfs-tools"), "set-up says so already: \(setUp)")
        root.spoil()
        let before = root.look()
        let refused = root.holdfast("rollback factoryreset")
        #expect(refused.status == "4" && refused.said.contains("initramfs-tools"), "\(refused)")
        #expect(root.holdfast("status").status == "0" && root.look() == before)
    }

    @Test("A boot that is cut anywhere while it applies a rollback of / is finished by the next one")
    func cut() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        root.holdfast("create one")
        let one = root.look()
        root.spoil()
        root.holdfast("create two")
        let two = root.look()
        var cuts = 0
        for call in ["write", "pwrite64", "renameat2", "unlinkat", "mkdirat", "fsync", "syncfs", "fchmod", "rename"] {
            var number = 1
            while true {
                root.holdfast("rollback one")
                let trace = "strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number)"
                let isWhole = root.boot(trace).isWhole
                let what = "cut at \(call) \(number)"
                if !isWhole { try #require(root.boot().isWhole, "\(what)") }
                try #require(root.look() == one, "\(what)")
                root.holdfast("undo")
                try #require(root.boot().isWhole, "\(what)")
                try #require(root.look() == two, "\(what)")
                if isWhole { break }
                cuts += 1
                number += runsAll ? 1 : number < 2 ? 1 : 9
            }
        }
        print("a boot cut at \(cuts) places")
        #expect(cuts > 8)
    }

    @Test("A state of / on trial is counted by the start, returns with the second one, and stays where it is confirmed")
    func trial() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        root.holdfast("create one")
        let one = root.look()
        root.spoil()
        let before = root.look()
        let refused = root.holdfast("rollback one --trial")
        #expect(refused.status == "4" && refused.said.contains("--trial-level 1"), "\(refused)")
        #expect(root.holdfast("rollback one --trial-level 1").status == "2")
        #expect(root.holdfast("rollback one --trial=0 --trial-level 1").status == "2")
        let plan = root.holdfast("rollback one --trial=20 --trial-level 1 --dry-run")
        #expect(
            plan.status == "0" && plan.said.contains("within 20 minutes") && plan.said.contains("trial.d"), "\(plan)")
        #expect(root.holdfast("rollback one --trial=20 --trial-level 1").status == "0")
        #expect(root.holdfast("confirm").status == "4", "there is nothing to confirm yet")
        #expect(root.holdfast("status").said.contains("on trial from the next start on, for 20 minutes"))
        // The kernel of this machine is not this root's: the start that brings the state is begun anew, and is none in it.
        let brought = root.boot(id: "first")
        #expect(brought.isWhole && root.look() == one && !brought.said.contains("on trial"), "\(brought)")
        let counted = root.boot(id: "second")
        #expect(counted.said.contains("is on trial, start 1") && root.look() == one, "\(counted)")
        #expect(root.boot(id: "second").said.contains("start 1"), "the same start is counted once")
        #expect(root.holdfast("create meanwhile").status == "0")
        #expect(root.holdfast("rollback factoryreset").status == "4")
        let returned = root.boot(id: "third")
        #expect(
            returned.isWhole && returned.said.contains("did not hold on trial") && root.look() == before, "\(returned)")
        for words in ["status", "trial status"] {
            let told = root.holdfast(words)
            #expect(told.status == "3" && told.said.contains("did not hold on trial"), "\(told)")
        }
        #expect(root.holdfast("status").said.contains("failed"))
        #expect(root.holdfast("check").status == "1")
        #expect(root.boot(id: "fourth").said.isEmpty, "nothing is left to do")
        let noted = root.holdfast("confirm")
        #expect(noted.status == "3" && noted.said.contains("nothing to keep"), "\(noted)")
        #expect(root.holdfast("status").status == "0" && root.holdfast("confirm").status == "0")
        #expect(root.holdfast("rollback one --trial --trial-level 1").said.contains("--again"))
        root.holdfast("rollback one --trial --trial-level 1 --again")
        for id in ["fifth", "sixth"] { root.boot(id: id) }
        #expect(root.holdfast("confirm").said.contains("the rollback to one is confirmed, and stays"))
        for id in ["seventh", "eighth", "ninth"] { root.boot(id: id) }
        #expect(root.look() == one && root.holdfast("log verify").status == "0")
        let log = root.holdfast("log").said
        #expect(
            log.contains("start 1") && log.contains("did not hold on trial") && log.contains("is confirmed, and stays"),
            "\(log)")
    }

    @Test("A record of a trial that nobody can read keeps no machine from starting: it is said, and `confirm` mends it")
    func unreadableTrial() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        root.holdfast("create one")
        root.spoil()
        root.holdfast("rollback one --trial --trial-level 1")
        root.boot(id: "first")
        root.boot(id: "second")
        let one = root.look()
        shell("cd \(root.path)/var/lib/holdfast/journal; for i in trial.json trial.2.json; do echo garbage > $i; done")
        let started = root.boot(id: "third")
        #expect(started.said.contains("the trial could not be looked after") && root.look() == one, "\(started)")
        #expect(root.holdfast("status").status == "3" && root.holdfast("check").status == "2")
        let refused = root.holdfast("create two")
        #expect(refused.status == "4" && refused.said.contains("`holdfast confirm` removes it"), "\(refused)")
        #expect(root.holdfast("confirm").status == "3" && root.holdfast("create two").status == "0")
        #expect(root.boot(id: "fourth").said.isEmpty && root.look() == one)
    }

    @Test(
        "A start that is cut anywhere while it counts a trial, or returns from one, is gone on with by the next, cut as well"
    )
    func cutTrial() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend tree")
        root.holdfast("create one")
        root.spoil()
        root.holdfast("create two")
        let two = root.look()
        var cuts = 0
        for call in runsAll ? ["write", "rename", "fsync", "unlinkat", "renameat2"] : ["rename"] {
            var number = 1
            while true {
                let what = "cut at \(call) \(number)"
                let trace = "strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number)"
                root.holdfast("rollback one --trial --trial-level 1 --again")
                root.boot(id: "brought")
                // The first start in it, which is counted, or cut before that.
                let isCounted = root.boot(trace, id: "counted").isWhole
                // Two cuts in what follows, and then it is left alone.
                let isWhole = root.boot(trace, id: "cut").isWhole
                root.boot(trace, id: "cut again")
                var isBack = false
                for id in ["third", "fourth", "fifth"] {
                    try #require(root.boot(id: id).isWhole, "\(what)")
                    isBack = root.look() == two
                    if isBack { break }
                }
                try #require(isBack, "\(what): it has not returned")
                let told = root.holdfast("trial status")
                try #require(told.status == "3" && told.said.contains("did not hold"), "\(what): \(told)")
                try #require(root.holdfast("confirm").status == "3", "\(what)")
                try #require(root.holdfast("recover").status == "0", "\(what)")
                if isCounted, isWhole { break }
                cuts += 1
                number += runsAll ? 1 : 8
            }
        }
        print("a trial cut at \(cuts) places")
        #expect(cuts > 1)
    }
}
