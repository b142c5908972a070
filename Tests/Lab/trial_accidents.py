"""What may befall a state on trial, each for real: what the machine does about it by itself."""

import pathlib
import re
import shutil
import subprocess

import lab

#: What the root of the lab lacks: nothing that starts machines all day makes a live system.
PACKAGES = ["squashfs-tools", "liblzo2-2"]
PREPARE = r"""
export HOME=/root
dpkg -i /lab/packages/*.deb >/dev/null; apt-get --version >/dev/null; dpkg -i /lab/holdfast.deb
if [ -e /lab/i6300esb.ko ]; then
    mkdir -p /lib/modules/$(uname -r)/kernel/drivers/watchdog; cp /lab/*.ko /lib/modules/$(uname -r)/kernel/drivers/watchdog/
    depmod; echo i6300esb >>/etc/initramfs-tools/modules
fi
printf '%s\n' GRUB_TERMINAL=serial 'GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"' GRUB_TIMEOUT=0 GRUB_CMDLINE_LINUX_DEFAULT=quiet \
    GRUB_CMDLINE_LINUX="console=ttyS0" GRUB_DISABLE_OS_PROBER=true >>/etc/default/grub
grub-install --target=i386-pc /dev/vda
mkdir -p /opt/plc /var/log/journal; echo old >/opt/plc/version
holdfast setup --root /
holdfast status
"""
#: What each start of the machine does; the first begins the trial.
EACH = r"""
export HOME=/root
n=$(cat /lab/starts || echo 0); echo $((n + 1)) >/lab/starts; echo off >/lab/next
counter() { for file in /boot/holdfast/trial-* /var/lib/holdfast/recovery/trial-*; do [ ! -e "$file" ] || grep -a holdfast_left "$file" || echo "nothing counts"; done; }
if [ $n = 0 ]; then
    holdfast trial start MINUTES; echo new >/opt/plc/version; counter
    ACCIDENT
    echo reboot >/lab/next; sync
elif grep -q new /opt/plc/version && ! holdfast trial status | grep -q "nothing is on trial"; then
    holdfast trial status || true
    ONTRIAL
else
    cat /opt/plc/version; counter; ls /var/lib/holdfast/journal; holdfast trial status || true; holdfast status || true; holdfast log verify
fi
"""
#: Each start has said what comes next: off, reboot, or nothing.
AFTER = 'case $(cat /lab/next) in off) systemctl poweroff ;; reboot) systemctl reboot ;; esac'
PANIC = r"""
    mkdir /tmp/crash; cd /tmp/crash; printf '#!/bin/sh\nmount -t proc proc /proc\necho 1 >/proc/sys/kernel/sysrq\necho c >/proc/sysrq-trigger\n' >init
    chmod 755 init; echo init | cpio --quiet -o -H newc >/tmp/more; cat /tmp/more >>$(echo /boot/initrd.img-*)
"""
TRUNCATED = "truncate -s 1M $(echo /boot/initrd.img-*)"
#: Every processor is kept from everything else, the one that feeds the watchdog too.
HANG = r"""
    # Debian has no driver of a watchdog load by itself; whoever has one names it for the start.
    modprobe i6300esb; ls -l /dev/watchdog0; systemctl daemon-reexec; systemctl show -p RuntimeWatchdogUSec; echo nothing >/lab/next; sync
    echo -1 >/proc/sys/kernel/sched_rt_runtime_us
    for n in 1 2 3 4; do systemd-run --quiet --unit=hang$n chrt -f 99 sh -c 'while :; do :; done'; done
"""
STAYS = "echo nothing >/lab/next; touch /lab/stays"


def holds(text, *wanted):
    for words in wanted:
        if words not in text:
            raise RuntimeError(f"'{words}' is not in what was said:\n{text}")


def lacks(text, *unwanted):
    for words in unwanted:
        if words in text:
            raise RuntimeError(f"'{words}' is in what was said:\n{text}")


def is_back(said):
    holds(said, "old\n", "nothing counts", "did not hold on trial", "sound: ")
    lacks(said, "trial.loader")


