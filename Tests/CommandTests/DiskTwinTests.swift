// A disk that is in use, imaged onto another one that is attached beside it: one with sectors of another size, and what both have in common is said.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskTwinTests {
    /// A disk with an ext4 of small blocks, an XFS and swap, whose last partition ends within a sector of 4096 bytes; two of them are mounted.
    private static let disk =
        partitionedLoops + """
            exec 2>&1; truncate -s 700M disk; printf 'label: gpt\\nstart=2048,size=64M\\nsize=32M,type=swap\\nsize=819209\\n' | sfdisk -q disk
            L=$(attach disk); echo $L >loop
            mkfs.ext4 -q -b 1024 -L boot ${L}p1; mkswap -q ${L}p2; mkfs.xfs -q -L root ${L}p3
            mkdir m1 m3 n1 n3; mount ${L}p1 m1; mount ${L}p3 m3; cp -r /usr/include/linux m1/; cp -r /usr/include/c++ m3/
            """

    @Test("What is in use goes onto a disk with other sectors, and what both have in common is said")
    func otherSectors() {
        let place = Workplace()
        let made = place.shell(Self.disk)
        #expect(made.output == "", "\(made)")
        defer { place.shell(partitionedLoops + "umount n1 n3 m1 m3; for l in $(cat loop other); do leave $l; done") }
        place.shell("holdfast key generate --quiet; truncate -s 800M new; losetup -b 4096 -f --show new >other")
        let image = place.shell(
            "(while :; do echo now >m3/zz; done) >said 2>&1 & w=$!; holdfast backup --disk $(cat loop) --output image; kill $w"
        )
        #expect(image.output.contains("/m3/zz") && image.output.contains("of different moments"), "\(image)")
        place.shell("rm m3/zz")
        let restored = place.shell(
            "holdfast restore --input image --disk $(cat other) --confirm $(basename $(cat other))")
        #expect(restored.status == 0 && restored.output.contains("sectors of another size"), "\(restored)")
        #expect(restored.output.contains("part1 that of /dev/loop"), "\(restored)")
        let seen = place.shell(
            """
            exec 2>&1; L=$(cat loop); N=$(cat other); sfdisk --verify $N >said || cat said; partx -d $N >/dev/null 2>&1; partx -a $N
            mount -o ro ${N}p1 n1; mount -o ro,nouuid ${N}p3 n3; for i in 1 3; do diff -r -x zz m$i n$i; done
            for i in 1 2 3; do blkid -p -o value -s UUID ${L}p$i >one; blkid -p -o value -s UUID ${N}p$i | cmp - one; done
            """)
        #expect(seen.output == "", "\(seen)")
    }

    @Test(
        "What was taken by blocks is refused on a disk with other sectors, before anything is written"
    )
    func refusal() {
        let place = Workplace()
        #expect(
            place.shell(
                Self.disk + "\numount m1 m3; for i in $(seq 50); do partx -d $L 2>/dev/null && break; sleep 0.2; done"
            ).output == "")
        defer { place.shell("for l in $(cat loop other); do losetup -d $l; done") }
        place.shell("truncate -s 800M new; losetup -b 4096 -f --show new >other; truncate -s 800M same")
        place.shell("holdfast key generate --quiet; holdfast backup --disk $(cat loop) --output image --quiet")
        let refused = place.shell(
            "holdfast restore --input image --disk $(cat other) --confirm $(basename $(cat other))")
        #expect(refused.status == 4 && refused.output.contains("part1 (ext4)"), "\(refused)")
        #expect(refused.output.contains("while the file systems are mounted"), "\(refused)")
        #expect(place.shell("cmp -n 838860800 /dev/zero new").output == "")
        // A file is attached nowhere.
        let file = place.holdfast("restore --input image --disk ./same --confirm same")
        #expect(file.status == 0 && !file.output.contains("the same UUIDs"), "\(file)")
    }
}
