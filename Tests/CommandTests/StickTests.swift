// `stick`, with files that stand for USB media: what is on them afterwards, what stays, and what is refused. That they start a machine is for the
// whole machines to show.

import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "a loop device stands for the partition that is checked"))
struct StickTests {
    /// A kernel of a few bytes with one module, as `dpkg -x` leaves packages; the loaders are this machine's.
    private static let kernel = """
        set -e
        v=6.1.0-77-test; m=parts/usr/lib/modules/$v
        mkdir -p parts/boot $m/kernel/drivers/usb/storage $m/kernel/sound
        echo kernel >parts/boot/vmlinuz-$v; echo older >parts/boot/vmlinuz-6.1.0-9-test; cp -r $m parts/usr/lib/modules/6.1.0-9-test
        echo module >$m/kernel/drivers/usb/storage/usb-storage.ko; echo loud >$m/kernel/sound/snd.ko
        echo 'kernel/drivers/usb/storage/usb-storage.ko:' >$m/modules.dep
        for f in modules.builtin modules.order parts/usr/lib/modules/6.1.0-9-test/modules.builtin; do : >$m/${f##*/}; done
        : >parts/usr/lib/modules/6.1.0-9-test/modules.builtin
        BOOT=@@1048576; DATA=@@537919488
        """
    private static let create = "stick create ./stick --packages parts --store-size 70M"

    /// Made once: that takes longer than all that is looked at here.
    private static let made: (place: Workplace, outcome: Outcome) = {
        let place = Workplace()
        let outcome = place.shell(kernel)
        return (place, outcome.output.isEmpty ? place.holdfast(create) : outcome)
    }()

