"""Machines of the lab: a disk with a whole Debian that GRUB boots, and a virtual machine that runs what it is told.

A test says what to do inside as a shell script; the machine boots, runs it, and switches off or is cut off. Nothing but the
disk outlives a boot, as with a real machine.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

# Tests find all of it here.
from disks import MIB, START, Loop, Mounted, entry, install_grub, make_initramfs, partition, run

SIZE = 6 << 30
#: Seconds without a line of its trace, its output or its console after which a machine is given up; those in which it waited for a
#: processor of this machine do not count. Whatever speaks may take what it takes.
SILENCE = 600
HERE = pathlib.Path(__file__).resolve().parent


def new_scratch():
    """A folder for one test, which Tests/Lab/run removes whatever comes."""
    return pathlib.Path(tempfile.mkdtemp(prefix="holdfast-lab-", dir=os.environ.get("HOLDFAST_LAB_SCRATCH", "/var/tmp")))


def made(rootfs, name, make):
    """What is made of a root once, by whoever wants it first, and kept beside it until there is a newer root: make(path, scratch)
    writes it."""
    folder = pathlib.Path(f"{rootfs}.made")
    folder.mkdir(exist_ok=True)
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists() or (folder / name).stat().st_mtime < pathlib.Path(rootfs).stat().st_mtime:
            scratch = new_scratch()
            make(scratch / name, scratch)
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            shutil.move(scratch / name, folder / name)
            shutil.rmtree(scratch)
    return folder / name


def make_disk(kind, disk, rootfs):
    """A disk with a system of its own: btrfs, zfs, tree or luks."""
    fill = {"btrfs": fill_btrfs, "zfs": fill_zfs, "tree": fill_tree, "luks": fill_luks}[kind]
    run("cp", "--reflink=auto", made(rootfs, kind, lambda path, scratch: fill(path, rootfs, scratch)), disk)


def kernel_and_initramfs(rootfs):
    def unpack(path, scratch):
        path.mkdir()
        run("tar", "-C", path, "--strip-components=2", "-xf", rootfs, "./boot")

    boot = made(rootfs, "boot", unpack)
    return next(boot.glob("vmlinuz-*")), next(boot.glob("initrd.img-*"))


def fill_btrfs(disk, rootfs, scratch):
    """Debian's layout: / in the subvolume @rootfs, /boot in it."""
    partition(disk, SIZE)
    with Loop(disk) as device:
        run("mkfs.btrfs", "-q", "-L", "lab-root", device)
        with Mounted(device, scratch / "mount") as top:
            run("btrfs", "subvolume", "create", top / "@rootfs")
            root = top / "@rootfs"
            run("tar", "-C", root, "--xattrs", "--xattrs-include=*", "-xf", rootfs)
            (root / "etc/fstab").write_text("LABEL=lab-root / btrfs subvol=/@rootfs 0 0\n")
            (root / "boot/grub").mkdir(exist_ok=True)
            (root / "boot/grub/grub.cfg").write_text(entry("LABEL=lab-root", "rootflags=subvol=@rootfs ro", "/@rootfs"))
    install_grub(disk, "/@rootfs/boot/grub", scratch)


def fill_boot(disk, rootfs, scratch, menu):
    """/boot on ext4 in the first partition, with GRUB and its menu; returns the kernel's version."""
    with Loop(disk, START, 512 * MIB) as device:
        run("mkfs.ext4", "-q", "-L", "lab-boot", device)
        with Mounted(device, scratch / "mount") as boot:
            run("tar", "-C", boot, "--strip-components=2", "-xf", rootfs, "./boot")
            kernel = next(boot.glob("vmlinuz-*")).name[len("vmlinuz-"):]
            for name in ("vmlinuz", "initrd.img"):
                if not (boot / name).is_symlink():
                    (boot / name).symlink_to(f"{name}-{kernel}")
            (boot / "grub").mkdir(exist_ok=True)
            (boot / "grub/grub.cfg").write_text(menu)
    install_grub(disk, "/grub", scratch)
    return kernel


