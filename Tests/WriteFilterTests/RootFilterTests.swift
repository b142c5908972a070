// The filter of `/`, as the start of the machine puts it there: the script of the initramfs itself, in a mount namespace, over a disk that no machine
// runs from.

import Boot
import Cryptography
import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "mounts are made by root"))
struct RootFilterTests {
    /// A disk with a small system, which has a filter.
    final class Disk {
        let scratch: BytePath
        let root: BytePath
        var state: BytePath { root.appending("var/lib/holdfast") }
        var plan: BytePath { state.appending("filter/2f.plan") }

        init(_ kind: String) throws {
            scratch = BytePath(
                "/var/tmp/holdfast-root-\(try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined())")
            root = scratch.appending("root")
            shell(
                """
                mkdir -p \(root) && cd \(scratch) && truncate -s 300M disk && mkfs.\(kind) -q disk && mount -o loop disk root
                if [ \(kind) = btrfs ]; then btrfs subvolume create root/@ >/dev/null; umount root; mount -o loop,subvol=@ disk root; fi
                cd root && mkdir -p etc var/log var/lib/holdfast home usr opt tmp 'opt/my recipes' && chmod 1777 tmp
                printf 'UUID=x / ext4 defaults 0 1\\n# mine\\nUUID=y /data ext4 defaults 0 2\\n' > etc/fstab; echo good > etc/name; echo first > var/log/all
                """)
            _ = try ProtectedTree.setUp(
                root: root, state: state, kind: .tree, progress: Progress(), findings: Findings())
            let program = builtProgram
            shell(
                """
                cd \(state) && sed -i 's#"root" : .*#"root" : "/",#; s#"rootBytes" : .*#"rootBytes" : "2f",#; s#"boot" :.*#"boot" : [ ],#' protected.json
                mkdir -p filter bin && printf '#!/bin/sh\\nHOME=/ exec $TRACE \(program) "$@"\\n' > bin/holdfast && chmod 755 bin/holdfast
                """)
            try replaceFile(
                scratch.appending("script"),
                Array(Initramfs.scriptText(state: "/var/lib/holdfast", reach: .inside).utf8))
            write()
        }

        deinit { shell("umount -R \(root); chattr -R -f -ia \(scratch); rm -rf \(scratch)") }

        func write(_ overlay: String = "memory", _ lines: String = "", enabled: String = "yes", end: String = "end\n") {
            let text = "path /\nenabled \(enabled)\noverlay \(overlay)\nsize 60000000\nexcept /var/log\n\(lines)\(end)"
            try? replaceFile(plan, Array(text.utf8))
        }

        /// Starts the machine as far as its initramfs goes, runs the words in what is there then, and switches it off.
        @discardableResult
        func start(_ words: String = "", before: String = "", trace: String = "") -> String {
            shell(
                """
                cd /; export HOLDFAST_CONFIG= TRACE="\(trace)"; unshare -m --propagation private /bin/bash 2>&1 <<'END'
                mount -t tmpfs none /run; mount -o remount,ro \(root); rootmnt=\(root); export rootmnt
                \(before)
                reboot() { :; }
                sh \(scratch)/script
                cd \(root) && cat /run/holdfast/filter/2f/session; \(words)
                END
                """)
        }
    }

