// Images of disks that are damaged, cut, or not all there: what can be known is known before the disk that they go to is cleared, and damage costs
// what it hit.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskDamageTests {
    /// A disk of 44 MB whose only partition holds noise, from 1 MB on, and its image.
    private static let disk = """
        exec 2>&1; set -e; head -c 44M /dev/urandom >disk; printf 'label: gpt\\nstart=2048,size=40M\\n' | sfdisk -q --wipe never disk
        holdfast key generate --quiet >said; dd if=disk of=part bs=1M skip=1 count=40 status=none; head -c 44M /dev/urandom >new; sha256sum new >sum
        """

    /// Prints which blocks of 256 KiB of two files differ, as one line: how many, the first, the last.
    private static let compare = """
        import sys
        one, two = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
        at = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        two = two[at:at + len(one)]
        size = 256 << 10
        other = [n for n in range(0, len(one), size) if one[n:n + size] != two[n:n + size]]
        print(len(one) == len(two), len(other), all(not any(two[n:n + size]) for n in other))
        """

    private func make(_ place: Workplace, _ output: String) throws {
        #expect(place.shell(Self.disk).output == "")
        try writeNew(BytePath(place.file("compare.py")), Array(Self.compare.utf8))
        let made = place.holdfast("backup --disk disk \(output) --quiet")
        #expect(made.status == 0, "\(made)")
    }

    @Test("Bytes damaged in an image cost the blocks that they hit, which are named, on a disk and in a file")
    func damagedBytes() throws {
        let place = Workplace()
        try make(place, "--output image")
        place.shell("head -c 2000 /dev/urandom | dd of=image bs=1M seek=20 conv=notrunc status=none")
        for (words, file, offset) in [("--to out", "out/part1", 0), ("--disk ./new --confirm new", "new", 1 << 20)] {
            let restored = place.holdfast("restore --input image \(words)")
            #expect(restored.status == 3 && restored.output.contains(": bytes "), "\(words): \(restored)")
            let seen = place.shell("python3 compare.py part \(file) \(offset)")
            #expect(seen.output == "True 1 True\n", "\(words): \(seen)")
        }
        #expect(place.holdfast("verify --input image").status == 3)
    }

    @Test("A stretch of an image that is lost costs what lay there, and what comes behind it is restored")
    func lostStretch() throws {
        let place = Workplace()
        try make(place, "--output image")
        place.shell("dd if=/dev/zero of=image bs=1M seek=14 count=6 conv=notrunc status=none")
        for (words, file, offset) in [("--to out", "out/part1", 0), ("--disk ./new --confirm new", "new", 1 << 20)] {
            let restored = place.holdfast("restore --input image \(words)")
            #expect(restored.status == 3 && restored.output.contains("manifest is lost"), "\(words): \(restored)")
            let seen = place.shell("python3 compare.py part \(file) \(offset)").output.split(separator: " ")
            #expect(seen.count == 3 && seen[0] == "True" && seen[2] == "True\n", "\(words): \(seen)")
            // Three batches of 4 MiB at most.
            #expect((20...56).contains(Int(seen.count == 3 ? seen[1] : "") ?? 0), "\(words): \(seen)")
        }
    }

    @Test("A part of an image that is missing or cut is named before anything is written, and so is an empty one")
    func missingParts() throws {
        let place = Workplace()
        try make(place, "--output image --part-size 12M")
        let parts = place.shell("ls image*").output
        #expect(parts == "image\nimage.2\nimage.3\nimage.4\n", "\(parts)")
        for (change, named, back) in [
            ("mv image.2 kept", "image.2 is missing", "mv kept image.2"),
            ("mv image.4 kept", "image.4 is missing", "mv kept image.4"),
            ("cp image.4 kept; truncate -s 1M image.4", "image.4 is truncated", "mv kept image.4"),
            ("cp image.3 kept; truncate -s 11M image.3", "image.3 has 11534336 of 12000000 bytes", "mv kept image.3"),
            (
                "cp image whole; mkdir kept; mv image* kept; touch image", "image is empty: no image was made",
                "rm image; mv kept/* ."
            ),
        ] {
            place.shell(change)
            let refused = place.holdfast("restore --input image --disk ./new --confirm new")
            #expect(refused.status == (named.contains("empty") ? 1 : 3), "\(named): \(refused)")
            #expect(refused.output.contains(named) && !refused.output.contains("--mark"), "\(named): \(refused)")
            #expect(place.shell("sha256sum --quiet -c sum").output == "", "\(named): it was written to")
            place.shell(back)
        }
        // The last bytes of an image are a copy of what stands before them.
        place.shell(
            "head -c 400 /dev/urandom | dd of=image.4 bs=1 seek=$(($(stat -c %s image.4) - 400)) conv=notrunc status=none"
        )
        let restored = place.holdfast("restore --input image --disk ./new --confirm new")
        #expect(
            restored.status != 4 && place.shell("python3 compare.py part new 1048576").output == "True 0 True\n",
            "\(restored)")
        // Of what is damaged at its beginning no store is spoken of.
        let headless = place.shell(
            "head -c 1M /dev/urandom | dd of=image conv=notrunc status=none; holdfast restore --input image --disk ./other"
        )
        #expect(headless.status == 3 && !headless.output.contains("--mark"), "\(headless)")
        let pipe = place.shell(
            "cat whole image.2 image.3 image.4 | holdfast restore --input - --disk ./other --dry-run")
        #expect(pipe.status == 0 && pipe.output.contains("shows only when it has come"), "\(pipe)")
        let nothing = place.shell("true | holdfast restore --input - --disk ./other")
        #expect(
            nothing.status == 1 && nothing.output.contains("standard input is empty: no image was made"), "\(nothing)")
    }

    @Test(
        "A volume that a store has lost is named before anything is written; what is there is restored where that is wanted"
    )
    func missingVolume() throws {
        let place = Workplace()
        try make(place, "--to store")
        place.shell("v=$(find store/v -type f -size +5M | head -1); echo ${v#store/} >name; mv $v kept")
        let name = place.shell("cat name").output.split(separator: "\n").first.map(String.init) ?? "?"
        let refused = place.holdfast("restore latest --from store --disk ./new --confirm new")
        #expect(refused.status == 3 && refused.output.contains("\(name) is missing"), "\(refused)")
        #expect(place.shell("sha256sum --quiet -c sum").output == "", "it was written to")
        let restored = place.holdfast("restore latest --from store --disk ./new --confirm new --incomplete")
        #expect(restored.status == 3 && place.shell("sfdisk -d new").status == 0, "\(restored)")
    }

    @Test("Files that were compressed come back compressed, and need no more room")
    func compressed() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 300M disk; echo 'label: gpt\\nstart=2048' | sfdisk -q disk; L=$(attach disk); echo $L >loop
                mkfs.btrfs -q ${L}p1 >/dev/null 2>&1; mkdir m; mount -o compress=zstd:1 ${L}p1 m; seq 60000000 >m/file; sync; btrfs subvolume sync m
                """)
        #expect(made.output == "", "\(made)")
        place.shell(
            "holdfast key generate --quiet; holdfast backup --disk $(cat loop) --output image --quiet; sha256sum <m/file >sum"
        )
        place.shell(partitionedLoops + "umount m; leave $(cat loop)")
        let restored = place.holdfast("restore --input image --disk ./new")
        #expect(restored.status == 0 && restored.output.contains("they may not fit"), "\(restored)")
        let seen = place.shell(
            "exec 2>&1; dd if=new of=q bs=1M skip=1 status=none; mount -o loop q m; sha256sum <m/file | cmp - sum; umount m"
        )
        #expect(seen.output == "", "\(seen)")
    }

    @Test(
        "Files that shared what they have in common are compared with the room that they will have, before anything is written"
    )
    func shared() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 340M disk; printf 'label: gpt\\nstart=2048\\n' | sfdisk -q disk; L=$(attach disk); echo $L >loop
                mkfs.xfs -q ${L}p1; mkdir m; mount ${L}p1 m; head -c 150M /dev/urandom >m/a; for n in b c d; do cp --reflink=always m/a m/$n; done
                """)
        #expect(made.output == "", "\(made)")
        place.shell(
            "holdfast key generate --quiet; holdfast store init store --quiet; holdfast backup --disk $(cat loop) --to store --quiet"
        )
        place.shell(
            partitionedLoops + "umount m; leave $(cat loop); head -c 340M /dev/urandom >new; sha256sum new >sum")
        let refused = place.holdfast("restore latest --from store --disk ./new --confirm new")
        #expect(refused.status == 4 && refused.output.contains("the files of part1 come to 6291"), "\(refused)")
        #expect(refused.output.contains("take a larger disk"), "\(refused)")
        #expect(place.shell("sha256sum --quiet -c sum").output == "", "it was written to")
        place.shell("truncate -s 900M larger")
        let restored = place.holdfast("restore latest --from store --disk ./larger --confirm larger")
        #expect(restored.status == 0, "\(restored)")
        // What may not fit is said, and tried.
        place.shell("truncate -s 630M tight")
        let tight = place.holdfast("restore latest --from store --disk ./tight --confirm tight --dry-run")
        #expect(tight.status == 0 && tight.output.contains("they may not fit, and a larger disk helps"), "\(tight)")
    }
}