class Accidents:
    def __init__(self, kind, machine, disk):
        self.kind, self.machine, self.disk, self.kept = kind, machine, disk, disk.with_name("kept")

    def script(self, accident="", on_trial="", minutes=30):
        return EACH.replace("MINUTES", str(minutes)).replace("ACCIDENT", accident).replace("ONTRIAL", on_trial)

    def begin(self, *what, **terms):
        lab.run("cp", "--reflink=auto", "--sparse=always", self.kept, self.disk)
        for name in ("starts", "stays", "next"):
            (self.machine.shared / name).unlink(missing_ok=True)
        self.machine.start(self.script(*what, **terms), after=AFTER)

    def console(self):
        return self.machine.console.read_text(errors="replace") if self.machine.console.exists() else ""

    def until_said(self, words):
        self.machine.until(lambda: words in self.console() or self.machine.process.poll() is not None)
        holds(self.console(), words)

    def alone(self, name, *what, wanted=(), **terms):
        """Nobody touches the machine from the accident to its being back."""
        self.begin(*what, **terms)
        is_back(self.machine.wait())
        holds(self.console(), "this machine returns by itself", *wanted)
        self.told(name, "by itself")

    def told(self, name, outcome):
        print(f"{self.kind}: {name}: returned {outcome}, starts of its own {(self.machine.shared / 'starts').read_text().strip()}", flush=True)

    def all(self, only):
        def wanted(name):
            return not only or name in only

        if wanted("panic"):
            self.alone("kernel panic before / is found", PANIC, wanted=["Kernel panic"])
        if wanted("truncated"):
            self.alone("initramfs truncated", TRUNCATED, wanted=["Kernel panic"])
        if wanted("unconfirmed"):
            self.alone("nobody confirms it", "", STAYS, minutes=3)
        if wanted("hang") and (self.machine.shared / "i6300esb.ko").exists():
            self.machine.words = ["-device", "i6300esb", "-action", "watchdog=reset"]
            self.alone("hang, with a watchdog", "", HANG)
            self.machine.words = []
        if wanted("cuts"):
            self.begin("", STAYS)
            self.machine.until_exists(self.machine.shared / "stays")
            self.machine.cut()
            self.machine.start(self.script("", STAYS), after=AFTER)
            self.until_said("this machine returns by itself")
            self.machine.cut()
            self.machine.start(self.script("", STAYS), after=AFTER)
            is_back(self.machine.wait())
            holds(self.console(), "this machine returns by itself")
            self.told("two power cuts in it", "by itself, with the power")
        if wanted("confirmed"):
            self.begin("", "holdfast confirm; counter; echo reboot >/lab/next")
            said = self.machine.wait()
            holds(said, "new\n", "nothing counts", "nothing is on trial")
            lacks(said, "trial.loader")
            lacks(self.console(), "this machine returns by itself")
            said = self.machine.run(self.script())  # Once more, from power-on.
            holds(said, "new\n", "nothing is on trial")
            self.told("confirmation", "not: it stays, over two restarts")


def fill_btrfs_boot(disk, rootfs, scratch):
    """/ on btrfs in the second partition, /boot on ext4 in the first."""
    lab.partition(disk, lab.SIZE, ("512M", ""))
    lab.fill_boot(disk, rootfs, scratch, lab.entry("LABEL=lab-root", "rootflags=subvol=@rootfs ro", ""))
    with lab.Loop(disk, lab.START + 512 * lab.MIB) as device:
        lab.run("mkfs.btrfs", "-q", "-L", "lab-root", device)
        with lab.Mounted(device, scratch / "mount") as top:
            lab.run("btrfs", "subvolume", "create", top / "@rootfs")
            lab.run("tar", "-C", top / "@rootfs", "--xattrs", "--xattrs-include=*", "--exclude=./boot/*", "-xf", rootfs)
            (top / "@rootfs/etc/fstab").write_text("LABEL=lab-root / btrfs subvol=/@rootfs 0 0\nLABEL=lab-boot /boot ext4 defaults 0 2\n")


def watchdog_module(machine, rootfs, scratch):
    """The driver of the virtual machine's watchdog, which the root of the lab lacks; none where its kernel's package is not to be had."""
    kernel = lab.kernel_and_initramfs(rootfs)[0].name[len("vmlinuz-"):]
    source = pathlib.Path(f"/lib/modules/{kernel}")
    if not source.exists():
        folder = scratch / "kernel"
        folder.mkdir()
        if subprocess.run(["apt-get", "download", "-qq", f"linux-image-{kernel}"], cwd=folder, capture_output=True).returncode:
            return
        lab.run("dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "all")
        source = folder / "all"
    for name in ("i6300esb.ko", "watchdog.ko"):
        for module in source.rglob(name):
            shutil.copy(module, machine.shared / name)


def show(kind, package, rootfs, only=()):
    scratch = lab.new_scratch()
    disk = scratch / "disk"
    if kind == "btrfs-boot":
        lab.run("cp", "--reflink=auto", lab.made(rootfs, kind, lambda path, folder: fill_btrfs_boot(path, rootfs, folder)), disk)
    else:
        lab.make_disk(kind, disk, rootfs)
    machine = lab.Machine(scratch, disk)
    lab.put_program(machine, package)
    (machine.shared / "packages").mkdir()
    lab.run("apt-get", "download", "-qq", *PACKAGES, cwd=machine.shared / "packages")
    watchdog_module(machine, rootfs, scratch)
    said = machine.run(PREPARE)
    print("\n".join(line for line in said.splitlines() if re.match("trials|recovery|what is tried|  ", line)), flush=True)
    if kind == "btrfs":
        # GRUB writes to nothing here.
        holds(said, "GRUB cannot write")
        said = machine.run("if holdfast trial start; then exit 9; else [ $? = 4 ]; fi; holdfast status")
        holds(said, "accept that with --trial-level 1", "nothing", "level 1")
        print(f"{kind}: kernel panic, initramfs truncated: refused without --trial-level 1", flush=True)
    else:
        holds(said, "trials: level 2")
        lab.run("cp", "--reflink=auto", "--sparse=always", disk, disk.with_name("kept"))
        Accidents(kind, machine, disk).all(only)
    shutil.rmtree(scratch)
