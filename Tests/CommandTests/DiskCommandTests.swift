// `backup --disk` and `restore --disk`, with files that stand for disks: what comes back is the disk, and what goes wrong is said before anything
// is written.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "volumes are mounted to be looked at"))
struct DiskCommandTests {
    /// The partitions of a table: an ext4, a btrfs, a FAT, swap, and something unknown; of a DOS table the last two are logical ones.
    private static let tables = [
        "gpt": """
        start=2048, size=200M, type=linux
        size=150M, type=linux
        size=64M, type=uefi
        size=32M, type=swap
        size=16M, type=linux
        """,
        "dos": """
        start=2048, size=200M, type=83, bootable
        size=150M, type=83
        size=64M, type=c
        type=5
        size=32M, type=82
        size=16M, type=83
        """,
    ]

    /// The numbers of swap and of what is unknown.
    private static func last(_ label: String) -> (swap: Int, unknown: Int) { label == "gpt" ? (4, 5) : (5, 6) }

    /// A disk of 600 MB, and old bytes in all that nobody uses, and beside the partitions.
    private static func make(_ label: String) -> String {
        """
        set -e
        mkdir -p files/etc; for i in $(seq 60); do head -c $((i * 7000)) /dev/urandom >files/f$i; done; echo line3 >files/etc/hostname
        head -c 466M /dev/urandom >disk; truncate -s 629145600 disk
        sfdisk -q --wipe never disk <<X
        label: \(label)
        \(tables[label] ?? "")
        X
        part() { sfdisk -d disk | sed -n "s/^disk$1 : start= *\\([0-9]*\\), size= *\\([0-9]*\\),.*/\\1 \\2/p"; }
        put() { set -- $(part $1) "$2"; dd if="$3" of=disk bs=512 seek=$1 conv=notrunc status=none; }
        fresh() { set -- $(part $1); head -c $(($2 * 512)) /dev/urandom >p; }
        fresh 1; mkfs.ext4 -q -E nodiscard -L root -d files p; put 1 p
        fresh 2; mkfs.btrfs -q -f -K -r files p >/dev/null 2>&1; put 2 p
        fresh 3; mkfs.vfat -F 32 p >/dev/null; mcopy -s -i p files ::/; put 3 p
        fresh \(last(label).swap); mkswap -q -U 11111111-2222-3333-4444-555555555555 p; put \(last(label).swap) p
        sha256sum <disk >sum
        """
    }

    private func make(_ place: Workplace, _ label: String) -> Outcome { place.shell(Self.make(label)) }

    /// What is different between the disk and another one; nothing where that is as it should be.
    private func difference(_ place: Workplace, from other: String, _ label: String) -> String {
        place.shell(
            """
            exec 2>&1
            part() { sfdisk -d disk | sed -n "s/^disk$1 : start= *\\([0-9]*\\), size= *\\([0-9]*\\),.*/\\1 \\2/p"; }
            get() { where=$2; file=$3; set -- $(part $1); dd if=$where of=$file bs=512 skip=$1 count=$2 status=none; }
            sfdisk -d disk | sed 's/^disk/x/; /^last-lba/d; /^device/d' >one; sfdisk -d \(other) | sed 's/^\(other)/x/; /^last-lba/d; /^device/d' >two
            diff one two
            [ \(label) = dos ] || sgdisk -v \(other) | grep -q 'No problems found' || sgdisk -v \(other)
            head -c 440 disk >one; head -c 440 \(other) >two; cmp one two
            get 1 \(other) q; e2fsck -fn q >said 2>&1 || cat said; mkdir -p mnt; mount -o loop,ro q mnt; diff -r files mnt | grep -v lost+found; umount mnt
            get 2 \(other) q; btrfs check --check-data-csum q >said 2>&1 || cat said; mount -o loop,ro q mnt; diff -r files mnt; umount mnt
            get 3 \(other) q; fsck.vfat -n q >said || cat said; rm -rf back; mcopy -s -i q ::/files back; diff -r files back
            get \(Self.last(label).swap) \(other) q; [ "$(blkid -p -o value -s UUID q)" = 11111111-2222-3333-4444-555555555555 ] || echo swap
            get \(Self.last(label).unknown) \(other) q; get \(Self.last(label).unknown) disk p; cmp p q
            """.replacing("            ", with: "")
        ).output
    }