def helper(rootfs, scratch, *disks):
    """Another machine, which is thrown away, with these disks as its second and so on, and the root beside it."""
    folder = scratch / "helper"
    folder.mkdir()
    make_disk("tree", folder / "disk", rootfs)
    machine = Machine(folder, folder / "disk", *disks, kernel=kernel_and_initramfs(rootfs))
    os.link(rootfs, machine.shared / "rootfs.tar")
    return machine


def fill_zfs(disk, rootfs, scratch):
    """/ in the boot environment lab/ROOT/debian, which the boot finds by the pool's bootfs; /boot on ext4 beside it."""
    partition(disk, SIZE, ("512M", ""))
    fill_boot(disk, rootfs, scratch, entry("zfs:AUTO", "ro zfs_force=1", ""))
    # Only a kernel with ZFS can fill the rest.
    machine = helper(rootfs, scratch, disk)
    machine.run("""
        modprobe zfs
        zpool create -f -o ashift=12 -O compression=lz4 -O atime=off -O acltype=posixacl -O xattr=sa -O mountpoint=none -R /mnt lab /dev/vdb2
        zfs create -o mountpoint=none lab/ROOT
        zfs create -o canmount=noauto -o mountpoint=/ lab/ROOT/debian
        zfs mount lab/ROOT/debian
        zpool set bootfs=lab/ROOT/debian lab
        tar -C /mnt --xattrs --xattrs-include='*' --exclude='./boot/*' -xf /lab/rootfs.tar
        echo 'LABEL=lab-boot /boot ext4 defaults 0 2' >/mnt/etc/fstab
        zpool export lab
    """)


def fill_tree(disk, rootfs, scratch):
    """/ on ext4, /boot in it."""
    partition(disk, SIZE)
    with Loop(disk) as device:
        run("mkfs.ext4", "-q", "-L", "lab-root", device)
        with Mounted(device, scratch / "mount") as root:
            run("tar", "-C", root, "--xattrs", "--xattrs-include=*", "-xf", rootfs)
            (root / "etc/fstab").write_text("LABEL=lab-root / ext4 errors=remount-ro 0 1\n")
            (root / "boot/grub").mkdir(exist_ok=True)
            (root / "boot/grub/grub.cfg").write_text(entry("LABEL=lab-root", "ro", ""))
    install_grub(disk, "/boot/grub", scratch)


def fill_luks(disk, rootfs, scratch):
    """/ on ext4 in LUKS, which the initramfs opens with a key of its own; /boot on ext4 beside it."""
    partition(disk, SIZE, ("512M", ""))
    kernel = fill_boot(disk, rootfs, scratch, entry("/dev/mapper/lab-root", "ro", ""))
    # Only a kernel with device-mapper can fill the rest.
    machine = helper(rootfs, scratch, disk)
    machine.run(f"""
        mkdir /root/keys; dd if=/dev/urandom of=/root/keys/root.key bs=64 count=1 status=none; chmod 600 /root/keys/root.key
        cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdb2 /root/keys/root.key
        cryptsetup open --key-file /root/keys/root.key /dev/vdb2 lab-root
        mkfs.ext4 -q /dev/mapper/lab-root; mount /dev/mapper/lab-root /mnt
        tar -C /mnt --xattrs --xattrs-include='*' --exclude='./boot/*' -xf /lab/rootfs.tar
        echo '/dev/mapper/lab-root / ext4 errors=remount-ro 0 1' >/mnt/etc/fstab
        echo 'LABEL=lab-boot /boot ext4 defaults 0 2' >>/mnt/etc/fstab
        cp -r /root/keys /mnt/etc/keys
        echo "lab-root UUID=$(blkid -s UUID -o value /dev/vdb2) /etc/keys/root.key luks,initramfs" >/mnt/etc/crypttab
        echo 'KEYFILE_PATTERN=/etc/keys/*.key' >>/mnt/etc/cryptsetup-initramfs/conf-hook
        mount /dev/vdb1 /mnt/boot
        for place in dev proc sys; do mount --rbind /$place /mnt/$place; done
        chroot /mnt update-initramfs -u -k {kernel}
        umount /mnt/boot; sync
    """)


