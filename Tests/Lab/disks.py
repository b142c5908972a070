"""Disks as files of this machine: partitions, file systems that are mounted here, and what starts from them."""

import pathlib
import subprocess
import time

MIB = 1 << 20
#: Where the file system begins on the disk; GRUB lies before it.
START = MIB
#: Seconds that a mount may outlive its unmounting, in a mount namespace that another test made meanwhile.
LINGERS = 600


def run(*words, **options):
    """Runs a program; what it complains of is the error's text."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {result.returncode}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


class Loop:
    """A part of a disk as a block device."""

    def __init__(self, disk, offset=START, size=0):
        self.words = ["losetup", "--find", "--show", "--offset", offset]
        if size:
            self.words += ["--sizelimit", size]
        self.disk = disk

    def __enter__(self):
        self.device = run(*self.words, self.disk).strip()
        return self.device

    def __exit__(self, *_):
        """The disk is whole once the device is gone: until the last namespace has let its mount go, the last writes are in memory only."""
        run("losetup", "--detach", self.device)
        backing = pathlib.Path("/sys/block") / pathlib.Path(self.device).name / "loop/backing_file"
        until = time.monotonic() + LINGERS
        while self.is_of_this_disk(backing):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.device} is in use {LINGERS} s after it was unmounted and detached: {self.disk} is not whole")
            time.sleep(0.05)

    def is_of_this_disk(self, backing):
        try:
            return backing.read_text().strip() == str(pathlib.Path(self.disk).resolve())
        except OSError:  # No backing file: no longer in use.
            return False


class Mounted:
    def __init__(self, device, folder, options="defaults"):
        self.device, self.folder, self.options = device, pathlib.Path(folder), options

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", self.options, self.device, self.folder)
        return self.folder

    def __exit__(self, *_):
        run("umount", self.folder)


def install_grub(disk, path, scratch, find="set root=(hd0,msdos1)", at=512, modules=("part_msdos", "ext2", "btrfs", "zstd")):
    """GRUB in front of the first partition, or `at` another byte, with all that it needs in itself; it reads `path`/grub.cfg from the root
    that it is told to `find`."""
    early = scratch / "early.cfg"
    early.write_text(f"serial --unit=0\nterminal_output serial\n{find}\nconfigfile ($root){path}/grub.cfg\n")
    core = scratch / "core.img"
    run("grub-mkimage", "-O", "i386-pc", "-o", core, "-c", early, "-p", path, "biosdisk", "normal", "linux", "configfile", "echo", "serial",
        "search", "sleep", "test", *modules)
    boot, image = bytearray(pathlib.Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()[:440]), bytearray(core.read_bytes())
    assert len(image) < START - 512, len(image)
    # The sector where the image begins, and that where its own rest does.
    boot[0x5C:0x64], image[0x1F4:0x1FC] = ((at // 512 + number).to_bytes(8, "little") for number in (0, 1))
    with open(disk, "r+b") as file:
        file.write(boot)
        file.seek(at)
        file.write(image)


def partition(disk, size, parts=("",)):
    """An empty disk with partitions from START on; `parts` are sizes as sfdisk takes them."""
    with open(disk, "wb") as file:
        file.truncate(size)
    table = "label: dos\n" + "".join(f"{f'start={START // 512}, ' if not i else ''}{f'size={p}, ' if p else ''}type=83\n" for i, p in enumerate(parts))
    run("sfdisk", "--quiet", disk, input=table)


def entry(root, options, folder):
    """GRUB's menu: one entry, by the links that Debian keeps to its newest kernel."""
    return (f"set timeout=0\nmenuentry lab {{\n linux {folder}/vmlinuz root={root} {options} console=ttyS0 panic=5 quiet\n"
            f" initrd {folder}/initrd.img\n}}\n")


def make_initramfs(root, modules):
    """The initramfs of a root that is mounted here, with these modules, and with what its files say now."""
    with open(root / "etc/initramfs-tools/modules", "a") as file:
        file.write("".join(f"{name}\n" for name in modules))
    kernel = next((root / "boot").glob("vmlinuz-*")).name[len("vmlinuz-"):]
    run("unshare", "--mount", "bash", "-ec", f"for place in dev proc sys; do mount --rbind /$place {root}/$place; done; "
        f"chroot {root} update-initramfs -u -k {kernel}")
