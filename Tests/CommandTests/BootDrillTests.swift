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
            mmdebstrap --quiet --variant=minbase --aptopt='Apt::Install-Recommends "false"' --include=linux-image-amd64,systemd-sysv,udev,initramfs-tools,libsodium23,libssl3,libzstd1 \\
                --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm root 'deb http://deb.debian.org/debian bookworm main' || exit
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

    /// With the store bound in, and the program and what it loads.
    private static func backup(_ name: String) -> String {
        """
        mkdir -p root/srv/store; unshare -m sh -c 'mount --bind store root/srv/store && mount -t proc proc root/proc && mount -t tmpfs tmpfs root/run && mount -t tmpfs tmpfs root/tmp && mkdir root/tmp/state && mount --bind home/state/holdfast root/tmp/state &&
            cp \(builtProgram) root/tmp/holdfast && for l in $(ldd \(builtProgram) | grep -o "/[^ ]*"); do mkdir -p root/tmp/lib; cp $l root/tmp/lib/; done &&
            chroot root env HOLDFAST_STATE=/tmp/state LD_LIBRARY_PATH=/tmp/lib /tmp/holdfast backup / --to /srv/store --name \(name) --yes --quiet'
        """
    }
}