# bash takes `! command` for no failure, whatever the command ends with.
PREAMBLE = """set -e; PS4='+ $SECONDS s: '
gone() { for place in "$@"; do if [ -e "$place" ]; then echo "$place is there"; exit 9; fi; done; }
differ() { if cmp -s "$1" "$2"; then echo "$1 and $2 are the same"; exit 9; fi; }
"""


class Machine:
    """A virtual machine with disks, and a folder that it shares with the test."""

    def __init__(self, scratch, *disks, memory=1024, host=None, kernel=None):
        self.scratch = pathlib.Path(scratch)
        self.disks = disks
        self.memory = memory
        #: A folder of this machine that the guest may read.
        self.host = host
        #: A kernel and an initramfs to start at once, with the script in the place of systemd: cheaper, for what does not look at a start.
        self.kernel = kernel
        #: What the machine's clock says when it starts: the time, or one as in 2027-03-01T06:00:00 (UTC).
        self.clock = "utc"
        #: More of qemu's words.
        self.words = []
        #: Bytes of a sector of its disks.
        self.sector = 512
        #: The partition with / where a kernel is started at once.
        self.root = "/dev/vda1"
        self.silence = SILENCE
        self.shared = self.scratch / "shared"
        self.shared.mkdir(parents=True, exist_ok=True)
        self.console = self.scratch / "console"
        self.boots = 0

    def start(self, todo, after="systemctl poweroff"):
        """Boots; `todo` runs once the machine is up, `after` when it has ended."""
        for path in (*(self.shared / name for name in ("said", "ended", "trace")), self.console):
            path.unlink(missing_ok=True)
        (self.shared / "todo").write_text(PREAMBLE + todo)
        (self.shared / "then").write_text(after)
        # Each device that nobody needs is time at each start: a floppy, a CD, a screen.
        words = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", self.memory, "-nodefaults", "-nographic",
                 "-serial", f"file:{self.console}", "-monitor", "none", "-nic", "none", "-rtc", f"base={self.clock}",
                 "-virtfs", f"local,path={self.shared},mount_tag=lab,security_model=none"]
        if self.host:
            words += ["-virtfs", f"local,path={self.host},mount_tag=host,security_model=none,readonly=on,multidevs=remap"]
        if self.kernel:
            words += ["-kernel", self.kernel[0], "-initrd", self.kernel[1],
                      "-append", f"root={self.root} rw console=ttyS0 panic=5 quiet init=/usr/local/sbin/guest"]
        # A power cut ends qemu and not this machine, which therefore need not bring anything to its own disk.
        for number, disk in enumerate(self.disks):
            words += ["-drive", f"file={disk},format=raw,if=none,id=disk{number},cache=unsafe",
                      "-device", f"virtio-blk-pci,drive=disk{number},logical_block_size={self.sector},physical_block_size={self.sector}"
                      + ("" if self.kernel else f",bootindex={number}")]
        words += self.words
        self.boots += 1
        self.began = time.monotonic()
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def cut(self):
        """A power cut."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def until(self, is_so):
        """Waits; a machine that says nothing for too long is cut off."""
        last = None
        while not is_so():
            now = [file.stat().st_size if file.exists() else 0 for file in (self.shared / "trace", self.shared / "said", self.console)]
            if now != last:
                last, since, before, worked = now, time.monotonic(), self.waited(), self.worked()
            silent = time.monotonic() - since
            if silent > self.silence:
                waited = max((seconds - before.get(task, 0) for task, seconds in self.waited().items()), default=0)
                if silent - waited > self.silence:
                    worked = self.worked() - worked
                    self.cut()
                    raise RuntimeError(f"boot {self.boots}: the machine has said nothing for {silent:.0f} s, of which it waited {waited:.0f} s for a processor "
                                       f"and worked {worked:.0f} s, and was cut off {time.monotonic() - self.began:.0f} s after its start; " + self.last_words())
            time.sleep(0.2)

    def until_exists(self, file):
        """Waits for a file that the script makes."""
        def is_there():
            if not file.exists() and self.process.poll() is not None:
                raise RuntimeError(f"boot {self.boots}: the machine went off before {file.name} was there; " + self.last_words())
            return file.exists()

        self.until(is_there)

    def wait(self):
        """Until it is off; returns what was said inside. Fails where the script did."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.until(lambda: self.process.poll() is not None)
        self.off = time.time()
        said = self.said()
        ended = self.shared / "ended"
        if not ended.exists() or ended.read_text().strip() != "0":
            raise RuntimeError(f"the script ended with {ended.read_text().strip() if ended.exists() else 'nothing'}; " + self.last_words())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"   boot {self.boots}: {time.monotonic() - self.began:.0f} s, of which it worked {worked:.0f} s", flush=True)
        return said

    def worked(self):
        """Seconds of processor that the virtual machine has had so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited(self):
        """Seconds that each of its threads was ready and had no processor."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            # A thread may end meanwhile.
            with contextlib.suppress(OSError):
                found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
        return found

    def last_words(self):
        return f"it said\n{self.said()}\nthe trace ends with\n{self.trace()}\nthe console ends with\n{self.tail()}"

    def said(self):
        file = self.shared / "said"
        return file.read_text(errors="replace") if file.exists() else ""

    def tail(self, lines=25):
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def trace(self):
        file = self.shared / "trace"
        return "\n".join(file.read_text(errors="replace").splitlines()[-10:]) if file.exists() else ""

    def ended(self):
        """Seconds from the end of the script to the machine being off."""
        return self.off - (self.shared / "ended").stat().st_mtime

    def run(self, todo):
        self.start(todo)
        return self.wait()