    @Test(
        "What is written below a filtered / is forgotten, and what passes it stays",
        arguments: ["memory on ext4", "memory on btrfs", "disk on btrfs"])
    func forgets(_ kind: String) throws {
        let words = kind.split(separator: " ").map(String.init)
        let disk = try Disk(words[2])
        disk.write(words[0], "make /opt/fresh\nexcept /opt/my\\040recipes\nsmall /tmp 10000000\n")
        let said = disk.start(
            """
            echo bad > etc/name; echo second >> var/log/all; echo x > 'opt/my recipes/x'; echo y > opt/fresh/y; echo z > tmp/z; rm -r home
            echo s > var/lib/holdfast/written; cat etc/fstab; ls /run/systemd/system; stat -c %a /run/holdfast; findmnt -no FSTYPE \(disk.root)
            setpriv --reuid=nobody --clear-groups ls /run/holdfast/filter 2>&1
            """)
        let lines = said.split(separator: "\n").map(String.init)
        for wanted in [
            "mode overlay", "except /var/log yes", "except /opt/my\\040recipes yes", "except /opt/fresh yes",
            "# holdfast: UUID=x / ext4 defaults 0 1",
            "UUID=y /data ext4 defaults 0 2", "var-log.mount", "opt-fresh.mount", "700",
            words[0] == "disk" ? "btrfs" : "overlay",
            "ls: cannot access '/run/holdfast/filter': Permission denied",
        ] { #expect(lines.contains(wanted), "\(wanted) is not in \(said)") }
        #expect(lines.contains("small /tmp"))
        let left = shell(
            "cd \(disk.root); cat etc/name var/log/all 'opt/my recipes/x' opt/fresh/y var/lib/holdfast/written; ls -d home; ls tmp; head -1 etc/fstab"
        )
        #expect(left == "good\nfirst\nsecond\nx\ny\ns\nhome\nUUID=x / ext4 defaults 0 1\n", "\(left)")
        let again = disk.start("cat etc/name; ls home; cat var/log/all")
        #expect(again.hasSuffix("good\nfirst\nsecond\n"), "\(again)")
        #expect(disk.start("", trace: "").contains("mode overlay"))
        disk.write(words[0], enabled: "no")
        #expect(disk.start("echo kept > etc/name").contains("mode writable"))
        #expect(shell("cat \(disk.root)/etc/name; ls \(disk.root)/..| grep -c session") == "kept\n0\n")
    }

    @Test("A file system that is mounted in / comes along, and keeps its writes")
    func nested() throws {
        let disk = try Disk("ext4")
        let said = disk.start(
            "echo u > usr/written; umount usr && echo inner; cat usr/written 2>&1",
            before: "mount -t tmpfs inner \(disk.root)/usr; echo i > \(disk.root)/usr/i")
        #expect(said.contains("inner\n") && said.contains("mode overlay"), "\(said)")
    }

    @Test("Whatever is missing at the start, the machine starts, and says what is not as it was decided")
    func missing() throws {
        let disk = try Disk("ext4")
        let write = "echo w > etc/written && findmnt -no FSTYPE -T etc"
        disk.write("memory", "except /opt/gone\n")
        let gone = disk.start("echo x > opt/gone/x")
        #expect(gone.contains("alarm the exception /opt/gone is not there: it is read-only now"))
        #expect(gone.contains("Read-only file system"))
        disk.write(end: "")
        let damaged = disk.start(write)
        #expect(
            damaged.contains("is damaged: it has no end: the machine is NOT protected") && damaged.hasSuffix("ext4\n"),
            "\(damaged)")
        for (what, mend) in [
            ("mv filter/2f.plan away; mkfifo filter/2f.plan", "rm filter/2f.plan; mv away filter/2f.plan"),
            ("mv filter away; echo > filter", "rm filter; mv away filter"),
            ("cp filter/2f.plan away; sed -i 's#^path /#path /x#' filter/2f.plan", "mv away filter/2f.plan"),
        ] {
            disk.write()
            shell("cd \(disk.state); \(what)")
            let said = disk.start(write)
            #expect(said.contains("the machine is NOT protected") && said.hasSuffix("ext4\n"), "\(what): \(said)")
            shell("cd \(disk.state); \(mend)")
        }
        for file in ["protected.json", "points.json points.2.json"] {
            shell("cd \(disk.state); mkdir away; mv \(file) away; mkfifo \(file)")
            #expect(disk.start().contains("alarm what was under way could not be ended") || file != "protected.json")
            #expect(disk.start().contains("mode overlay"), "\(file)")
            shell("cd \(disk.state); rm \(file); mv away/* .; rmdir away")
        }
        disk.write("disk")
        let clone = disk.start(write)
        #expect(
            clone.contains("makes no clones: the machine is NOT protected") && clone.hasSuffix("ext4\n"), "\(clone)")
        disk.write()
        for (what, mend) in [
            ("mv bin/holdfast bin/away", "mv bin/away bin/holdfast"),
            ("chmod 644 bin/holdfast", "chmod 755 bin/holdfast"),
            (
                "cp bin/holdfast bin/away; echo '#!/bin/sh' > bin/holdfast; echo 'kill -9 $$' >> bin/holdfast",
                "cp bin/away bin/holdfast"
            ),
            ("mv ../holdfast ../away", "mv ../away ../holdfast"),
        ] {
            shell("cd \(disk.state); \(what)")
            let said = disk.start("mount -o remount,rw \(disk.root); " + write)
            #expect(said.contains("Holdfast: the program in /var/lib/holdfast did not do its work"), "\(what): \(said)")
            #expect(said.contains("alarm the program in") && said.hasSuffix("ext4\n"), "\(what): \(said)")
            shell("cd \(disk.root)/var/lib; cd holdfast 2>/dev/null || cd away; \(mend)")
        }
        #expect(disk.start().contains("mode overlay"))
    }

    @Test(
        "What somebody puts in the place of an exception or of a file does not take the filter away",
        arguments: [
            "rm -r opt/user; ln -s /etc opt/user", "rm -r opt/user; echo x > opt/user",
            "rm -r opt/user; mkfifo opt/user",
            "rm -r opt; ln -s etc opt", "rm -r opt; echo x > opt", "rm etc/fstab; mkfifo etc/fstab",
            "rm etc/fstab; ln -s /dev/zero etc/fstab",
            "rm -r tmp; ln -s etc tmp", "rm -r tmp; mkfifo tmp", "truncate -s 2M etc/fstab",
        ])
    func planted(_ what: String) throws {
        let disk = try Disk("ext4")
        disk.write("memory", "except /opt/user/deep\nexcept /opt/user\nmake /opt/made/here\nsmall /tmp 10000000\n")
        shell("cd \(disk.root); mkdir -p opt/user/deep; \(what)")
        let said = disk.start(
            "findmnt -no FSTYPE \(disk.root); echo bad > etc/name; ls etc/deep etc/here 2>&1 | grep -vc cannot")
        #expect(said.contains("mode overlay") && said.hasSuffix("overlay\n0\n"), "\(said)")
        #expect(
            shell("cat \(disk.root)/etc/name; ls \(disk.root)/etc | tr '\\n' ' '") == "good\nfstab name ", "\(said)")
    }

    @Test("An exception in another is read-only where it is missing, whatever their order")
    func nestedExceptions() throws {
        let disk = try Disk("ext4")
        disk.write("memory", "except /opt/in/gone\nexcept /opt/in\n")
        shell("mkdir \(disk.root)/opt/in")
        let said = disk.start("touch opt/in/gone/x; touch opt/in/y")
        #expect(
            said.contains("/opt/in/gone is not there: it is read-only now") && said.contains("Read-only file system"),
            "\(said)")
        #expect(shell("ls \(disk.root)/opt/in").contains("y\n"))
    }

    @Test("A log that cannot be written does not take the filter away, nor what was committed")
    func withoutLog() throws {
        let disk = try Disk("ext4")
        shell("touch \(disk.state)/filter/service; cd \(disk.state)/log; chattr -a -i *; rm -rf *; mkdir audit.jsonl")
        let said = disk.start()
        #expect(said.contains("mode service") && said.contains("it goes on without a record"), "\(said)")
    }

    @Test("A service start is spent before anything runs, and on record")
    func service() throws {
        let disk = try Disk("ext4")
        shell("touch \(disk.state)/filter/service")
        #expect(
            disk.start("echo serviced > etc/name; test -e var/lib/holdfast/filter/service || echo spent").hasSuffix(
                "mode service\nspent\n"))
        #expect(disk.start("cat etc/name").hasSuffix("serviced\n"))
        #expect(
            shell("grep -c '\"verb\":\"boot\"' \(disk.state)/log/audit.jsonl") == "2\n",
            "the start that was spent, and no other")
    }

    @Test(
        "A program that is killed at any of its calls leaves a machine that starts: covered whole, or writable and said so"
    )
    func killed() throws {
        let disk = try Disk("ext4")
        disk.write("memory", "except /opt/my\\040recipes\nsmall /tmp 10000000\n")
        var cuts = 0
        for call in [
            "move_mount", "open_tree", "fsmount", "mount_setattr", "umount2", "mkdirat", "rename", "renameat2",
        ] {
            var number = 1
            while number < 60 {
                let said = disk.start(
                    "cat etc/name; echo w > etc/written; findmnt -no FSTYPE \(disk.root); cat etc/written",
                    trace: "strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number)")
                let lines = said.split(separator: "\n").map(String.init)
                #expect(lines.contains("good"), "\(call) \(number): \(said)")
                let isCovered = lines.contains("overlay")
                let isSaid = lines.contains { $0.hasPrefix("alarm the program") }
                #expect(isCovered ? lines.contains("w") : isSaid, "\(call) \(number): \(said)")
                shell("rm -f \(disk.root)/etc/written")
                if !isSaid { break }
                cuts += 1
                number += 1
            }
        }
        print("the start of a filter killed at \(cuts) calls")
        #expect(cuts > 20)
    }

    @Test(
        "A call that fails at the start leaves a machine that starts: covered, or writable and said so",
        arguments: [
            ("write", "ENOSPC"), ("fsync", "EIO"), ("mkdir", "ENOSPC"), ("mkdirat", "ENOSPC"), ("rename", "EIO"),
            ("renameat2", "EIO"), ("open_tree", "EMFILE"), ("fsopen", "ENODEV"), ("fsmount", "ENOMEM"),
            ("move_mount", "EINVAL"), ("mount_setattr", "EPERM"), ("openat", "EIO"),
        ])
    func failing(_ call: String, _ error: String) throws {
        let disk = try Disk("ext4")
        disk.write("memory", "except /opt/my\\040recipes\nsmall /tmp 10000000\n")
        var number = 1
        // Before it has opened what it runs with, no program says anything.
        if call == "openat" { number = 12 }
        while number < 60 {
            let trace = disk.scratch.appending("trace")
            let said = disk.start(
                "cat etc/name; echo w > etc/written; findmnt -no FSTYPE \(disk.root); cat etc/written",
                trace: "strace -f -qq -o \(trace) -e trace=\(call) -e inject=\(call):error=\(error):when=\(number)")
            let lines = said.split(separator: "\n").map(String.init)
            #expect(lines.contains("good"), "\(call) \(number): \(said)")
            let isCovered = lines.contains("overlay") && lines.contains("w")
            let isSaid = lines.contains {
                $0.hasPrefix("alarm ") || $0.contains("warning: ") || $0.contains("NOT protected")
            }
            #expect(isCovered || isSaid, "\(call) \(number): \(said)")
            // Covered in part alone would be neither: what is written below a filter never stays.
            #expect(!isCovered || !exists(disk.root.appending("etc/written")), "\(call) \(number): \(said)")
            shell("rm -f \(disk.root)/etc/written")
            if shell("grep -c INJECTED \(trace)") == "0\n" { break }
            number += 1
        }
        print("the start of a filter with \(number - 1) calls of \(call) that fail")
    }
}
