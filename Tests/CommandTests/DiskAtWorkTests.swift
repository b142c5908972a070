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
        let restored = place.holdfast("restore line3 --from store --disk ./small --confirm small")
        #expect(restored.status == 0 && restored.output.contains("mounted as a test: part1, part2"), "\(restored)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; N=$(attach small); mount -o ro ${N}p1 n1; mount -o ro,nouuid ${N}p2 n2
                for i in 1 2; do diff -r --no-dereference -x node m$i n$i; done; [ -c n2/node ] || echo no node; blkid -o value -s UUID $(cat loop)p1 $(cat loop)p2 >one; blkid -o value -s UUID ${N}p1 ${N}p2 | cmp - one
                umount n1 n2; leave $N
                """)
        #expect(seen.output == "", "\(seen)")
        // The smallest that was said is no more than that.
        let smallest = place.shell(
            """
            exec 2>&1; holdfast backup --disk $(cat loop) --dry-run --json >plan
            truncate -s $(python3 -c 'import json; print(json.load(open("plan"))["disks"][0]["smallestTarget"])') exact
            holdfast restore line3 --from store --disk ./exact --confirm exact --quiet
            """)
        #expect(smallest.status == 0, "\(smallest)")
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
                holdfast restore --input second.image --disk ./out --quiet 2>/dev/null; O=$(attach out)
                mount -o ro ${O}p2 m2; cat m2/state; ls -d m2/second; seq 100000 -1 1 | cmp - m2/file; umount m2; e2fsck -fn ${O}p2 >said 2>&1 || cat said
                leave $O
                """)
        #expect(seen.output == "second\nm2/second\n", "\(seen)")
    }

    @Test(
        "While a disk is read nothing of it comes into use, what is mounted over it is not read, and what lies below a mount is"
    )
    func held() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 300M disk; printf 'label: gpt\nstart=2048,size=140M\nsize=100M\n' | sfdisk -q disk; mkdir m1 m2 kept
                L=$(attach disk); echo $L >loop; mkfs.ext4 -q ${L}p1; mkfs.ext4 -q ${L}p2
                mount ${L}p2 m2; head -c 20M /dev/urandom >m2/file; cp m2/file file; umount m2; mount ${L}p1 m1
                head -c 20M /dev/urandom >m1/file; mkdir -m 700 m1/under; echo hidden >m1/under/hidden; cp -a m1/. kept; mount -t tmpfs -o mode=1777 over m1/under
                """)
        #expect(made.output == "", "\(made)")
        defer { place.shell(partitionedLoops + "umount m1 m2; umount m1/under; umount m1; leave $(cat loop)") }
        let read = place.shell(
            """
            holdfast key generate --quiet >said 2>&1
            (holdfast backup --disk $(cat loop) --output - 2>plan; echo $? >status) | (until [ -e go ]; do sleep 0.1; done; cat >image) &
            until grep -qs 'the smallest disk' plan || [ -e status ]; do sleep 0.1; done
            mount $(cat loop)p2 m2 2>/dev/null && echo it is mounted
            mount -t tmpfs over m1; echo other >m1/other; touch go; wait; cat status; umount m1; mount $(cat loop)p2 m2 && umount m2
            """)
        #expect(read.output == "0\n", "\(read)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; holdfast restore --input image --disk ./new --quiet 2>/dev/null; N=$(attach new)
                mount -o ro ${N}p2 m2; cmp file m2/file; umount m2; mount -o ro ${N}p1 m2; rm -rf kept/lost+found
                diff -r -x lost+found kept m2; stat -c %a m2/under; umount m2; leave $N
                """)
        #expect(seen.output == "700\n", "\(seen)")
    }

    @Test("More files than a file system of that size is made for by itself find room, on the smallest disk, too")
    func manyFiles() {
        let place = Workplace()
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 300M disk; printf 'label: gpt\nstart=2048\n' | sfdisk -q disk; mkdir m
                L=$(attach disk); mkfs.ext4 -q -N 60000 ${L}p1; mount ${L}p1 m; (cd m; seq 40000 | xargs touch)
                holdfast key generate --quiet >said; holdfast backup --disk $L --dry-run --json >plan; holdfast backup --disk $L --output image --quiet; umount m; leave $L
                truncate -s $(python3 -c 'import json; print(json.load(open("plan"))["disks"][0]["smallestTarget"])') small
                holdfast restore --input image --disk ./small --confirm small --quiet 2>/dev/null || echo $?
                L=$(attach small); mount -o ro ${L}p1 m; ls m | wc -l; umount m; leave $L
                """)
        #expect(seen.output == "40001\n", "\(seen)")
    }

    @Test("A file system that is mounted without what its journal holds is not read")
    func withoutJournal() {
        let place = Workplace()
        let refused = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 64M disk; printf 'label: gpt\nstart=2048\n' | sfdisk -q disk; mkdir m
                L=$(attach disk); mkfs.ext4 -q ${L}p1; mount -o ro,noload ${L}p1 m; holdfast backup --disk $L --dry-run; echo $?; umount m; leave $L
                """)
        #expect(
            refused.output.contains("without what its journal holds") && refused.output.hasSuffix("4\n"), "\(refused)")
    }

    @Test("Of a btrfs in use all subvolumes come that can be written, mounted or not, and snapshots are named")
    func subvolumes() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 400M disk; echo 'label: gpt\nstart=2048' | sfdisk -q disk; L=$(attach disk); echo $L >loop
                mkfs.btrfs -q ${L}p1 >/dev/null 2>&1; mkdir m n; mount ${L}p1 m
                for s in @ @home @/nested; do btrfs -q subvolume create m/$s >/dev/null; done; btrfs -q subvolume snapshot -r m/@ m/snap >/dev/null
                echo root >m/@/a; echo home >m/@home/b; echo deep >m/@/nested/c; echo top >m/d; btrfs subvolume set-default m/@; umount m; mount ${L}p1 m
                """)
        #expect(made.output == "", "\(made)")
        let plan = place.shell("holdfast backup --disk $(cat loop) --dry-run")
        #expect(plan.status == 0 && plan.output.contains("not in the image: 1 snapshot (snap)"), "\(plan)")
        let image = place.shell("holdfast key generate --quiet; holdfast backup --disk $(cat loop) --output image")
        #expect(image.status == 0 && !image.output.contains("left out"), "\(image)")
        place.shell(partitionedLoops + "umount m; leave $(cat loop)")
        let restored = place.holdfast("restore --input image --disk ./new")
        #expect(restored.status == 0, "\(restored)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; dd if=new of=q bs=1M skip=1 status=none; mount -o loop,subvolid=5 q n; cat n/@/a n/@home/b n/@/nested/c
                btrfs subvolume list n | sed 's/.* path //' | sort; btrfs subvolume get-default n | sed 's/.* path //'; umount n
                """)
        #expect(seen.output == "root\nhome\ndeep\n@\n@/nested\n@home\n@\n", "\(seen)")
    }
}
