// A start in a virtual machine: one that answers, one that does not, one that never starts. With a real Debian and an emulated processor it
// takes minutes, so it is for `Tests/run --all`.

import Glibc
import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite(.serialized, .enabled(if: runsAll)) struct BootDrillTests {
    @Test(
        "A restored Debian that answers, one that is not well, and one that never starts: three reports, three verdicts"
    )
    func starts() {
        let place = Workplace()
        // An image of / of a machine that is not this one: its tree is / for the one command that reads it.
        let made = place.shell(
            """
            \(Self.root) || exit
            holdfast key generate --output it.txt > it.pub
            holdfast store init store --recipient $(cat it.pub) --quiet
            \(Self.backup("well"))
            """)
        #expect(made.status == 0, "\(made)")
        let drill = "drill NAME --from store --identity it.txt --kind boot --within 10m"
        let well = place.holdfast(drill.replacing("NAME", with: "well") + " --report well.json")
        #expect(well.status == 0 && well.output.contains("and it starts and answers"), "\(well)")
        let unwell = place.holdfast(
            drill.replacing("NAME", with: "well") + " --health 'echo it is ill; exit 7' --report unwell.json")
        #expect(unwell.status == 3 && unwell.output.contains(" ended with 7: it is ill\n"), "\(unwell)")
        let broken = place.shell(
            "rm root/boot/initrd.img-*; echo none > root/boot/initrd.img-$(ls root/lib/modules); \(Self.backup("broken"))"
        )
        #expect(broken.status == 0, "\(broken)")
        let never = place.holdfast(
            drill.replacing("NAME", with: "broken").replacing("10m", with: "2m") + " --report never.json")
        #expect(never.status == 3 && never.output.contains("it never starts: "), "\(never)")
        for report in ["well", "unwell", "never"] {
            #expect(place.holdfast("drill verify \(report).json").status == 0)
        }
    }

    /// A whole Debian that starts, and little more.
    private static let root = """
        mmdebstrap --quiet --variant=minbase --aptopt='Apt::Install-Recommends "false"' --include=linux-image-amd64,systemd-sysv,udev,initramfs-tools,libsodium23,libssl3,libzstd1 \\
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm root 'deb http://deb.debian.org/debian bookworm main'
        """

    @Test(
        "A restored disk that starts by its own loader and answers, one that is not well, and one whose system never starts"
    )
    func disks() {
        let place = Workplace()
        let made = place.shell(
            """
            \(Self.root) || exit
            echo 'LABEL=lab-root / ext4 errors=remount-ro 0 1' >root/etc/fstab; (cd root; ln -sf boot/vmlinuz-* vmlinuz; ln -sf boot/initrd.img-* initrd.img); mkdir -p root/boot/grub
            holdfast key generate --quiet; holdfast store init store --quiet
            cat >make.py <<'END'
            import pathlib, sys
            sys.path.insert(0, "\(Self.lab)")
            import disks
            name, start = pathlib.Path(sys.argv[1]), disks.START
            disks.partition(name, 3 << 30)
            pathlib.Path("root/boot/grub/grub.cfg").write_text(disks.entry("LABEL=lab-root", "ro", ""))
            disks.install_grub(name, "/boot/grub", pathlib.Path("."))
            with open("part", "wb") as part: part.truncate((3 << 30) - start)
            disks.run("mkfs.ext4", "-q", "-L", "lab-root", "-d", "root", "part")
            disks.run("dd", "if=part", f"of={name}", "bs=1M", f"seek={start >> 20}", "conv=notrunc,sparse", "status=none")
            END
            python3 make.py disk && holdfast backup --disk disk --to store --name well --quiet
            """)
        #expect(made.status == 0, "\(made)")
        let drill = "drill NAME --from store --kind boot --within 15m"
        let well = place.holdfast(drill.replacing("NAME", with: "well") + " --report well.json")
        #expect(well.status == 0 && well.output.contains("and it starts and answers"), "\(well)")
        let unwell = place.holdfast(
            drill.replacing("NAME", with: "well") + " --health 'findmnt -no SOURCE /; exit 7' --report unwell.json")
        #expect(unwell.status == 3 && unwell.output.contains(" ended with 7: /dev/vda1\n"), "\(unwell)")
        let broken = place.shell(
            "echo none >root/boot/initrd.img-$(ls root/lib/modules); python3 make.py disk && holdfast backup --disk disk --to store --name broken --quiet"
        )
        #expect(broken.status == 0, "\(broken)")
        let never = place.holdfast(drill.replacing("NAME", with: "broken") + " --report never.json")
        #expect(never.status == 3 && never.output.contains("it never starts: "), "\(never)")
        for report in ["well", "unwell", "never"] {
            #expect(place.holdfast("drill verify \(report).json").status == 0)
        }
    }

    /// Where the lab's own disks are made.
    private static let lab = #filePath.split(separator: "/").dropLast(2).map { "/\($0)" }.joined() + "/Lab"

    /// A disk that starts what writes a text to the serial line, and has no system to put a question into.
    private static func speaking(_ text: String, on disk: String) -> String {
        """
        truncate -s 8M \(disk); echo 'start=2048' | sfdisk -q \(disk); python3 - <<'END'
        code = bytes.fromhex("fa31c08ed8fcbe237cac84c0741288c3bafd03eca82074fb88d8baf803eeebe9f4ebfd") + b"\\r\\n\(text)\\0"
        with open("\(disk)", "r+b") as disk: disk.write(code.ljust(440, b"\\0"))
        END
        holdfast backup --disk \(disk) --to store --name \(disk) --quiet
        """
    }

    @Test(
        "A disk that nobody can put a question into is started as what it was attached to, and its login prompt is a finding; what nobody can tell is not completed"
    )
    func unasked() {
        let place = Workplace()
        #expect(place.shell("holdfast key generate --quiet; holdfast store init store --quiet; mkdir room").status == 0)
        for (disk, bus) in [("sda", "SATA"), ("nvme0n1", "NVMe"), ("disk", "virtio")] {
            #expect(place.shell(Self.speaking("plc login: ", on: disk)).output == "")
            let seen = place.holdfast(
                "drill \(disk) --from store --kind boot --within 2m --scratch room --report \(disk).json")
            #expect(seen.status == 3 && seen.output.contains("boot: passed with findings"), "\(seen)")
            #expect(seen.output.contains("came up to its login prompt, and was not asked how it is"), "\(seen)")
            #expect(place.shell("grep -c 'from a BIOS, as a disk of \(bus)' \(disk).json").output == "1\n")
        }
        let asked = place.holdfast("drill disk --from store --kind boot --within 2m --health true --report a.json")
        #expect(asked.status == 1 && asked.output.contains("health command could not be run"), "\(asked)")
        for (text, status, words) in [
            ("Kernel panic - not syncing", 3, "it never starts: "), ("I say little", 1, "nobody can tell"),
        ] {
            let name = "disk\(status)"
            #expect(place.shell(Self.speaking(text, on: name)).output == "")
            let seen = place.holdfast("drill \(name) --from store --kind boot --within 1m --report \(name).json")
            #expect(seen.status == status && seen.output.contains(words) && seen.output.contains(text), "\(seen)")
        }
        // Whoever stops it has not found that it never starts.
        let stopped = place.shell(
            "holdfast drill disk1 --from store --kind boot --report s.json >said 2>&1 & p=$!; for i in $(seq 300); do grep -q ^start said && break; sleep 0.2; done; sleep 1; kill -TERM $p; wait $p; s=$?; cat said; exit $s"
        )
        #expect(stopped.status == 130 && stopped.output.contains("interrupted"), "\(stopped)")
    }

    @Test("A disk that has an EFI partition only is started from UEFI")
    func firmware() {
        let place = Workplace()
        let made = place.shell(
            """
            exec 2>&1; printf 'echo plc login:\\nsleep 600\\n' >early.cfg; grub-mkimage -O x86_64-efi -o loader -c early.cfg -p / echo sleep
            truncate -s 64M p; mkfs.vfat p >said; mmd -i p ::/EFI ::/EFI/BOOT; mcopy -i p loader ::/EFI/BOOT/BOOTX64.EFI
            truncate -s 66M disk; printf 'label: gpt\\nstart=2048,size=64M,type=uefi\\n' | sfdisk -q disk; dd if=p of=disk bs=1M seek=1 conv=notrunc status=none
            holdfast key generate --quiet >said; holdfast store init store --quiet; holdfast backup --disk disk --to store --name line3 --quiet
            """)
        #expect(made.output == "", "\(made)")
        let seen = place.holdfast("drill line3 --from store --kind boot --within 5m --report r.json")
        #expect(seen.status == 3 && seen.output.contains("came up to its login prompt"), "\(seen)")
        #expect(place.shell("grep -c 'from UEFI without Secure Boot' r.json").output == "1\n")
    }

    /// With the store bound in, and the program and what it loads.
    private static func backup(_ name: String) -> String {
        """
        mkdir -p root/srv/store; unshare -m sh -c 'mount --bind store root/srv/store && mount -t proc proc root/proc && mount -t tmpfs tmpfs root/run && mount -t tmpfs tmpfs root/tmp && mkdir root/tmp/state && mount --bind home/state/holdfast root/tmp/state &&
            cp \(builtProgram) root/tmp/holdfast && for l in $(ldd \(builtProgram) | grep -o "/[^ ]*"); do mkdir -p root/tmp/lib; cp $l root/tmp/lib/; done &&
            chroot root env HOLDFAST_STATE=/tmp/state LD_LIBRARY_PATH=/tmp/lib /tmp/holdfast backup / --to /srv/store --name \(name) --yes --quiet'
        """
    }
}