    /// A stick of its own for a test, with the parts that it was made of.
    private func make(_ place: Workplace) -> Outcome {
        let made = Self.made
        #expect(
            place.shell("cp -a --sparse=always \(made.place.file("stick")) \(made.place.file("parts")) .").output == "")
        return made.outcome
    }

    @Test("A stick has what each firmware looks for, and a first partition that Windows shows")
    func layout() {
        let place = Workplace()
        let made = make(place)
        #expect(made.status == 0 && made.output.contains("stick is a stick now"), "\(made)")
        let table = place.shell("sfdisk -d stick").output
        #expect(table.contains("start=     1050624") && table.contains("type=c\n"), "\(table)")
        #expect(table.contains("start=        2048, size=     1048576, type=ef, bootable"), "\(table)")
        let files = place.shell(
            """
            B='-i stick@@1048576'
            mdir $B -b -/ ::/ | grep -v '/$' | sort
            mcopy $B ::/EFI/BOOT/BOOTX64.EFI shim; cmp shim /usr/lib/shim/shimx64.efi.signed
            mcopy $B ::/EFI/BOOT/grubx64.efi grub; cmp grub /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed
            mcopy $B ::/holdfast/vmlinuz k; cmp k parts/boot/vmlinuz-6.1.0-77-test
            mdir -i stick@@537919488 ::/ | grep 'is HOLDFAST'
            head -c 440 stick | cmp - /usr/lib/grub/i386-pc/boot.img 2>&1 | head -c 0
            """
        ).output
        for name in [
            "::/EFI/BOOT/BOOTX64.EFI", "::/EFI/BOOT/grub.cfg", "::/EFI/debian/grub.cfg", "::/boot/grub/grub.cfg",
            "::/holdfast/initrd",
        ] {
            #expect(files.contains(name + "\n"), "\(files)")
        }
        #expect(!files.contains("differ") && files.contains("is HOLDFAST"), "\(files)")
        // What is on it: the program, its drivers, and nothing of this machine's.
        let system = place.shell(
            """
            mcopy -i stick@@1048576 ::/holdfast/live.squashfs s; mcopy -i stick@@1048576 ::/holdfast/initrd i
            unsquashfs -n -q -d live s >/dev/null 2>&1; live/usr/bin/holdfast --version; find live -name '*.ko' -printf '%f\\n'
            ls live/etc; zstd -qdc i | cpio -it --quiet | grep -E '^(init|modules.d/.*|usr/bin/busybox)$'
            """
        ).output
        #expect(system.contains("usb-storage.ko\n") && !system.contains("snd.ko"), "\(system)")
        #expect(
            system.contains("init\n") && system.contains("modules.d/usb-storage.ko")
                && system.contains("usr/bin/busybox"), "\(system)")
        #expect(
            !system.contains("shadow") && !system.contains("hostname") && !system.contains("machine-id"), "\(system)")
        // udhcpc gives its script variables.
        let scripts = place.shell(
            """
            zstd -qdc i | cpio -i --quiet init; exec 2>&1
            shellcheck -s sh -S warning -e SC2154,SC1091 init live/usr/lib/holdfast/* live/etc/udhcpc/default.script
            """)
        #expect(scripts.status == 0 && scripts.output == "", "\(scripts)")
        let checked = place.holdfast("stick check stick")
        #expect(checked.status == 0 && checked.output.contains("it is as it was made"), "\(checked)")
    }

    @Test("A check names what is damaged, and an update mends it and leaves the images")
    func checked() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell("head -c 20M /dev/urandom >image; mcopy -i stick@@537919488 image ::/press.hf")
        place.shell(
            """
            mcopy -i stick@@1048576 ::/holdfast/live.squashfs s
            at=$(python3 -c 'print(open("stick", "rb").read(400 << 20).find(open("s", "rb").read(4096)))')
            printf X | dd of=stick bs=1 seek=$((at + 70000)) conv=notrunc status=none
            """)
        let checked = place.holdfast("stick check stick")
        #expect(
            checked.status == 3 && checked.output.contains("holdfast/live.squashfs: it is not what was written"),
            "\(checked)")
        #expect(checked.output.contains("stick update"), "\(checked)")
        place.shell("dd if=stick of=before bs=1M skip=513 status=none")
        let updated = place.holdfast("stick update stick --packages parts")
        #expect(updated.status == 0 && updated.output.contains("the images on it are as they were"), "\(updated)")
        #expect(place.shell("dd if=stick bs=1M skip=513 status=none | cmp - before").status == 0)
        #expect(place.holdfast("stick check stick").status == 0)
        #expect(place.shell("mcopy -i stick@@537919488 ::/press.hf back && cmp image back").status == 0)
        // The second copy of the allocation table lies behind the first.
        place.shell("printf 'XXXXXXXX' | dd of=stick bs=1 seek=$((537919488 + 32 * 512 + 40)) conv=notrunc status=none")
        let damaged = place.holdfast("stick check stick")
        #expect(damaged.status == 3 && damaged.output.contains("fsck.fat"), "\(damaged)")
    }

    @Test("Before it is overwritten, a stick is told from others and its images are counted; a plan writes nothing")
    func plans() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell(
            "echo image >image; for n in press.hf press.hf.2 Two.HF; do mcopy -i stick@@537919488 image ::/$n; done; sha256sum <stick >sum"
        )
        let plan = place.holdfast("stick create stick --dry-run --packages parts --json")
        for member in [
            #""isStick":true"#, #""images":2"#, #""stores":0"#, #""confirmation":"stick""#,
            #""kernel":"6.1.0-77-test""#,
        ] {
            #expect(plan.status == 0 && plan.output.contains(member), "\(member): \(plan)")
        }
        let refused = place.holdfast("stick create stick --confirm other --packages parts")
        #expect(
            refused.status == 4 && refused.output.contains("this is a Holdfast stick with 2 images")
                && refused.output.contains("stick update"), "\(refused)")
        #expect(place.shell("sha256sum <stick | cmp - sum").status == 0)
        // Another disk, with images and a store.
        place.shell(
            """
            mkdir -p files/line3; touch files/a.hf files/line3/HOLDFAST; truncate -s 40M p; mkfs.ext4 -q -d files p
            truncate -s 700M other; echo 'start=2048, type=83' | sfdisk -q other; dd if=p of=other bs=1M seek=1 conv=notrunc status=none
            """)
        let other = place.holdfast("stick create other --dry-run --packages parts")
        #expect(
            other.status == 0 && other.output.contains("there are 1 image and 1 store of Holdfast's on it"), "\(other)")
        let new = place.holdfast("stick create ./new --dry-run --packages parts")
        #expect(new.status == 0 && new.output.contains("nothing was written"), "\(new)")
        #expect(place.shell("ls new").status != 0)
    }

    @Test("A stick for series production has what it does by itself, says so, and stays one until that is ended")
    func series() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell(
            """
            cat >auto.toml <<'E'
            image = "press.hf"
            model = "KINGSTON*"
            smallest = "60GB"
            largest = "64GB"
            new-identity = true
            countdown = 30
            identity = "key.txt"
            E
            """)
        let made = place.holdfast("stick update stick --packages parts --auto auto.toml")
        #expect(
            made.status == 0 && made.output.contains("will overwrite the one disk that fits")
                && made.output.contains("whoever has the stick can open the image"), "\(made)")
        let kept = place.holdfast("stick update stick --packages parts")
        #expect(
            kept.status == 0 && kept.output.contains("it stays a stick for series production, of press.hf"), "\(kept)")
        let checked = place.holdfast("stick check stick")
        #expect(checked.status == 0 && checked.output.contains("it is for series production"), "\(checked)")
        let system = place.shell(
            """
            mcopy -i stick@@1048576 ::/holdfast/live.squashfs s; unsquashfs -n -q -d live s >/dev/null 2>&1
            cmp live/usr/lib/holdfast/auto.toml auto.toml; stat -c %a live/usr/lib/holdfast/auto.toml; grep -o -- '--auto .*' live/usr/lib/holdfast/console
            """)
        #expect(system.output == "600\n--auto /usr/lib/holdfast/auto.toml\n", "\(system)")
        let ended = place.holdfast("stick update stick --packages parts --no-auto")
        #expect(
            ended.status == 0 && !place.holdfast("stick check stick").output.contains("series production"), "\(ended)")
    }

    @Test("A write-protected stick is checked, and not updated; a link that leads nowhere is none, and no file is made")
    func protected() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell("losetup -r -f --show stick >loop; ln -s nowhere link")
        defer { place.shell("losetup -d $(cat loop)") }
        let checked = place.shell("holdfast stick check $(cat loop)")
        #expect(
            checked.status == 0 && checked.output.contains("is write-protected")
                && checked.output.contains("it is as it was made"), "\(checked)")
        let updated = place.shell("holdfast stick update $(cat loop) --packages parts")
        #expect(updated.status == 4 && updated.output.contains("is write-protected"), "\(updated)")
        for words in ["create link --packages parts", "create ./link --packages parts", "check link"] {
            let refused = place.holdfast("stick \(words)")
            #expect(refused.status == 2 && refused.output.contains("link is a link to nowhere"), "\(words): \(refused)")
        }
        #expect(place.shell("ls nowhere").status != 0)
    }

    @Test("What is no stick is not updated, and what is in the way is confirmed by its name")
    func refusals() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell(
            "head -c 700M /dev/zero >other; printf 'label: gpt\\nsize=100M\\n' | sfdisk -q other; sha256sum <other >sum"
        )
        for words in ["update other --packages parts", "check other"] {
            let refused = place.holdfast("stick \(words)")
            #expect(refused.status == 4 && refused.output.contains("is no stick of Holdfast's"), "\(refused)")
        }
        for words in ["--confirm wrong", ""] {
            let refused = place.holdfast("stick create other --packages parts \(words)")
            #expect(refused.status == 4, "\(refused)")
        }
        #expect(place.shell("sha256sum <other | cmp - sum").status == 0)
        for (size, words) in [("100M", ""), ("600M", "--store-size 10M")] {
            place.shell(
                "rm -f small; truncate -s \(size) small; printf x | dd of=small conv=notrunc status=none; sha256sum <small >sum"
            )
            let refused = place.holdfast("stick create small --confirm small --packages parts \(words)")
            #expect(refused.status == 4 && refused.output.contains("too small for a stick"), "\(refused)")
            #expect(place.shell("sha256sum <small | cmp - sum").status == 0)
        }
        let missing = place.holdfast("stick create ./new --packages nowhere")
        #expect(
            missing.status != 0 && missing.output.contains("nowhere") && place.shell("ls new").status != 0, "\(missing)"
        )
        // What the other table has at the end of the disk would be believed again.
        let made = place.holdfast("stick create other --confirm other --packages parts")
        #expect(made.status == 0, "\(made)")
        #expect(
            place.shell("sfdisk -d other").output.contains("label: dos")
                && place.shell("tail -c 1M other | tr -d '\\0' | wc -c").output == "0\n")
    }

    @Test(
        "Cut off at any write, a medium is no stick or a whole one, an update leaves the images, and the same command makes it good"
    )
    func cuts() {
        let place = Workplace()
        #expect(make(place).status == 0)
        place.shell(
            "head -c 9M /dev/urandom >image; mcopy -i stick@@537919488 image ::/press.hf; dd if=stick of=before bs=1M skip=513 status=none"
        )
        func cut(_ words: String, of file: String, at number: Int) -> Outcome {
            place.shell(
                "strace -f -o /dev/null -P $PWD/\(file) -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=\(number) \(builtProgram) \(words)"
            )
        }
        // The zeros of the beginning, the two file systems, the code behind the first sector, and that one, which is the last.
        let writes = runsAll ? [1, 2, 5, 20, 40, 60, 80, 100, 120] : [2, 40]
        for number in writes {
            let update = cut("stick update stick --packages parts", of: "stick", at: number)
            #expect(place.shell("dd if=stick bs=1M skip=513 status=none | cmp - before").status == 0, "\(number)")
            place.shell("rm -f fresh; truncate -s 700M fresh")
            let create = cut("stick create fresh --packages parts --confirm fresh", of: "fresh", at: number)
            #expect(update.status == 137 && create.status == 137, "\(number): \(update) \(create)")
            let state = place.holdfast("stick check fresh")
            #expect(state.status == 4, "\(number): \(state)")
        }
        #expect(place.holdfast("stick update stick --packages parts").status == 0)
        #expect(place.holdfast("stick check stick").status == 0)
        #expect(place.holdfast("stick create fresh --confirm fresh --packages parts").status == 0)
        #expect(place.holdfast("stick check fresh").status == 0)
    }
}
