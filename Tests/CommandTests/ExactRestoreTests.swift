// What comes back is what the image has, in every entry and in every folder on the way, or it is a finding.

import TestSupport
import Testing

@Suite struct ExactRestoreTests {
    @Test("A name restored without its first name has the image's content, not that of what has the first name now")
    func onlySecondName() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo image > tree/a; ln tree/a tree/b; ln tree/a tree/c; head -c 3000000 /dev/urandom > tree/large; ln tree/large tree/z
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        place.shell("mkdir target; echo other > target/a; echo other > target/large")
        let restored = place.holdfast("restore latest --from store --to target --only b --only c --only z")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell(
            "cat target/a target/b target/c; stat -c %h target/b; cmp tree/z target/z; cat target/large")
        #expect(found.output == "other\nimage\nimage\n2\nother\n", "\(found)")

        #expect(place.holdfast("backup tree --output image.hf").status == 0)
        let piped = place.holdfast("restore --input image.hf --to piped --only b")
        #expect(piped.status == 3 && piped.output.contains("is a hard link to a, which is not selected"), "\(piped)")
        #expect(place.shell("ls piped").output == "")
    }

    @Test("A name whose first name could not be restored is not linked to what is in its place")
    func failedFirstName() {
        let place = Workplace()
        place.shell("mkdir tree; echo image > tree/a; ln tree/a tree/b; mkdir -p target/a/kept")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let restored = place.holdfast("restore latest --from store --to target")
        #expect(restored.status == 3 && restored.output.contains("1 of 3 entries"), "\(restored)")
        #expect(place.shell("ls target").output == "a\n")
    }

    @Test("Files that share an inode in the target and not in the image end up apart, each with its owner and mode")
    func sharedInTarget() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; for i in a b c d; do echo same > tree/$i; done; touch -d @1000000000 tree/*
            chmod 644 tree/a; chmod 600 tree/b; chown nobody tree/b; chmod 640 tree/c tree/d
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        place.shell(
            "mkdir target; cp -a tree/a target/a; ln target/a target/b; cp -a tree/c target/c; ln target/c target/d; ln target/a outside"
        )
        let restored = place.holdfast("restore latest --from store --to target")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell(
            "cd target; stat -c '%n %a %U %h' a b c d; stat -c '%a %U' ../outside; cat a b c d | uniq -c | tr -d ' '")
        #expect(
            found.output == "a 644 root 2\nb 600 nobody 1\nc 640 root 1\nd 640 root 1\n644 root\n4same\n", "\(found)")
    }

    @Test("Folders on the way to what was selected keep their mode, owner, time and flags")
    func foldersOnTheWay() {
        let place = Workplace()
        place.shell(
            "mkdir -p tree/folder/new; echo image > tree/folder/file; echo image > tree/folder/new/file; chmod 750 tree/folder/new"
        )
        #expect(place.holdfast("backup tree --to store").status == 0)
        place.shell(
            "mkdir -p target/folder; chmod 1777 target/folder; chown nobody target/folder; touch -d @1000000000 target/folder target; chattr +i target/folder"
        )
        let restored = place.holdfast(
            "restore latest --from store --to target --only folder/file --only folder/new/file")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell(
            "stat -c '%n %a %U %Y' target target/folder; stat -c %a target/folder/new; cat target/folder/file target/folder/new/file; lsattr -d target/folder | cut -c5"
        )
        #expect(
            found.output
                == "target 755 root 1000000000\ntarget/folder 1777 nobody 1000000000\n750\nimage\nimage\ni\n",
            "\(found)")
        place.shell("chattr -i target/folder")
    }

    @Test("What a default ACL of the target adds does not stay on what is restored")
    func defaultACL() {
        let place = Workplace()
        place.shell("mkdir -p tree/folder; echo image > tree/file; echo image > tree/folder/file; mkfifo tree/fifo")
        #expect(place.holdfast("backup tree --to store").status == 0)
        place.shell("mkdir target; setfacl -d -m u:nobody:rwx target; echo kept > target/other")
        let restored = place.holdfast("restore latest --from store --to target --only file --only folder --only fifo")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell(
            "cd target; getfacl -c file folder folder/file fifo | grep nobody; getfacl -c . | grep -c nobody")
        #expect(found.output == "1\n", "\(found)")
    }

    @Test(
        "Of two names that the target takes for one, the second is a finding and the first stays",
        arguments: [true, false])
    func caseInsensitiveTarget(isFresh: Bool) {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/Lib tree/lib; echo one > tree/Readme; echo two > tree/README; echo 1 > tree/Lib/x; echo 2 > tree/lib/y; ln -s one tree/Link; ln -s two tree/LINK
            truncate -s 40M disk; mkfs.ext4 -q -O casefold disk; mkdir mount
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let mounted = place.shell("mount -o loop disk mount && mkdir mount/target && chattr +F mount/target")
        defer { place.shell("umount mount") }
        if mounted.status != 0 { return }
        if !isFresh { place.shell("echo kept > mount/target/kept") }
        for _ in 0..<2 {
            let restored = place.holdfast("restore latest --from store --to mount/target")
            #expect(restored.status == 3, "\(restored)")
            #expect(restored.output.contains("has this name in other letters"), "\(restored)")
            let found = place.shell("cd mount/target; cat readme; readlink link; ls -A lib")
            #expect(found.output == "two\ntwo\nx\n", "\(found)")
        }
    }

    @Test(
        "Of two names that a target over FUSE takes for one, the second is a finding, of links too, and nothing is lost",
        .enabled(if: FoldingFileSystem.isAvailable), arguments: [true, false])
    func foldingTarget(links: Bool) {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/Lib tree/lib tree/more; echo one > tree/Readme; echo two > tree/README; echo 1 > tree/Lib/x; echo 2 > tree/lib/y
            ln -s one tree/Link; ln -s two tree/LINK; echo h > tree/more/hard; ln tree/more/hard tree/more/HARD; ln tree/more/hard tree/more/third
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let restored = place.shell(
            """
            \(FoldingFileSystem.mount(links: links))
            for round in 1 2; do
              holdfast restore latest --from store --to folding/target --quiet > $round.txt 2>&1; echo status $?
              grep -c 'has this name in other letters' $round.txt
              (cd folding/target; ls -A . lib more | tr '\\n' ' '; cat readme more/hard; readlink link)
            done
            \(FoldingFileSystem.unmount)
            """)
        let round = "status 3\n4\n.: LINK Lib README more  lib: x  more: HARD third two\nh\ntwo\n"
        #expect(restored.output == round + round, "\(restored)")
    }

    @Test("A name that is replaced by a further name of a file is never missing, whenever the restore is killed")
    func killedAtLinks() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree old; echo new > tree/a; mkfifo tree/p; ln -s to tree/l
            for i in 1 2 3; do echo old $i > old/b$i; ln tree/a tree/b$i; done; ln tree/p tree/q; ln tree/l tree/m; echo old > old/q; echo old > old/m
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let places = forEachPlace(of: ["linkat", "renameat", "unlinkat"], step: 3) { call, number in
            let killed = place.shell(
                """
                rm -rf target; cp -a old target
                strace -f -o trace -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number) \
                  holdfast restore latest --from store --to target --quiet
                """)
            if killed.status == 0 { return true }
            let there = place.shell(
                "cd target; for i in b1 b2 b3 q m; do [ -e $i ] || [ -L $i ] || echo $i is missing; done")
            #expect(there.output == "", "\(call) \(number): \(there)")
            let next = place.shell(
                """
                holdfast restore latest --from store --to target --quiet && ls -A target | tr '\\n' ' ' && cat target/b?
                stat -c %h target/a target/q target/m
                """)
            #expect(next.output == "a b1 b2 b3 l m p q new\nnew\nnew\n4\n2\n2\n", "\(call) \(number): \(next)")
            return false
        }
        #expect(places > 0)
    }

    @Test("An exact restore takes away trees that are deeper than a program may open files")
    func deepRemoval() {
        let place = Workplace()
        let outcome = place.shell(
            """
            mkdir tree; echo one > tree/file
            holdfast setup --root $PWD/tree --backend tree --state $PWD/state --yes || exit 10
            python3 - <<'PYTHON'
            import os
            os.mkdir("tree/deep"); folder = os.open("tree/deep", os.O_RDONLY)
            for level in range(3000):
                os.mkdir("d", dir_fd=folder); inner = os.open("d", os.O_RDONLY, dir_fd=folder); os.close(folder); folder = inner
                os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
            PYTHON
            echo two > tree/file
            ( ulimit -Hn 200; ulimit -n 200; holdfast rollback factoryreset --state $PWD/state --yes ) || exit 11
            ls tree; cat tree/file
            """)
        #expect(outcome.status == 0 && outcome.output.hasSuffix("\nfile\none\n"), "\(outcome)")
    }

    @Test("With several sources, --only takes the paths that --dry-run --verbose lists")
    func listedPaths() {
        let place = Workplace()
        place.shell("mkdir -p one/a two/a; echo 1 > one/a/file; echo 2 > two/a/file")
        #expect(place.holdfast("backup one two --to store").status == 0)
        let listed = place.shell("holdfast restore latest --from store --dry-run --verbose 2>&1 | grep two/a/file")
        let path = listed.output.split(separator: "\n").first.map(String.init) ?? "nothing"
        let restored = place.holdfast("restore latest --from store --to target --only \(path)")
        #expect(restored.status == 0, "\(path): \(restored)")
        #expect(place.shell("cd target; find . -type f | xargs cat").output == "2\n")
    }

    @Test("A file system that cannot sync folders takes a restore; one that is read-only is called that")
    func fileSystems() {
        let place = Workplace()
        place.shell("mkdir tree; echo image > tree/file; mkdir mount")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let odd = place.shell(
            "strace -f -o trace -e trace=fsync -e inject=fsync:error=EINVAL holdfast restore latest --from store --to new/target"
        )
        #expect(odd.status == 0, "\(odd)")
        place.shell("mount -t tmpfs -o ro tmpfs mount")
        defer { place.shell("umount mount") }
        let refused = place.holdfast("restore latest --from store --to mount/target")
        #expect(refused.status == 4 && refused.output.contains("read-only"), "\(refused)")
        #expect(!refused.output.contains("as root"), "\(refused)")
    }
}
