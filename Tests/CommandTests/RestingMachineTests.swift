// Restore points of the machine that a stick was started on: found on its disk, which is only read until something is chosen.

import Platform
import TestSupport
import Testing

/// One menu at a time is at work on a machine.
extension MenuTests {
    @Suite(.serialized)
    struct RestingMachineTests {
        /// A disk with a machine on btrfs whose `/` is protected: it has the point Good, and was broken afterwards.
        private static let start = """
            set -e; mkdir -p stick m s; truncate -s 300M disk; losetup -f --show disk >loop; L=$(cat loop)
            mkfs.btrfs -q $L >/dev/null 2>&1; mount $L m; btrfs -q subvolume create m/@rootfs; btrfs -q subvolume create m/@holdfast-state; umount m
            mount -o subvol=@rootfs $L m; mount -o subvol=@holdfast-state $L s; mkdir m/etc
            echo press-01 >m/etc/hostname; echo good >m/etc/marker; echo '/dev/sda1 / btrfs subvol=@rootfs 0 0' >m/etc/fstab
            holdfast setup --root $PWD/m --backend btrfs --state $PWD/s --yes --quiet; holdfast create Good --state $PWD/s --quiet
            echo broken >m/etc/marker
            sed -i 's#"root" : "[^"]*"#"root" : "/"#; s#"rootBytes" : "[^"]*"#"rootBytes" : "2f"#' s/protected.json
            umount m s; sync; sha256sum disk >sum
            """

        private func menu(_ place: Workplace, _ steps: String...) -> Outcome {
            let words = steps.map { "'\($0)'" }.joined(separator: " ")
            let helper = "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py"
            return place.shell("\(helper) holdfast menu --live --stick stick --among $(cat loop) -- \(words)")
        }

        @Test("The points of a machine at rest are shown without a byte of its disk changing, and it is rolled back")
        func rolledBack() {
            let place = Workplace()
            let made = place.shell(Self.start)
            defer { place.shell("umount m s; losetup -d $(cat loop)") }
            #expect(made.status == 0 && made.output == "", "\(made)")
            let looked = menu(
                place, "English=>1", "to be done=>4", "Which machine=>#press-01", "Show the points=>1", "Good",
                "Enter goes on=>",
                "Show what was done=>7", "created Good", "Enter goes on=>", "Show what was done=>0", "to be done=>^D")
            #expect(looked.output.hasSuffix("\nstatus 0\n"), "\(looked)")
            #expect(place.shell("sha256sum --quiet -c sum; grep -c /run/machine /proc/mounts").output == "0\n")
            let back = menu(
                place, "English=>1", "to be done=>4", "Which machine=>1", "Go back to a point=>2", "Is it right=>1",
                "] =>Good",
                "[y/N]=>y", "Done.", "Enter goes on=>", "Show what was done=>0", "to be done=>^D")
            #expect(back.output.hasSuffix("\nstatus 0\n"), "\(back)")
            let now = place.shell(
                "grep -c /run/machine /proc/mounts; mount -o subvol=@rootfs $(cat loop) m && cat m/etc/marker")
            #expect(now.output == "0\ngood\n", "\(now)")
        }

        @Test("A disk without a protected machine is said to have none")
        func none() {
            let place = Workplace()
            place.shell("mkdir stick; truncate -s 20M disk; mkfs.ext4 -q disk; losetup -f --show disk >loop")
            defer { place.shell("losetup -d $(cat loop)") }
            let outcome = menu(
                place, "English=>1", "to be done=>4", "has restore points", "Enter goes on=>", "to be done=>^D")
            #expect(outcome.output.hasSuffix("\nstatus 0\n"), "\(outcome)")
        }
    }
}