    @Test(
        "A disk comes back whole, on one of the same size and on a larger one, and was not written to",
        arguments: ["gpt", "dos"])
    func wholeDisk(_ label: String) {
        let place = Workplace()
        #expect(make(place, label).output == "")
        let plan = place.holdfast("backup --disk disk --dry-run")
        #expect(plan.status == 0 && plan.output.contains("part1: ext4 “root”: blocks, "), "\(plan)")
        #expect(
            plan.output.contains("part\(Self.last(label).swap): swap")
                && plan.output.contains("part\(Self.last(label).unknown): unknown: raw, all"), "\(plan)")
        let made = place.holdfast("backup --disk disk --to store --quiet")
        #expect(made.status == 0 && made.output == "", "\(made)")
        let listed = place.holdfast("images --from store")
        #expect(listed.output.contains("disk"), "\(listed)")
        // What nobody uses is not in it.
        let stored = Int(place.shell("du -sm store | cut -f1").output.prefix { $0.isNumber }) ?? 0
        #expect((10..<100).contains(stored), "\(stored) MB")
        for (name, size) in [("same", "629145600"), ("larger", "700M")] {
            if name == "larger" { place.shell("head -c 700M /dev/urandom >larger") }
            let restored = place.holdfast(
                "restore latest --from store --disk ./\(name) \(name == "larger" ? "--confirm larger" : "")")
            #expect(restored.status == 0 && restored.output.contains("read back"), "\(restored)")
            #expect(restored.output.contains("mounted as a test: part1, part2"), "\(restored)")
            let hasFAT = place.shell("modprobe vfat; grep -w vfat /proc/filesystems").status == 0
            #expect(
                restored.output.contains(
                    hasFAT ? "part1, part2, part3" : "not mounted, as a test: part3 (this kernel has no vfat)"),
                "\(restored)")
            #expect(difference(place, from: name, label) == "", "\(name), \(size)")
        }
        #expect(place.shell("sha256sum <disk | cmp - sum").status == 0, "the source was written to")
        // The same again is nothing new.
        let again = place.holdfast("backup --disk disk --to store")
        #expect(again.output.contains("new 0 B"), "\(again)")
        #expect(place.holdfast("verify --from store --read-data").status == 0)
    }

    @Test("An image goes through a pipe from one disk to the other, by the names of TwinCAT/BSD too")
    func pipe() {
        let place = Workplace()
        #expect(make(place, "gpt").output == "")
        let piped = place.holdfast(
            "key generate --quiet; holdfast backup --disk disk --output - | holdfast restore --input - --disk ./new"
        )
        #expect(piped.status == 0, "\(piped)")
        #expect(difference(place, from: "new", "gpt") == "")
        let names = place.shell(
            """
            ln -s \(builtProgram) TcBackup.sh; ln -s \(builtProgram) TcRestore.sh; echo secret >phrase
            ./TcBackup.sh --disk disk >file && ./TcRestore.sh --disk ./third <file
            """)
        #expect(names.status == 0, "\(names)")
        #expect(difference(place, from: "third", "gpt") == "")
    }

    @Test("What does not fit, is not meant or is no disk is refused before anything is written")
    func refusals() {
        let place = Workplace()
        #expect(make(place, "dos").output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        place.shell("mkdir folder; echo mine >there; head -c 400M /dev/urandom >small; sha256sum small there >before")
        for (words, status, said) in [
            ("--disk there", 4, "too small"), ("--disk small --confirm small", 4, "too small"),
            ("--disk small --confirm other", 4, "too small"), ("--disk folder", 2, "neither a disk nor an image"),
            ("--disk nowhere/disk", 1, "nowhere"), ("--disk there --to out", 2, "goes without"),
            ("--to out --confirm x", 2, "go with --disk"),
        ] {
            let refused = place.holdfast("restore latest --from store \(words)")
            #expect(refused.status == status && refused.output.contains(said), "\(words): \(refused)")
        }
        #expect(place.shell("sha256sum -c --quiet before").output == "")
        place.shell("mkdir tree; echo 1 >tree/a")
        place.holdfast("backup tree --to store --name tree --quiet")
        let files = place.holdfast("restore tree --from store --disk ./new")
        #expect(files.status == 2 && files.output.contains("of files, not of a disk"), "\(files)")
        for words in ["--disk folder", "--disk nowhere", "--disk disk tree", "--dry-run tree"] {
            #expect(place.holdfast("backup \(words) --to store").status != 0, "\(words)")
        }
    }

    @Test("A volume that was not unmounted is taken whole, and said; what cannot be read is named")
    func lessThanExact() {
        let place = Workplace()
        #expect(make(place, "dos").output == "")
        // As a power cut leaves it: copied while it is mounted.
        place.shell(
            """
            mkdir -p mnt; truncate -s 200M live; mkfs.ext4 -q live; mount -o loop live mnt
            for i in $(seq 40); do head -c 20000 /dev/urandom >mnt/f$i; sync mnt/f$i; done; (cd mnt; sha256sum f*) >last
            cp live cut; umount mnt; dd if=cut of=disk bs=1M seek=1 conv=notrunc status=none
            """)
        let plan = place.holdfast("backup --disk disk --dry-run")
        #expect(plan.output.contains("part1: ext4: raw, all") && plan.output.contains("not unmounted"), "\(plan)")
        place.holdfast("backup --disk disk --to store --quiet")
        #expect(place.holdfast("restore latest --from store --disk ./new --quiet").status == 0)
        let files = place.shell(
            "dd if=new of=q bs=1M skip=1 count=200 status=none; mount -o loop q mnt && (cd mnt; sha256sum --quiet -c ../last); umount mnt"
        )
        #expect(files.output == "", "\(files)")
    }

    @Test(
        "A restore that is cut off anywhere leaves a disk that does not start and says so, and the same command goes on"
    )
    func interrupted() {
        let place = Workplace()
        #expect(make(place, "gpt").output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        for (number, fault) in [
            "signal=KILL:when=1", "signal=KILL:when=2", "signal=KILL:when=9", "signal=KILL:when=40",
            "error=EIO:when=30",
            "error=ENOSPC:when=12",
        ].enumerated() where runsAll || !number.isMultiple(of: 2) {
            place.shell("head -c 629145600 /dev/urandom >new")
            let cut = place.shell(
                "timeout -s KILL 60 strace -f -qq -o trace -e trace=pwrite64 -e inject=pwrite64:\(fault) \(builtProgram) restore latest --from store --disk ./new --confirm new --quiet"
            )
            #expect(cut.status != 0, "\(fault): \(cut)")
            if number > 0 {
                let note = place.shell("head -c 512 new | strings -n 20").output
                #expect(note.contains("Holdfast: this disk is being restored"), "\(fault)")
                #expect(place.shell("sfdisk -d new 2>&1").status != 0, "\(fault)")
            }
            let again = place.holdfast("restore latest --from store --disk ./new --confirm new")
            #expect(again.status == 0, "\(fault): \(again)")
            #expect(number < 3 || again.output.contains("there already"), "\(again)")
            #expect(number < 3 || !again.output.contains("there already 0 B"), "\(again)")
            #expect(difference(place, from: "new", "gpt") == "", "\(fault)")
        }
    }

    @Test(
        "An image that is cut off leaves a disk that does not start, wherever that is; a disk that lacks a sector is refused"
    )
    func cutImages() {
        let place = Workplace()
        place.shell(
            """
            truncate -s 62M p; mkfs.ext4 -q -d /usr/include/linux p; truncate -s 63M disk; echo 'start=2048, type=83' | sfdisk -q disk; dd if=p of=disk bs=1M seek=1 conv=notrunc status=none
            head -c 20000000 /dev/urandom | dd of=disk bs=1M seek=40 conv=notrunc status=none
            """)
        place.holdfast("backup --disk disk --output image --quiet")
        let length = Int(place.shell("stat -c %s image").output.filter(\.isNumber)) ?? 0
        #expect(length > 1_000_000)
        for cut in Array(stride(from: 1 << 19, to: length, by: 1 << 20)) + [length - 1] {
            place.shell("rm -f new; truncate -s 63M new")
            let refused = place.shell(
                "head -c \(cut) image | holdfast restore --input - --disk ./new --confirm new")
            // Its root is there twice, at the end.
            #expect(refused.status != 0 || cut == length - 1, "\(cut): \(refused)")
            #expect((place.shell("sfdisk -d new 2>&1").status != 0) == (refused.status != 0), "\(cut): \(refused)")
        }
        place.shell("truncate -s $((63 * 1048576 - 512)) less; sha256sum less >sum")
        let less = place.holdfast("restore --input image --disk ./less --confirm less")
        #expect(less.status == 4 && less.output.contains("too small"), "\(less)")
        #expect(place.shell("sha256sum --quiet -c sum").output == "")
    }

    @Test(
        "On a larger disk the last file system grows, and with --exact it is what it was",
        arguments: ["ext4", "xfs", "btrfs"])
    func growth(_ type: String) {
        let place = Workplace()
        let made = place.shell(
            """
            truncate -s 400M p; mkfs.\(type) -q p >/dev/null 2>&1; mkdir mnt; mount -o loop p mnt; head -c 3000000 /dev/urandom >mnt/file; sha256sum mnt/file >sum; umount mnt
            truncate -s 401M disk; echo 'start=2048, type=83' | sfdisk -q disk; dd if=p of=disk bs=1M seek=1 conv=notrunc status=none
            """)
        #expect(made.output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        for exact in [false, true] {
            place.shell("rm -f new; truncate -s 700M new")
            let restored = place.holdfast(
                "restore latest --from store --disk ./new --confirm new \(exact ? "--exact" : "")")
            #expect(restored.status == 0 && restored.output.contains("has grown") == !exact, "\(restored)")
            let seen = place.shell(
                "dd if=new of=q bs=1M skip=1 status=none; mount -o loop q mnt; sha256sum --quiet -c sum; df --output=size -BM mnt | tail -1; umount mnt; cmp -n 419430400 p q >same 2>&1; wc -c <same"
            ).output.split(separator: "\n").map { $0.filter(\.isNumber) }
            #expect(seen.count == 2, "\(seen)")
            #expect((Int(seen.first ?? "") ?? 0 > 500) == !exact, "\(seen)")
        }
    }

    @Test("A copy of a machine is another machine, and nothing else of it has changed")
    func newIdentity() {
        let place = Workplace()
        let made = place.shell(
            """
            mkdir -p t/etc/ssh t/usr/bin t/usr/lib t/etc/systemd/system t/var/lib/dhcp t/var/lib/systemd t/var/lib/holdfast/stores t/home/anna t/var/lib/dbus
            echo 'PRETTY_NAME="Test 1"' >t/usr/lib/os-release; printf '/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1 /data ext4 defaults 0 2\n' >t/etc/fstab; echo old >t/etc/hostname; printf '127.0.0.1\\tlocalhost\\n127.0.1.1\\told.example old\\n10.0.0.1 old\\n' >t/etc/hosts
            echo 0123456789abcdef0123456789abcdef >t/etc/machine-id; ln -s /etc/machine-id t/var/lib/dbus/machine-id; for k in rsa ed25519; do echo secret >t/etc/ssh/ssh_host_${k}_key; echo public >t/etc/ssh/ssh_host_${k}_key.pub; done
            echo kept >t/etc/ssh/sshd_config; touch t/usr/bin/ssh-keygen; echo lease >t/var/lib/dhcp/dhclient.eth0.leases; echo seed >t/var/lib/systemd/random-seed; echo key >t/var/lib/holdfast/stores/writer; echo hers >t/home/anna/.bash_history
            truncate -s 100M p; mkfs.ext4 -q -d t p; truncate -s 101M disk; echo 'start=2048, type=83' | sfdisk -q disk; dd if=p of=disk bs=1M seek=1 conv=notrunc status=none; mkdir mnt
            """)
        #expect(made.output == "")
        place.holdfast("backup --disk disk --to store --quiet")
        let restored = place.holdfast("restore latest --from store --disk ./new --new-identity --hostname line-4")
        #expect(restored.status == 0 && restored.output.contains("host old"), "\(restored)")
        let seen = place.shell(
            """
            exec 2>&1; dd if=new of=q bs=1M skip=1 status=none; mount -o loop,ro q mnt; diff -r --no-dereference t mnt | grep -v lost+found | sort
            cat mnt/etc/hostname mnt/etc/hosts mnt/etc/machine-id; cut -d' ' -f1 mnt/etc/fstab | cut -c1-5; umount mnt
            """
        ).output
        for line in [
            "diff -r --no-dereference t/etc/hostname mnt/etc/hostname", "Only in t/etc/ssh: ssh_host_rsa_key",
            "Only in t/etc/ssh: ssh_host_rsa_key.pub",
            "Only in t/var/lib/dhcp: dhclient.eth0.leases", "Only in t/var/lib/systemd: random-seed",
            "Only in t/var/lib/holdfast: stores",
            "Only in mnt/etc/systemd/system: holdfast-ssh-keys.service",
            "line-4\n127.0.0.1\tlocalhost\n127.0.1.1\tline-4.example line-4\n10.0.0.1 old\nuninitialized\nUUID=",
        ] { #expect(seen.contains(line), "\(line): \(seen)") }
        #expect(!seen.contains("anna") && !seen.contains("sshd_config"), "\(seen)")
        // Of another disk nobody knows what it is called here.
        #expect(!seen.contains("sdb1"), "\(seen)")
        // As it was, but for what finds its file system.
        let same = place.holdfast("restore latest --from store --disk ./other --exact")
        #expect(same.status == 0, "\(same)")
        let exact = place.shell(
            "dd if=other of=q bs=1M skip=1 status=none; mount -o loop,ro q mnt; diff -r --no-dereference t mnt | grep -v lost+found; umount mnt"
        )
        #expect(exact.output == "", "\(exact)")
    }

    @Test("A device that is not there becomes no file, and no disk is restored to itself")
    func mistakes() {
        let place = Workplace()
        #expect(make(place, "dos").output == "")
        place.holdfast("backup --disk disk --output image --quiet")
        let mistyped = place.holdfast("restore --input image --disk /dev/sdzz")
        #expect(mistyped.status == 2 && mistyped.output.contains("there is no device /dev/sdzz"), "\(mistyped)")
        #expect(!exists("/dev/sdzz"))
        let itself = place.shell(
            "holdfast backup --disk disk --output - --quiet | holdfast restore --input - --disk ./disk --confirm disk")
        #expect(itself.status == 4 && itself.output.contains("another Holdfast"), "\(itself)")
        #expect(place.shell("sha256sum <disk | cmp - sum").status == 0, "it was written to")
        let linked = place.shell("ln disk other; holdfast restore --input image --disk ./other --confirm other")
        #expect(linked.status == 4 && linked.output.contains("other names"), "\(linked)")
    }

    @Test("A disk without a table comes back from its first byte on, whether that is zeros or not")
    func withoutTable() {
        let place = Workplace()
        for start in ["/dev/zero", "/dev/urandom"] {
            place.shell(
                "rm -f disk new; truncate -s 20M disk; head -c 1M \(start) | dd of=disk conv=notrunc status=none; head -c 3M /dev/urandom | dd of=disk bs=1M seek=2 conv=notrunc status=none"
            )
            place.holdfast("backup --disk disk --output image --quiet")
            let restored = place.holdfast("restore --input image --disk ./new")
            #expect(restored.status == 0 && place.shell("cmp disk new; rm image").output == "", "\(start): \(restored)")
        }
    }

    @Test("A file that a loop device stands on is in use, and an ext4 that says it has errors is taken whole")
    func doubtful() {
        let place = Workplace()
        place.shell("truncate -s 60M disk; mkfs.ext4 -q disk; debugfs -w -R 'ssv state 2' disk; cp disk other")
        let plan = place.holdfast("backup --disk disk --dry-run")
        #expect(
            plan.status == 0 && plan.output.contains("ext4: raw, all") && plan.output.contains("has errors"), "\(plan)")
        place.holdfast("backup --disk disk --output image --quiet")
        place.shell("losetup -f --show other >loop")
        for words in ["restore --input image --disk ./other --confirm other", "backup --disk other --dry-run"] {
            let refused = place.holdfast(words)
            #expect(refused.status == 4 && refused.output.contains("stands on it"), "\(words): \(refused)")
        }
        place.shell("losetup -d $(cat loop)")
        let cut = place.shell(
            "truncate -s 20M z; printf 'label: gpt\\nsize=5M\\nsize=3M\\n' | sfdisk -q z; truncate -s 7M z; holdfast backup --disk z --output zo"
        )
        #expect(cut.status == 4 && cut.output.contains("partition 2"), "\(cut)")
    }
}
