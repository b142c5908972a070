// `backup --disk` of a disk that something of is mounted, or was since the last image: loop devices with partitions stand for it.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "file systems are mounted"))
struct DiskAtWorkTests {
    @Test("A disk that is mounted comes back as its files, on a smaller disk too, by a job as well")
    func mounted() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 1500M disk; printf 'label: gpt\\nstart=2048,size=200M\\nsize=950M\\n' | sfdisk -q disk
                L=$(attach disk); echo $L >loop; mkfs.ext4 -q -L boot ${L}p1; mkfs.xfs -q -L root ${L}p2
                mkdir m1 m2 n1 n2; mount ${L}p1 m1; mount ${L}p2 m2; cp -r /usr/include/linux m1/; cp -r /usr/include/c++ m2/; ln -s a m2/link; mknod m2/node c 1 3
                """)
        #expect(made.output == "", "\(made)")
        defer { place.shell(partitionedLoops + "umount m1 m2; leave $(cat loop)") }
        let plan = place.shell("holdfast backup --disk $(cat loop) --dry-run")
        #expect(
            plan.output.contains("part1: ext4 “boot”: files, ") && plan.output.contains("part2: xfs"), "\(plan)")
        place.shell("holdfast key generate --quiet; holdfast store init store --quiet")
        place.shell(
            partitionedLoops + """
                printf '[stores]\\nlocal = "%s/store"\\n[jobs.plc]\\ndisk = "%s"\\nto = ["local"]\\nname = "line3"\\n' $PWD $(cat loop) > config.toml
                """)
        let run = place.holdfast("schedule run plc --config config.toml")
        #expect(run.status == 0, "\(run)")
        place.shell("truncate -s 900M small")
        let restored = place.holdfast("restore line3 --from store --disk small --confirm small")
        #expect(restored.status == 0 && restored.output.contains("mounted as a test: part1, part2"), "\(restored)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; N=$(attach small); mount -o ro ${N}p1 n1; mount -o ro,nouuid ${N}p2 n2
                for i in 1 2; do diff -r --no-dereference -x node m$i n$i; done; [ -c n2/node ] || echo no node; blkid -o value -s UUID $(cat loop)p1 $(cat loop)p2 >one; blkid -o value -s UUID ${N}p1 ${N}p2 | cmp - one
                umount n1 n2; leave $N
                """)
        #expect(seen.output == "", "\(seen)")
        let used = place.shell(
            "holdfast restore line3 --from store --disk $(cat loop) --confirm $(basename $(cat loop))")
        #expect(used.status == 4 && used.output.contains("in use"), "\(used)")
    }

    @Test(
        "What was changed since the last image is in the next one, while another partition of the disk was in use all the time"
    )
    func changedSince() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 200M disk; printf 'label: gpt\nstart=2048,size=80M\nsize=80M\n' | sfdisk -q disk; mkdir m1 m2
                L=$(attach disk); echo $L >loop; mkfs.ext4 -q ${L}p1; mkfs.ext4 -q ${L}p2; mount ${L}p1 m1
                mount ${L}p2 m2; seq 100000 >m2/file; umount m2
                """)
        #expect(made.output == "", "\(made)")
        defer { place.shell(partitionedLoops + "umount m1 m2; leave $(cat loop)") }
        place.shell("holdfast key generate --quiet")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; for state in first second; do
                    mount $(cat loop)p2 m2; echo $state >m2/state; seq 100000 -1 1 >m2/file; mkdir m2/$state; umount m2
                    holdfast backup --disk $(cat loop) --output $state.image --quiet || exit
                done
                holdfast restore --input second.image --disk out --quiet 2>/dev/null; O=$(attach out)
                mount -o ro ${O}p2 m2; cat m2/state; ls -d m2/second; seq 100000 -1 1 | cmp - m2/file; umount m2; e2fsck -fn ${O}p2 >said 2>&1 || cat said
                leave $O
                """)
        #expect(seen.output == "second\nm2/second\n", "\(seen)")
    }

    @Test("Of a btrfs in use all subvolumes come that can be written, mounted or not, and snapshots are named")
    func subvolumes() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 400M disk; echo 'label: gpt\nstart=2048' | sfdisk -q disk; L=$(attach disk); echo $L >loop
                mkfs.btrfs -q ${L}p1 >/dev/null 2>&1; mkdir m n; mount ${L}p1 m
                for s in @ @home @/nested; do btrfs -q subvolume create m/$s >/dev/null; done; btrfs -q subvolume snapshot -r m/@ m/snap >/dev/null
                echo root >m/@/a; echo home >m/@home/b; echo deep >m/@/nested/c; echo top >m/d; umount m; mount -o subvol=@ ${L}p1 m
                """)
        #expect(made.output == "", "\(made)")
        let plan = place.shell("holdfast backup --disk $(cat loop) --dry-run")
        #expect(plan.status == 0 && plan.output.contains("not in the image: 1 snapshot (snap)"), "\(plan)")
        place.shell("holdfast key generate --quiet; holdfast backup --disk $(cat loop) --output image --quiet")
        place.shell(partitionedLoops + "umount m; leave $(cat loop)")
        let restored = place.holdfast("restore --input image --disk new")
        #expect(restored.status == 0, "\(restored)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; dd if=new of=q bs=1M skip=1 status=none; mount -o loop,subvolid=5 q n; cat n/@/a n/@home/b n/@/nested/c
                btrfs subvolume list n | sed 's/.* path //' | sort; umount n
                """)
        #expect(seen.output == "root\nhome\ndeep\n@\n@/nested\n@home\n", "\(seen)")
    }
}
