// What is more than an image can hold costs itself alone, is named, and everything else comes back.

import TestSupport
import Testing

@Suite struct LimitTests {
    /// In a mount namespace of its own, with `tree` on a tmpfs: most file systems of tests hold few attributes.
    private func onTmpfs(_ place: Workplace, _ commands: String) -> Outcome {
        place.shell(
            """
            mkdir -p tree; cat > commands.sh <<'END'
            set -e
            mount -t tmpfs none tree
            \(commands)
            END
            unshare -m bash commands.sh
            """)
    }

    @Test("Attributes that no image holds cost themselves, are named each time, and stop neither backup nor restore")
    func attributes() {
        let place = Workplace()
        let outcome = onTmpfs(
            place,
            """
            mkdir tree/heavy-folder; ln -s nowhere tree/link
            for i in $(seq 300); do echo $i > tree/$i; done
            echo content > tree/heavy; echo all > tree/nearly
            python3 - <<'PYTHON'
            import os
            def attributes(path, count):
                for i in range(count): os.setxattr(path, f"user.{i}", os.urandom(60000))
            attributes("tree/heavy", 110)
            attributes("tree/heavy-folder", 80)
            attributes("tree/nearly", 50)
            PYTHON
            holdfast store init store --quiet
            for run in first second; do
                code=0; holdfast backup tree --to store --name $run > $run.txt 2>&1 || code=$?
                cat $run.txt; test $code = 3
                grep -q 'tree/heavy: its attributes' $run.txt; grep -q 'tree/heavy-folder: its attributes' $run.txt
                test $(grep -c 'its attributes' $run.txt) = 2
                holdfast verify $run --from store --read-data
                holdfast restore $run --from store --to tree/restored-$run
                for i in $(seq 300) heavy nearly; do cmp tree/$i tree/restored-$run/$i; done
                test $(getfattr tree/restored-$run/nearly 2>/dev/null | grep -c '^user') = 50
                rm -r tree/restored-$run
            done
            code=0; holdfast backup tree --output image.hf || code=$?
            test $code = 3
            holdfast restore --input image.hf --to tree/out; cmp tree/heavy tree/out/heavy; cmp tree/300 tree/out/300
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }

    /// A chain of folders, each `length` bytes long, and a file in each hundredth.
    private let chain = """
        cat > chain.py <<'END'
        import os, sys
        root, depth, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        os.makedirs(root, exist_ok=True)
        folder = os.open(root, os.O_RDONLY)
        for level in range(depth):
            name = "d" * length
            os.mkdir(name, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
            if level % 100 == 99: os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
        END
        """

    @Test(
        "Folders beyond the depth or the length of path of an image cost what is in them alone, at a small cost",
        arguments: [(4200, 1, 4095), (2000, 200, 488)])
    func chain(depth: Int, length: Int, kept: Int) {
        let place = Workplace()
        let outcome = place.shell(
            """
            \(chain)
            set -e
            mkdir tree; for i in $(seq 2000); do echo $i > tree/$i; done
            python3 chain.py tree/deep \(depth) \(length)
            holdfast store init store --quiet
            for run in first second; do
                code=0; holdfast backup tree --to store --name $run > $run.txt 2>&1 || code=$?
                cat $run.txt; test $code = 3; test $(grep -c 'left out with all that is in it' $run.txt) = 1
                test $(wc -c < $run.txt) -lt 5000
            done
            test $(du -sm store | cut -f1) -lt 20
            holdfast verify first --from store --read-data
            holdfast restore second --from store --to restored
            test $(ls restored | wc -l) = 2001; cmp tree/2000 restored/2000
            test $(find restored/deep -type d | wc -l) = \(kept)
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(
        "A point of a plain tree says what it does not hold, and a rollback of such a tree is refused: undo would lose it"
    )
    func points() {
        let place = Workplace()
        let outcome = place.shell(
            """
            \(chain)
            mkdir tree; echo one > tree/file
            holdfast setup --root $PWD/tree --backend tree --state $PWD/state --yes || exit 10
            python3 chain.py tree/deep 4200 1; echo two > tree/file
            holdfast create deep --state $PWD/state; test $? = 3 || exit 11
            holdfast rollback factoryreset --state $PWD/state --yes > rollback.txt 2>&1; code=$?
            cat rollback.txt; test $code != 0 || exit 12
            grep -q 'two' tree/file || exit 13
            test $(find tree/deep -maxdepth 3000 -type d | wc -l) = 3001
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(
        "A name longer than 255 bytes, as NTFS and exFAT have them, stops nothing, and is named by a backup",
        .enabled(if: runShell("/usr/bin/python3 -c 'import fusepy as fuse' && test -c /dev/fuse").status == 0))
    func longNames() {
        let place = Workplace()
        let outcome = place.shell(
            """
            cat > names.py <<'END'
            import errno, stat, sys; import fusepy as fuse
            names = ["a", "n" * 256, "f" * 300, "x" * 1000, "z"]
            folders = ["/" + "f" * 300]
            class Names(fuse.Operations):
                def getattr(self, path, handle=None):
                    if path == "/" or path in folders: return dict(st_mode=stat.S_IFDIR | 0o755, st_nlink=2)
                    if path.rsplit("/", 1)[1] not in names: raise fuse.FuseOSError(errno.ENOENT)
                    return dict(st_mode=stat.S_IFREG | 0o644, st_nlink=1, st_size=5)
                def readdir(self, path, handle): return [".", ".."] + (names if path == "/" else ["z"])
                def read(self, path, size, offset, handle): return b"bytes"[offset:offset + size]
            fuse.FUSE(Names(), sys.argv[1], foreground=True)
            END
            mkdir -p odd; /usr/bin/python3 names.py odd > fuse.txt 2>&1 &
            for i in $(seq 100); do test -e odd/a && break; sleep 0.1; done
            holdfast store init store --quiet; holdfast backup odd --to store; backup=$?
            holdfast restore latest --from store --to restored; restore=$?
            ls restored
            holdfast images --from odd; images=$?
            mkdir points; holdfast store init odd --recipient $(age-keygen 2>/dev/null | sed -n 's/.*public key: //p'); init=$?
            fusermount -u odd || umount -l odd
            wait
            echo "backup $backup restore $restore images $images init $init"
            """)
        #expect(outcome.output.contains("backup 3 restore 0 images 2 init 2"), "\(outcome)")
        #expect(outcome.output.contains("\na\nz\n"), "\(outcome)")
        for count in [256, 300, 1000] {
            #expect(outcome.output.contains("its name has \(count) bytes"), "\(outcome)")
        }
    }

    @Test("Sizes that add up to more than a number holds stop nothing, and come back")
    func sizes() {
        let place = Workplace()
        let outcome = onTmpfs(
            place,
            """
            mkdir tree/in; for i in 1 2 3; do truncate -s 9223372036854775807 tree/in/$i; done; echo content > tree/in/small
            holdfast store init store --quiet; holdfast backup tree/in --to store --json; holdfast backup tree/in --to store
            holdfast backup tree/in --output image.hf
            holdfast verify --from store --read-data; holdfast images --from store --json
            holdfast copy --from store --to replica; holdfast copy --from store latest --output copy.hf
            holdfast restore latest --from store --to tree/out; holdfast restore latest --from store --to tree/out
            holdfast restore --input image.hf --to tree/single
            cmp tree/in/small tree/out/small; cmp tree/in/small tree/single/small
            test $(stat -c %s tree/out/3) = 9223372036854775807
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test("A log with numbers beyond all counting is called what it is, and goes on")
    func logNumbers() {
        let place = Workplace()
        let outcome = place.shell(
            """
            mkdir tree; holdfast setup --root $PWD/tree --backend tree --state $PWD/state --yes || exit 10
            chattr -a state/log/audit.jsonl
            tail -n 1 state/log/audit.jsonl | sed -E 's/"sequence":[0-9]+/"sequence":18446744073709551615/; s/"status":0/"status":-7/' > line
            tail -n 1 state/log/audit.jsonl | sed -E 's/"status":0/"status":-7/' >> line
            cat line >> state/log/audit.jsonl
            holdfast log --state $PWD/state --json; test $? = 0 || exit 11
            holdfast log verify --state $PWD/state; test $? = 3 || exit 12
            holdfast create --state $PWD/state; test $? = 0 || exit 13
            printf 'HFAUDIT1\\377\\377\\377\\377\\377\\377\\377\\377' | dd of=state/log/key conv=notrunc 2>/dev/null
            holdfast create --state $PWD/state; test $? = 0 || exit 14
            holdfast log verify --state $PWD/state; test $? = 3 || exit 15
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test("Trees deeper than a program may open files are backed up, and deeper than any stack are compared")
    func deep() {
        let place = Workplace()
        let outcome = place.shell(
            """
            \(chain)
            mkdir tree; echo one > tree/file
            holdfast setup --root $PWD/tree --backend tree --state $PWD/state --yes || exit 10
            python3 chain.py tree/deep 3000 1; echo two > tree/file
            holdfast store init store --quiet
            ( ulimit -Hn 200; ulimit -n 200; holdfast backup tree --to store ) || exit 11
            holdfast diff --state $PWD/state > diff.txt; cut -c1-100 diff.txt | tail -n 3
            test $(grep -c deep diff.txt) = 3031 || exit 12
            python3 chain.py tree/deeper \(runsAll ? 12000 : 6000) 1
            holdfast diff --state $PWD/state > diff.txt || test $? = 3 || exit 13
            test $(grep -c deeper diff.txt) -gt 4000 || exit 14
            """)
        #expect(outcome.status == 0, "\(outcome)")
    }
}
