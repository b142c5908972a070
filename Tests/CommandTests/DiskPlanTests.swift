// What is refused, and what is said, before a disk is read or written: words that are mistyped, disks and files that are one and the same, and what
// of a file system does not come back as it was.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskPlanTests {
    /// A disk of 64 MB with an ext4, and its image.
    private static let image = """
        exec 2>&1; truncate -s 64M disk; printf 'label: gpt\\nstart=2048,size=60M\\n' | sfdisk -q disk
        mkdir -p t/etc t/usr/lib/systemd; echo 'PRETTY_NAME="Test 1"' >t/usr/lib/os-release; touch t/usr/lib/systemd/systemd; echo line3 >t/etc/hostname
        head -c 20M /dev/urandom >t/file; truncate -s 60M p; mkfs.ext4 -q -d t p; dd if=p of=disk bs=1M seek=1 conv=notrunc,sparse status=none
        holdfast key generate --quiet >said; holdfast backup --disk disk --output image --quiet
        """

    private func name(_ place: Workplace) -> String {
        String(place.shell("basename $(cat loop)").output.dropLast())
    }

    @Test(
        "The name of a device without its folder becomes no file, and a name that is confirmed is the one that is meant"
    )
    func mistyped() {
        let place = Workplace()
        #expect(place.shell(Self.image).output == "")
        place.shell("truncate -s 64M other; losetup -f --show other >loop")
        defer { place.shell("losetup -d $(cat loop)") }
        let loop = name(place)
        for words in ["restore --input image --disk \(loop)", "backup --disk \(loop) --output new"] {
            let refused = place.holdfast(words)
            #expect(
                refused.status == 2 && refused.output.contains("did you mean /dev/\(loop)?"), "\(words): \(refused)")
        }
        let word = place.holdfast("restore --input image --disk new")
        #expect(word.status == 2 && word.output.contains("`./new`"), "\(word)")
        let other = place.holdfast("restore --input image --disk ./new --confirm other")
        #expect(other.status == 4 && other.output.contains("not confirmed"), "\(other)")
        #expect(place.shell("ls new \(loop) 2>/dev/null").output == "")
        #expect(place.holdfast("restore --input image --disk ./new --confirm new --quiet").status == 0)
    }

    @Test("No image goes onto the disk that it is of")
    func ontoItself() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 300M disk; printf 'label: gpt\\nstart=2048,size=80M\\nsize=200M\\n' | sfdisk -q disk; mkdir m n
                L=$(attach disk); echo $L >loop; mkfs.ext4 -q ${L}p1; mkfs.btrfs -q ${L}p2 >/dev/null 2>&1; mount ${L}p1 m; mount ${L}p2 n
                holdfast key generate --quiet >said 2>&1; holdfast store init n/store --quiet >>said 2>&1; truncate -s 20M m/inner; mkfs.ext4 -q m/inner; mkdir i; mount -o loop m/inner i
                """)
        #expect(made.output == "", "\(made)")
        defer { place.shell(partitionedLoops + "umount i; umount m n; leave $(cat loop)") }
        for words in ["--to n/store", "--output m/image", "--output i/image", "--output - >m/image"] {
            let refused = place.shell("holdfast backup --disk $(cat loop) \(words)")
            #expect(refused.status == 4 && refused.output.contains("is on /dev/loop"), "\(words): \(refused)")
        }
        place.shell("umount i")
        let beside = place.shell("holdfast backup --disk $(cat loop) --output beside --quiet")
        #expect(beside.status == 0, "\(beside)")
    }

    @Test("Two loop devices of one file are one disk, whatever part each of them has")
    func sameFile() {
        let place = Workplace()
        #expect(place.shell(Self.image).output == "")
        place.shell(
            "cp disk new; losetup -f --show new >loop; ln -s new link; losetup -f --show -o 1048576 link >second")
        defer { place.shell("losetup -d $(cat loop) $(cat second)") }
        for words in [
            "restore --input image --disk $(cat loop) --confirm x", "backup --disk $(cat loop) --output again",
        ] {
            let refused = place.shell("holdfast \(words)")
            #expect(refused.status == 4 && refused.output.contains("stands on the same file"), "\(words): \(refused)")
        }
    }

    @Test("What a program reads of a plan is all of it, and nothing but documents")
    func documents() {
        let place = Workplace()
        #expect(place.shell(Self.image).output == "")
        place.shell("holdfast store init store --quiet; holdfast backup --disk disk --to store --quiet")
        let plan = place.shell(
            "holdfast restore latest --from store --disk ./new --dry-run --json 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d[\"system\"][\"host\"], d[\"identity\"], d[\"twins\"], d[\"volumes\"][-1][\"reason\"], d[\"dryRun\"])'"
        )
        #expect(plan.output == "line3 same [] it was not in use, and cleanly unmounted True\n", "\(plan)")
        let restored = place.shell(
            "holdfast restore latest --from store --disk ./new --json >out 2>lines; echo $?; python3 -c 'import json; json.load(open(\"out\")); print(len([json.loads(l) for l in open(\"lines\")]) > 0)'"
        )
        #expect(restored.output == "0\nTrue\n", "\(restored)")
        let words = place.holdfast("restore latest --from store --disk ./other --dry-run")
        #expect(words.output.contains("blocks: it was not in use, and cleanly unmounted"), "\(words)")
    }

    @Test("A system that systemd finds without any fstab becomes another machine, too")
    func withoutTable() {
        let place = Workplace()
        #expect(place.shell(Self.image).output == "")
        let restored = place.holdfast("restore --input image --disk ./new --new-identity --hostname line-4")
        #expect(restored.status == 0, "\(restored)")
        let seen = place.shell(
            "dd if=new of=q bs=1M skip=1 status=none; mkdir m; mount -o loop,ro q m; cat m/etc/hostname m/etc/machine-id; umount m"
        )
        #expect(seen.output == "line-4\nuninitialized\n", "\(seen)")
    }

    @Test(
        "In a pipe nothing is a twin of what the backup looks through, and a second restore of one disk says that it is one"
    )
    func pipe() {
        let place = Workplace()
        #expect(place.shell(Self.image).output == "")
        place.shell("truncate -s 80M other; losetup -f --show other >loop")
        defer { place.shell("losetup -d $(cat loop)") }
        let loop = name(place)
        let piped = place.shell(
            "holdfast backup --disk disk --output - --quiet | holdfast restore --input - --disk /dev/\(loop) --confirm \(loop) --same-identity"
        )
        #expect(piped.status == 0 && !piped.output.contains("the same UUIDs"), "\(piped)")
        let second = place.shell(
            """
            mkfifo gate; (head -c 4M image; cat gate >/dev/null; tail -c +4194305 image) | holdfast restore --input - --disk /dev/\(loop) --confirm \(loop) --same-identity --quiet & 
            for i in $(seq 600); do head -c 512 other | grep -q 'being restored' && break; sleep 0.1; done
            holdfast restore --input image --disk /dev/\(loop) --confirm \(loop) --same-identity; echo status $?; echo >gate; wait
            """)
        #expect(second.output.contains("another Holdfast") && second.output.contains("status 4"), "\(second)")
        #expect(!second.output.contains("umount"), "\(second)")
    }

    @Test("How an ext4 was tuned comes back, projects too, and a log on another device is said")
    func tuned() {
        let place = Workplace()
        let made = place.shell(
            partitionedLoops + """
                exec 2>&1; truncate -s 420M disk; truncate -s 80M log; printf 'label: gpt\\nstart=2048,size=64M\\nsize=340M\\n' | sfdisk -q disk; mkdir m n
                L=$(attach disk); echo $L >loop; losetup -f --show log >loglog; mkfs.ext4 -q -m 1.5 -e panic ${L}p1; tune2fs -o ^acl,discard ${L}p1 >/dev/null
                mkfs.xfs -q -l logdev=$(cat loglog),size=64m ${L}p2; mount ${L}p1 m; mount -o logdev=$(cat loglog) ${L}p2 n
                mkdir n/project; echo 1 >n/project/file; xfs_io -c 'chproj -R 42' n/project; xfs_io -c 'chattr +P' n/project
                dumpe2fs -h ${L}p1 2>/dev/null | grep -E '^(Default mount options|Errors behavior|Reserved block count)' >facts
                """)
        #expect(made.output == "", "\(made)")
        place.shell("holdfast key generate --quiet")
        let image = place.shell("holdfast backup --disk $(cat loop) --output image")
        #expect(image.status == 0 && image.output.contains("its log was on another device"), "\(image)")
        place.shell(partitionedLoops + "umount m n; leave $(cat loop); losetup -d $(cat loglog)")
        let restored = place.holdfast("restore --input image --disk ./new --exact")
        #expect(restored.status == 0 && restored.output.contains("fstab must not name that device"), "\(restored)")
        let seen = place.shell(
            partitionedLoops + """
                exec 2>&1; L=$(attach new); dumpe2fs -h ${L}p1 2>/dev/null | grep -E '^(Default mount options|Errors behavior|Reserved block count)' | diff facts -
                mount ${L}p2 n; for f in n n/project n/project/file; do xfs_io -r -c lsproj $f; done; xfs_io -r -c 'lsattr' n/project | cut -d' ' -f1; umount n; leave $L
                """)
        #expect(
            seen.output == "projid = 0\nprojid = 42\nprojid = 42\n--------P--------\n"
                || seen.output.contains("projid = 42\nprojid = 42") && seen.output.contains("P"), "\(seen)")
    }
}
