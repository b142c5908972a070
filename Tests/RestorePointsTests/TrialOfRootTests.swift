// `/` on btrfs on trial, in a subvolume that is mounted anew for each start, as the initramfs does it.

import Glibc
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct TrialOfRootTests {
    /// A subvolume that is `/` for what runs in it.
    private final class Root {
        let place: Place
        private static let borrowed = "usr lib lib64 bin sbin opt/swift proc dev sys"

        init() throws {
            place = try Place(.btrfs)
            shell(
                """
                \(words)
                cd \(place.root); mkdir -p etc/initramfs-tools opt/plc var/lib/holdfast tmp run program \(Self.borrowed); touch etc/fstab
                echo one > opt/plc/version; mkdir $R; mount_root; mount_others
                """)
        }

        deinit { shell("\(words) umount -R $R; rmdir $R") }

        /// What the scripts share.
        private var words: String {
            """
            S=\(place.scratch); R=$S/root; cd /
            device() { findmnt -n -o SOURCE $S/mount | sed 's/\\[.*//'; }
            mount_root() { umount -R $R 2>/dev/null; mount -o subvol=plant $(device) $R; }
            mount_state() {
                if mountpoint -q $R/var/lib/holdfast; then return; fi
                if btrfs subvolume show $S/mount/@holdfast-state >/dev/null 2>&1; then mount -o subvol=@holdfast-state $(device) $R/var/lib/holdfast; fi
            }
            mount_others() {
                mount_state
                for d in \(Self.borrowed); do [ -d /$d ] && mount --bind /$d $R/$d; done
                mount --bind \(BytePath(builtProgram).parent) $R/program
            }

            """
        }

        private func ended(_ script: String) -> (status: String, said: String) {
            let said = shell("\(words) \(script)").split(separator: "\n").map(String.init)
            return (said.last ?? "", said.dropLast().joined(separator: "\n"))
        }

        /// Runs the program in it, in a start of that name; the making of an initramfs is left to a program that does nothing.
        @discardableResult
        func holdfast(_ arguments: String, id: String = "0") -> (status: String, said: String) {
            ended(
                """
                unshare -m /bin/bash -c '
                mount -t tmpfs none /mnt; mkdir /mnt/upper /mnt/work; cp /bin/true /mnt/upper/update-initramfs; echo \(id) > /mnt/id
                mount -t overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work none '$R'/usr/sbin
                mount --bind /mnt/id '$R'/proc/sys/kernel/random/boot_id
                HOME=/tmp HOLDFAST_CONFIG= chroot '$R' /program/holdfast \(arguments) --yes' 2>&1; status=$?; mount_state; echo $status
                """)
        }

        /// A start up to where systemd would go on, and what finishes a rollback after it.
        @discardableResult
        func start(_ id: String) -> (status: String, said: String) {
            let boot = ended(
                """
                mount_root
                unshare -m --propagation private /bin/bash -c '
                mount -t tmpfs none /run; mkdir -p /run/holdfast/state; mount -o subvol=@holdfast-state '$(device)' /run/holdfast/state
                mkdir /run/program; mount --bind \(BytePath(builtProgram).parent) /run/program
                echo \(id) > /run/id; mount --bind /run/id /proc/sys/kernel/random/boot_id
                HOME=/ HOLDFAST_CONFIG= /run/program/holdfast boot --root '$R' --state /run/holdfast/state --at /var/lib/holdfast' 2>&1; echo $?
                """)
            if boot.status == "10" { return boot }
            shell("\(words) mount_others")
            holdfast("recover", id: id)
            return boot
        }

        func version() -> String { shell("\(words) cat $R/opt/plc/version") }
    }

    @Test(
        "Not confirmed, the second start exchanges the names and starts once more, in the old state; confirmed, it stays"
    )
    func returns() throws {
        let root = try Root()
        let setUp = root.holdfast("setup --root / --backend btrfs")
        try #require(setUp.status == "0" && setUp.said.contains("returns by itself, but"), "\(setUp)")
        #expect(root.holdfast("create one").status == "0")
        shell("echo two > \(root.place.scratch)/root/opt/plc/version")
        #expect(root.holdfast("rollback one --trial").status == "4")
        let begun = root.holdfast("rollback one --trial --trial-level 1")
        try #require(begun.status == "0", "\(begun)")
        #expect(root.version() == "two\n" && root.holdfast("confirm").status == "4")
        let first = root.start("1")
        #expect(
            first.status == "0" && first.said.contains("is on trial, start 1") && root.version() == "one\n", "\(first)")
        shell("echo tried > \(root.place.scratch)/root/opt/plc/tried")
        let second = root.start("2")
        #expect(second.status == "10" && second.said.contains("comes back with the next start"), "\(second)")
        let third = root.start("3")
        #expect(third.status == "0" && root.version() == "two\n", "\(third)")
        let told = root.holdfast("trial status", id: "3")
        #expect(told.status == "3" && told.said.contains("did not hold on trial"), "\(told)")
        let points = try ProtectedTree.points(state: root.place.scratch.appending("root/var/lib/holdfast"))
        #expect(points.filter { $0.failedTrial != nil }.count == 2, "\(points.map(\.name))")
        #expect(root.start("4").said.isEmpty && root.version() == "two\n")
        // What did not hold is there, with what was written in it.
        let left = try #require(points.last { $0.origin == .beforeRollback })
        #expect(root.holdfast("diff one \(left.name)", id: "4").said.contains("+ opt/plc/tried"))
        let again = root.holdfast("rollback one --trial --trial-level 1 --again", id: "4")
        #expect(again.status == "0", "\(again)")
        root.start("5")
        let kept = root.holdfast("confirm", id: "5")
        #expect(kept.status == "0" && kept.said.contains("is confirmed, and stays"), "\(kept)")
        for id in ["6", "7"] { #expect(root.start(id).status == "0" && root.version() == "one\n") }
    }

    @Test("A point from before the starts were counted cannot be tried")
    func older() throws {
        let root = try Root()
        root.holdfast("setup --root / --backend btrfs")
        let script = "etc/initramfs-tools/scripts/local-bottom/holdfast"
        shell("cd \(root.place.scratch)/root; mv \(script) etc/kept")
        root.holdfast("create old")
        shell("cd \(root.place.scratch)/root; mv etc/kept \(script)")
        let refused = root.holdfast("rollback old --trial --trial-level 1")
        #expect(refused.status == "4" && refused.said.contains("without --trial"), "\(refused)")
        #expect(root.holdfast("rollback factoryreset --trial --trial-level 1 --dry-run").status == "0")
    }
}
