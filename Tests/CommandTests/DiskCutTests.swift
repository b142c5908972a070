// Restores of a disk that end early: power, pipes, and disks that fail or are others by now. Whatever happens, no disk is left that is half right, and the
// same command ends what was begun.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskCutTests {
    /// A disk of 64 MB with an ext4 of 40, a FAT, and something in a gap; what was on the target before is noise.
    private static let disk = """
        set -e; mkdir -p files; for i in $(seq 30); do head -c $((i * 30000)) /dev/urandom >files/f$i; done
        truncate -s 64M disk; printf 'label: gpt\\nstart=2048,size=40M,type=linux\\nstart=86016,size=10M,type=uefi\\n' | sfdisk -q disk
        truncate -s 40M p; mkfs.ext4 -q -d files p; dd if=p of=disk bs=1M seek=1 conv=notrunc,sparse status=none
        truncate -s 10M p; mkfs.vfat p >/dev/null; mcopy -s -i p files/f1 files/f2 ::/; dd if=p of=disk bs=1M seek=42 conv=notrunc,sparse status=none
        printf vendor | dd of=disk bs=512 seek=85000 conv=notrunc status=none
        """

    /// What of `new` is not as in `disk`; nothing where all is.
    private static let compare = """
        exec 2>&1; sfdisk -d disk | sed '/^device/d; s/^disk//' >one; sfdisk -d new | sed '/^device/d; s/^new//' >two; diff one two
        mkdir -p mnt; dd if=new of=q bs=1M skip=1 count=40 status=none; e2fsck -fn q >said 2>&1 || cat said
        mount -o loop,ro q mnt; diff -r files mnt | grep -v lost+found; umount mnt
        dd if=new of=q bs=1M skip=42 count=10 status=none; fsck.vfat -n q >said || cat said; mcopy -n -i q ::/f1 g1; mcopy -n -i q ::/f2 g2; cmp g1 files/f1; cmp g2 files/f2; rm -f g1 g2; cmp -i 43520000 -n 6 disk new; sgdisk -v new | grep -q 'No problems found' || sgdisk -v new
        """

    /// Keeps what a program does to a file: each write, each stretch that becomes zeros, and each time all before is made durable.
    private static let recorder = """
        #define _GNU_SOURCE 1
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/uio.h>
        #include <unistd.h>
        static int is_disk(int file) {
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t count = readlink(link, path, sizeof path);
            const char *wanted = getenv("RECORDED");
            return wanted && count == (ssize_t)strlen(wanted) && memcmp(path, wanted, (size_t)count) == 0;
        }
        static void keep(uint64_t kind, uint64_t offset, uint64_t length, const void *content) {
            static int log = -1;
            if (log < 0) log = open(getenv("RECORD"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            uint64_t head[3] = {kind, offset, length};
            struct iovec parts[2] = {{head, sizeof head}, {(void *)content, content ? length : 0}};
            if (writev(log, parts, 2) < 0) abort();
        }
        #define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
        ssize_t pwrite64(int file, const void *content, size_t count, off64_t offset) {
            ssize_t done = NEXT(pwrite64)(file, content, count, offset);
            if (done > 0 && is_disk(file)) keep(1, (uint64_t)offset, (uint64_t)done, content);
            return done;
        }
        ssize_t pwrite(int file, const void *content, size_t count, off_t offset) { return pwrite64(file, content, count, offset); }
        int fallocate64(int file, int mode, off64_t offset, off64_t length) { return fallocate(file, mode, offset, length); }
        int fallocate(int file, int mode, off_t offset, off_t length) {
            int done = NEXT(fallocate)(file, mode, offset, length);
            if (done == 0 && is_disk(file)) keep(2, (uint64_t)offset, (uint64_t)length, NULL);
            return done;
        }
        int fsync(int file) {
            int done = NEXT(fsync)(file);
            if (done == 0 && is_disk(file)) keep(3, 0, 0, NULL);
            return done;
        }
        int fdatasync(int file) {
            int done = NEXT(fdatasync)(file);
            if (done == 0 && is_disk(file)) keep(3, 0, 0, NULL);
            return done;
        }
        """

    /// The disk as a power cut behind so many steps leaves it: all that was made durable, and of the rest any part, each sector for itself.
    private static let replay = """
        import random, struct, sys
        _, record, before, after, wanted, seed = sys.argv
        steps, data, place = [], open(record, "rb").read(), 0
        while place < len(data):
            kind, offset, length = struct.unpack_from("<QQQ", data, place); place += 24
            content = data[place:place + length] if kind == 1 else None
            place += length if kind == 1 else 0
            steps.append((kind, offset, length, content))
        if wanted == "count":
            print(len(steps)); sys.exit()
        steps = steps[:int(wanted)]
        durable = max([index for index, step in enumerate(steps) if step[0] == 3], default=-1)
        disk, dice = bytearray(open(before, "rb").read()), random.Random(int(seed))
        for index, (kind, offset, length, content) in enumerate(steps):
            if kind == 3: continue
            for start in range(offset, offset + length, 4096):
                end = min(start + 4096, offset + length, len(disk))
                if index < durable or dice.random() < 0.5:
                    disk[start:end] = content[start - offset:end - offset] if kind == 1 else bytes(end - start)
        open(after, "wb").write(disk)
        """

    @Test(
        "After a power cut at any point of a restore the disk has our note or is whole, and the same command ends it")
    func power() throws {
        let place = Workplace()
        #expect(place.shell(Self.disk).output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        try writeNew(BytePath(place.file("recorder.c")), Array(Self.recorder.utf8))
        try writeNew(BytePath(place.file("replay.py")), Array(Self.replay.utf8))
        let recorded = place.shell(
            """
            exec 2>&1; clang -O1 -shared -fPIC -o recorder.so recorder.c -ldl || exit 1
            head -c 64M /dev/urandom >before; printf 'label: gpt\\nsize=9M\\nsize=50M\\n' | sfdisk -q --wipe never before; cp before new; export RECORD=$PWD/record RECORDED=$PWD/new
            LD_PRELOAD=$PWD/recorder.so \(builtProgram) restore latest --from store --disk ./new --confirm new --exact --quiet
            """)
        #expect(recorded.status == 0 && recorded.output == "", "\(recorded)")
        #expect(place.shell(Self.compare).output == "")
        let count = Int(place.shell("python3 replay.py record before new count 0").output.filter(\.isNumber)) ?? 0
        #expect(count > 30, "\(count)")
        let points = runsAll ? 40 : 6
        // All of the end, where the table is written, and the beginning; the rest evenly.
        var steps = Set((1...4) + [count] + (0..<max(1, points / 3)).map { count - $0 })
        while steps.count < min(points, count) { steps.insert(Int.random(in: 5..<count)) }
        for step in steps.sorted() {
            place.shell("python3 replay.py record before new \(step) \(step)")
            let isNoted = place.shell("head -c 512 new | strings -n 20").output.contains(
                "Holdfast: this disk is being restored")
            let hasTable = place.shell("sfdisk -d new 2>&1").status == 0
            // Nothing is durable before the note is, and then nothing but it, or all.
            #expect(isNoted != hasTable, "\(step) of \(count)")
            if hasTable, step > 2 {
                #expect(place.shell(Self.compare).output == "", "half right at \(step) of \(count)")
            }
            let again = place.holdfast("restore latest --from store --disk ./new --confirm new --exact --quiet")
            #expect(again.status == 0, "\(step): \(again)")
            #expect(place.shell(Self.compare).output == "", "\(step)")
        }
    }

    @Test("A disk that has no room, or fails, is said; the same command ends what was begun")
    func failing() {
        let place = Workplace()
        #expect(place.shell(Self.disk).output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        defer { place.shell("umount small") }
        place.shell("mkdir small; mount -t tmpfs -o size=8M none small; ln -s small/new new")
        let full = place.holdfast("restore latest --from store --disk ./small/new --quiet")
        #expect(full.status == 1 && full.output.contains("is full"), "\(full)")
        #expect(full.output.contains("the same command goes on"), "\(full)")
        #expect(place.shell("sfdisk -d small/new 2>&1").status != 0)
        place.shell("mount -o remount,size=100M small")
        let again = place.holdfast("restore latest --from store --disk ./small/new --quiet")
        #expect(again.status == 0, "\(again)")
        #expect(place.shell(Self.compare).output == "")
        // Counted for each thread.
        for step in runsAll ? [1, 2, 3, 5, 7, 9, 12, 15, 18, 22] : [7] {
            place.shell("rm -f new; head -c 64M /dev/urandom >new")
            let failed = place.shell(
                "timeout -s KILL 60 strace -f -qq -o trace -e trace=pwrite64,fsync,fdatasync -e inject=pwrite64,fsync,fdatasync:error=EIO:when=\(step)+ \(builtProgram) restore latest --from store --disk ./new --confirm new --quiet"
            )
            #expect(failed.status == 1 && failed.output.contains("put/output error"), "\(step): \(failed)")
            #expect(place.shell("sfdisk -d new 2>&1").status != 0, "\(step)")
            #expect(place.holdfast("restore latest --from store --disk ./new --confirm new --quiet").status == 0)
            #expect(place.shell(Self.compare).output == "", "\(step)")
        }
    }

    @Test("A pipe that breaks off anywhere leaves no disk that starts", .enabled(if: runsAll, "an hour of restores"))
    func pipes() {
        let place = Workplace()
        let made = place.shell(
            """
            truncate -s 300M disk; printf 'label: gpt\\nsize=200M\\nsize=50M\\n' | sfdisk -q disk; mkdir files; head -c 150M /dev/urandom >files/a
            truncate -s 200M p; mkfs.ext4 -q -d files p; dd if=p of=disk bs=1M seek=1 conv=notrunc,sparse status=none; head -c 50M /dev/urandom | dd of=disk bs=1M seek=201 conv=notrunc status=none
            """)
        #expect(made.output == "")
        place.holdfast("backup --disk disk --output image --quiet")
        let length = Int(place.shell("stat -c %s image").output.filter(\.isNumber)) ?? 0
        #expect(length > 200_000_000)
        for number in 0..<200 {
            let cut = number == 199 ? length - 1 : Int.random(in: 1..<length)
            place.shell("rm -f new")
            let refused = place.shell(
                "head -c \(cut) image | holdfast restore --input - --disk ./new --no-read-back --quiet")
            // Its root is there twice, at the end.
            #expect(refused.status != 0 || cut > length - 10_000, "\(cut): \(refused)")
            #expect((place.shell("sfdisk -d new 2>&1").status != 0) == (refused.status != 0), "\(cut): \(refused)")
        }
    }

    /// Runs a program on a terminal: where it asks, the first answer is typed, behind a command; then the others, one after each question.
    static let terminal = """
        import os, pty, subprocess, sys
        command, answers, words = sys.argv[1], sys.argv[2].split("|"), sys.argv[3:]
        process, terminal = pty.fork()
        if process == 0: os.execvp(words[0], words)
        shown, asked = b"", 0
        while True:
            try: data = os.read(terminal, 4096)
            except OSError: break
            if not data: break
            shown += data
            while answers and shown.count(b"ype ", asked) and shown.endswith(b": "):
                asked = len(shown)
                if command: subprocess.run(command, shell=True); command = ""
                os.write(terminal, answers.pop(0).encode() + b"\\n")
        sys.stdout.buffer.write(shown)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        """

    private func onTerminal(_ place: Workplace, _ command: String, _ answers: String, _ words: String) throws -> Outcome
    {
        let script = place.path + "/terminal.py"
        if !exists(BytePath(script)) { try writeNew(BytePath(script), Array(Self.terminal.utf8)) }
        return place.shell("python3 \(script) '\(command)' '\(answers)' \(builtProgram) \(words)")
    }

    @Test("What takes the place of a disk while its name is asked for is not written to")
    func exchanged() throws {
        let place = Workplace()
        #expect(place.shell(Self.disk).output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        place.shell("for f in new b; do head -c 64M /dev/urandom >$f; done; cp b c; sha256sum b c >sums")
        // A file: the one that was shown is held.
        let file = try onTerminal(
            place, "mv new a; mv b new", "new", "restore latest --from store --disk ./new")
        #expect(file.status == 0, "\(file)")
        #expect(place.shell("mv new b; mv a new; sha256sum --quiet -c sums").output == "")
        #expect(place.shell(Self.compare).output == "")
        // A device: nobody can take it away.
        place.shell("head -c 64M /dev/urandom >new; losetup -f --show new >loop")
        let device = try onTerminal(
            place, "losetup -d $(cat loop); losetup $(cat loop) b",
            String(place.shell("basename $(cat loop)").output.dropLast()),
            "restore latest --from store --disk $(cat loop)")
        #expect(device.status == 0, "\(device)")
        place.shell("losetup -d $(cat loop)")
        #expect(place.shell("sha256sum --quiet -c sums").output == "")
        #expect(place.shell(Self.compare).output == "")
    }

    @Test("A serial number may be mistyped twice, and nothing typed ends it")
    func mistyped() throws {
        let place = Workplace()
        #expect(place.shell(Self.disk).output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        place.shell("head -c 64M /dev/urandom >new; sha256sum new >sum")
        for answers in ["a|b|c|new", "a|", "|"] {
            let refused = try onTerminal(place, "", answers, "restore latest --from store --disk ./new")
            #expect(refused.status == 4 && refused.output.contains("not confirmed"), "\(answers): \(refused)")
            #expect(place.shell("sha256sum --quiet -c sum").output == "")
        }
        let agreed = try onTerminal(place, "", "a|b|new", "restore latest --from store --disk ./new")
        #expect(agreed.status == 0, "\(agreed)")
        #expect(place.shell(Self.compare).output == "")
    }

    @Test("A backup into a pipe leaves the line of progress to who reads it, unless more is wanted")
    func progress() throws {
        let place = Workplace()
        #expect(place.shell(Self.disk).output == "")
        place.shell("holdfast key generate --quiet; head -c 60M /dev/urandom >large; mkdir folder; mv large folder/")
        try writeNew(BytePath(place.path + "/terminal.py"), Array(Self.terminal.utf8))
        func shown(_ words: String) throws -> String {
            try writeNew(
                BytePath(place.path + "/run"),
                Array("\(builtProgram) backup folder --output - \(words) | cat >/dev/null\n".utf8))
            return place.shell("python3 terminal.py '' '' sh run; rm run").output
        }
        #expect(try !shown("").contains("\r\u{1b}[K"))
        #expect(try shown("--verbose").contains("\r\u{1b}[K"))
    }
}
