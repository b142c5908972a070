// The programs that a live system has besides Holdfast: what it calls, and what somebody at a dead machine reaches for.

/// A program by its name, and Debian's package that has it.
struct LiveProgram {
    var name: String
    var package: String
    /// Whether nothing goes without it.
    var isNeeded = true

    /// The rest of the system that it starts in: busybox has the plain tools.
    static let all: [LiveProgram] =
        [
            ("busybox", "busybox"), ("kmod", "kmod"), ("udevadm", "udev"), ("mount", "mount"), ("umount", "mount"),
            ("blkid", "util-linux"), ("mke2fs", "e2fsprogs"), ("mkfs.ext4", "e2fsprogs"), ("e2fsck", "e2fsprogs"),
            ("dumpe2fs", "e2fsprogs"), ("tune2fs", "e2fsprogs"), ("resize2fs", "e2fsprogs"),
            ("mkfs.vfat", "dosfstools"), ("fsck.fat", "dosfstools"), ("bash", "bash"),
        ].map { LiveProgram(name: $0.0, package: $0.1) }
        // What is not on this machine is on none of its disks, either, as a rule.
        + [
            ("fsck.ext4", "e2fsprogs"), ("btrfs", "btrfs-progs"), ("mkfs.btrfs", "btrfs-progs"),
            ("mkfs.xfs", "xfsprogs"),
            ("xfs_info", "xfsprogs"), ("xfs_db", "xfsprogs"), ("xfs_growfs", "xfsprogs"), ("xfs_repair", "xfsprogs"),
            ("xfs_spaceman", "xfsprogs"), ("xfs_admin", "xfsprogs"), ("xfs_io", "xfsprogs"),
            ("fsck.exfat", "exfatprogs"), ("mkfs.exfat", "exfatprogs"), ("ntfsfix", "ntfs-3g"),
            ("zfs", "zfsutils-linux"), ("zpool", "zfsutils-linux"), ("mount.zfs", "zfsutils-linux"),
            ("efibootmgr", "efibootmgr"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client"),
            ("ssh-keyscan", "openssh-client"), ("lvm", "lvm2"), ("dmsetup", "dmsetup"), ("mdadm", "mdadm"),
            ("cryptsetup", "cryptsetup-bin"), ("sfdisk", "fdisk"), ("sgdisk", "gdisk"), ("loadkeys", "kbd"),
            ("setfont", "kbd"), ("ip", "iproute2"), ("smartctl", "smartmontools"), ("hdparm", "hdparm"),
            ("nvme", "nvme-cli"), ("mdir", "mtools"), ("nano", "nano"), ("less", "less"), ("lspci", "pciutils"),
            ("lsusb", "usbutils"), ("age", "age"),
        ].map { LiveProgram(name: $0.0, package: $0.1, isNeeded: false) }

    /// Which file systems of the list cannot be made anew without which package: said when the stick is made.
    static let told = [
        "btrfs": "btrfs", "mkfs.xfs": "XFS", "ssh": "stores on SFTP", "efibootmgr": "entries of the firmware",
    ]
}