def put_program(machine, package):
    """What users install, where the guest finds it: the package, the same as a later version, and the program for a machine without either."""
    shutil.copy(package, machine.shared / "holdfast.deb")
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "--raw-extract", package, folder)
        program = pathlib.Path(folder) / "usr/bin/holdfast"
        shutil.copy(program, machine.shared / "holdfast")
        # Another program that does the same.
        with open(program, "ab") as file:
            file.write(b"later")
        control = pathlib.Path(folder) / "DEBIAN/control"
        control.write_text(re.sub("(?m)^Version: .*", r"\g<0>+later", control.read_text()))
        (pathlib.Path(folder) / "DEBIAN/md5sums").unlink()
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder, machine.shared / "later.deb")


def on_host_files(command):
    """A script that runs a command in the guest with all files of this machine, read-only below a layer in memory, and below them those of
    the guest, which has the programs of ZFS; the machine needs `host="/"`, and memory."""
    return f"""
        modprobe -a zfs overlay vfat nls_ascii nls_cp437
        mkdir -p /host /layer /all; mount -t tmpfs -o size=2g none /layer; mkdir /layer/upper /layer/work
        mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose host /host
        mount -t overlay -o lowerdir=/host:/,upperdir=/layer/upper,workdir=/layer/work overlay /all
        for place in proc sys dev; do mount --rbind /$place /all/$place; done
        mount -t tmpfs none /all/tmp; mount -t tmpfs none /all/run; mkdir -p /all/lab; mount --bind /lab /all/lab
        export PATH=$PATH:/opt/swift/usr/bin HOME=/root
        chroot /all /bin/bash -c 'cd {HERE.parent.parent} && {command}' 2>&1
    """
