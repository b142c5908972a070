// What is lost of a bad disk has names, and what lies in no partition is not lost.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskLossTests {
    /// Has a program find sectors of a disk that cannot be read: what reads of them fails.
    private static let badDisk = """
        #define _GNU_SOURCE 1
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/types.h>
        #include <unistd.h>
        ssize_t pread64(int file, void *content, size_t count, off64_t offset) {
            char link[64], path[4096], *text = getenv("BAD_RANGES");
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, path, sizeof path);
            const char *wanted = getenv("BAD_DISK");
            if (wanted && length == (ssize_t)strlen(wanted) && memcmp(path, wanted, (size_t)length) == 0)
                while (text && *text) {
                    off64_t start = strtoll(text, &text, 10), end = strtoll(text, &text, 10);
                    if (offset < end && offset + (off64_t)count > start) {
                        errno = EIO;
                        return -1;
                    }
                }
            return ((ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64"))(file, content, count, offset);
        }
        ssize_t pread(int file, void *content, size_t count, off_t offset) { return pread64(file, content, count, offset); }
        """

    @Test(
        "Of a disk with bad sectors the files are named that have them, and all others are whole",
        arguments: ["ext4", "xfs", "btrfs"])
    func badSectors(_ type: String) throws {
        let place = Workplace()
        // Where a program can do it nothing is mounted: what others hold of a mount keeps it from being clean.
        let made = place.shell(
            """
            exec 2>&1; mkdir -p m t/d; for i in $(seq 100); do head -c 2000000 /dev/urandom >t/d/f$i; done; (cd t; sha256sum d/*) >sums; truncate -s 320M p
            case \(type) in ext4) mkfs.ext4 -q -b 4096 -d t p ;; btrfs) mkfs.btrfs -q -m single -r t p >/dev/null 2>&1 ;; xfs) mkfs.xfs -q p; mount -o loop p m; cp -r t/d m/; umount m ;; esac
            truncate -s 321M disk; echo 'start=2048, type=83' | sfdisk -q disk; dd if=p of=disk bs=1M seek=1 conv=notrunc status=none; rm p
            """)
        #expect(made.output == "")
        try writeNew(BytePath(place.file("bad.c")), Array(Self.badDisk.utf8))
        let backup = place.shell(
            """
            clang -shared -fPIC -o bad.so bad.c -ldl; holdfast key generate --quiet; holdfast store init store --quiet
            export BAD_RANGES="60000256 60300000 150003712 150004224 200000000 203000000"
            BAD_DISK=$PWD/disk LD_PRELOAD=$PWD/bad.so holdfast backup --disk disk --to store --verbose
            """)
        #expect(backup.status == 3 && backup.output.contains("could not be read, and are zeros"), "\(backup)")
        #expect(backup.output.contains("part1: \(type): blocks"), "\(backup)")
        let named = Set(
            backup.output.split(separator: "\n").filter { $0.contains("a part of it could not be read") }
                .compactMap { $0.split(separator: "/part1/").last?.split(separator: ":").first.map(String.init) })
        let restored = place.holdfast("restore latest --from store --disk ./new")
        #expect(
            restored.status == 3 && restored.output.contains("could not be read when the image was made"), "\(restored)"
        )
        let lost = place.shell(
            """
            dd if=new of=q bs=1M skip=1 status=none; mount -o loop,ro q m; (cd m; sha256sum -c ../sums 2>/dev/null | sed -n 's/: FAILED.*//p'); umount m
            """
        ).output.split(separator: "\n").map(String.init)
        #expect((2...10).contains(lost.count), "\(lost)")
        #expect(Set(lost).isSubset(of: named), "lost \(lost), named \(named)")
        #expect(named.subtracting(lost).isEmpty, "named for nothing: \(named.subtracting(lost))")
    }

    @Test("Where a table, or a map of what is used, cannot be read, all else of the disk comes all the same")
    func badMaps() throws {
        let place = Workplace()
        let made = place.shell(
            """
            exec 2>&1; truncate -s 80M disk; printf 'label: gpt\\nsize=60M,type=uefi\\nsize=10M\\n' | sfdisk -q disk; head -c 5M /dev/urandom >file
            truncate -s 60M p; mkfs.vfat -F 32 -s 1 p >/dev/null; mcopy -i p file ::/; dd if=p of=disk bs=1M seek=1 conv=notrunc,sparse status=none
            """)
        #expect(made.output == "")
        try writeNew(BytePath(place.file("bad.c")), Array(Self.badDisk.utf8))
        // The first header of the table, and 4 KiB of the first FAT.
        let backup = place.shell(
            """
            clang -shared -fPIC -o bad.so bad.c -ldl; holdfast key generate --quiet; export BAD_DISK=$PWD/disk BAD_RANGES="512 1024 1085440 1089536"
            LD_PRELOAD=$PWD/bad.so holdfast backup --disk disk --output image --verbose
            """)
        #expect(backup.status == 3 && backup.output.contains("the first GPT header cannot be read"), "\(backup)")
        #expect(backup.output.contains("part1: vfat: raw, all"), "\(backup)")
        #expect(backup.output.contains("what is used of it could not be read"), "\(backup)")
        let restored = place.holdfast("restore --input image --disk ./new --exact")
        #expect(restored.status == 3, "\(restored)")
        let other = place.shell(
            """
            for f in disk new; do sfdisk -d $f | sed "/^device/d; s/^$f//" >$f.table; done; diff disk.table new.table
            cmp -l disk new | awk '$1 <= 1085440 || $1 > 1089536' | head
            """)
        #expect(other.output == "", "\(other)")
    }

    @Test(
        "What lies in no partition comes back, and on a larger disk what has a place there", arguments: ["gpt", "dos"])
    func gaps(_ label: String) {
        let place = Workplace()
        let tables = [
            "gpt": "label: gpt\\nstart=2048,size=20M\\nstart=45056,size=20M\\nstart=90112,size=20M\\n",
            "dos":
                "label: dos\\nstart=2048,size=20M,type=83\\nstart=45056,size=62M,type=5\\nstart=47104,size=20M,type=83\\nstart=92160,size=20M,type=83\\n",
        ]
        let made = place.shell(
            """
            exec 2>&1; truncate -s 200M disk; printf '\(tables[label] ?? "")' | sfdisk -q disk
            truncate -s 20M p; mkfs.ext4 -q p; for s in $(sfdisk -d disk | sed -n 's/.*start= *\\([0-9]*\\),.*size= *40960,.*/\\1/p'); do dd if=p of=disk bs=512 seek=$s conv=notrunc,sparse status=none; done
            for s in 100 44000 46000 89000 91000 300000 409000; do printf "vendor $s" | dd of=disk bs=512 seek=$s conv=notrunc status=none; done
            """)
        #expect(made.output == "")
        let plan = place.holdfast("backup --disk disk --dry-run")
        #expect(plan.output.contains("gap: what lies before the partitions: raw"), "\(plan)")
        #expect(plan.output.contains("gap2: what lies beside the partitions: raw"), "\(plan)")
        place.holdfast("backup --disk disk --output image --quiet")
        place.shell("head -c 200M /dev/urandom >new; head -c 300M /dev/urandom >larger")
        let restored = place.holdfast("restore --input image --disk ./new --confirm new --exact")
        #expect(restored.status == 0, "\(restored)")
        // All of the disk, but for what no file of the file systems has, and cylinders and heads in the chain of logical partitions.
        let links = label == "dos" ? "45056 90112" : ""
        let same = place.shell(
            """
            exec 2>&1; for f in disk new; do cp $f x; for s in $(sfdisk -d disk | sed -n 's/.*start= *\\([0-9]*\\),.*size= *40960,.*/\\1/p'); do dd if=/dev/zero of=x bs=512 seek=$s count=40960 conv=notrunc status=none; done; for s in \(links); do dd if=/dev/zero of=x bs=512 seek=$s count=1 conv=notrunc status=none; done; sha256sum <x >$f.sum; done; cmp disk.sum new.sum
            """)
        #expect(same.output == "", "what lies in no partition")
        let larger = place.holdfast("restore --input image --disk ./larger --confirm larger")
        #expect(larger.status == 0, "\(larger)")
        let isGrown = larger.output.contains("has grown")
        #expect(isGrown == (label == "gpt"), "\(larger)")
        #expect(larger.output.contains("is left out: it lay behind the last partition") == isGrown, "\(larger)")
        let marks = place.shell(
            "for s in 100 44000 46000 89000 300000; do dd if=larger bs=512 skip=$s count=1 status=none | strings -n 6; done; true"
        )
        #expect(marks.output.split(separator: "\n").count >= 4, "\(marks)")
        // One that is as small as the partitions allow takes no room for what lay behind them.
        #expect(place.holdfast("restore --input image --disk ./small --dry-run").status == 0)
        let size = label == "gpt" ? 66 : 110
        place.shell("truncate -s \(size)M small")
        let small = place.holdfast("restore --input image --disk ./small --confirm small")
        #expect(small.status == 0 && small.output.contains("where this disk ends"), "\(small)")
    }
}
