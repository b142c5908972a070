"""Machines with a UEFI firmware and Secure Boot: what it starts, and the firmware itself."""

import pathlib
import shutil

import imaging
import lab

#: Debian's signed parts, and a firmware that takes nothing else.
SIGNED = {"shimx64.efi": "/usr/lib/shim/shimx64.efi.signed", "mmx64.efi": "/usr/lib/shim/mmx64.efi.signed",
          "grubx64.efi": "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"}
FIRMWARE = ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
#: Where the firmware's partition is, and where the other one begins.
PARTITION, REST = (1 << 20, 64 << 20), 65 << 20
FAT = ["vfat", "nls_cp437", "nls_ascii"]


def fill_partition(disk, scratch, find, options, size=PARTITION[1], folders=("debian",)):
    """The firmware's partition, with shim and GRUB where Debian's installer puts them, or elsewhere. No kernel has to have FAT for it."""
    partition = imaging.empty(scratch / "partition", size)
    lab.run("mkfs.vfat", "-F", "32", "-n", "ESP", partition)
    (scratch / "grub.cfg").write_text(f"serial --unit=0\nterminal_output serial\n{find}\nlinux /vmlinuz {options} ro console=ttyS0 panic=5 quiet\n"
                                      "initrd /initrd.img\nboot\n")
    lab.run("mmd", "-i", partition, "::/EFI", *(f"::/EFI/{folder}" for folder in folders))
    for folder in folders:
        for name, path in (SIGNED | {"grub.cfg": scratch / "grub.cfg"}).items():
            target = "BOOTX64.EFI" if (folder, name) == ("BOOT", "shimx64.efi") else name
            lab.run("mcopy", "-i", partition, path, f"::/EFI/{folder}/{target}")
    lab.run("dd", f"if={partition}", f"of={disk}", "bs=1M", f"seek={PARTITION[0] >> 20}", "conv=notrunc,sparse", "status=none")


def fill_root(device, rootfs, scratch, fstab, modules):
    lab.run("mkfs.ext4", "-q", "-L", "lab-root", device)
    with lab.Mounted(device, scratch / "mount") as root:
        lab.run("tar", "-C", root, "--xattrs", "--xattrs-include=*", "-xf", rootfs)
        (root / "etc/fstab").write_text(fstab + "LABEL=ESP /boot/efi vfat umask=0077 0 1\n")
        (root / "boot/efi").mkdir()
        lab.make_initramfs(root, modules + FAT)


def words_of_firmware(variables):
    """A firmware that takes nothing but what is signed; what it remembers is in the file, which is made where there is none."""
    if not variables.exists():
        shutil.copy(FIRMWARE[1], variables)
    return ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE[0]}", "-drive", f"if=pflash,format=raw,file={variables}"]
