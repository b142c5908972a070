"""A machine that is to be repaired: what is installed on it, how it is broken and cut off, and the recovery menu through its serial line."""

import subprocess
import time

from rescue_console import Console

#: What the root of the lab lacks: nothing that starts machines all day makes a live system.
PACKAGES = ["squashfs-tools", "liblzo2-2"]
INSTALL = r"""
export HOME=/root
dpkg -i /lab/packages/*.deb >/dev/null; apt-get --version >/dev/null; dpkg -i /lab/holdfast.deb
"""
SET_UP = r"""
echo root:secret | chpasswd -c SHA512
holdfast setup --root /
holdfast status | grep '^recovery: '
holdfast create Good --message "it runs"
echo broken >/etc/marker; sync
"""
CHECK = r"""
gone /etc/marker
holdfast status
holdfast log verify
"""
# Nothing that is started from then on runs, and what runs goes on: the machine is cut off.
CUT = r"""
exec 3>/lab/broken; echo broken >&3
while :; do :; done
"""


def broken(machine, todo):
    """Breaks a machine, and cuts it off."""
    (machine.shared / "broken").unlink(missing_ok=True)
    machine.start(todo + CUT)
    machine.until_exists(machine.shared / "broken")
    time.sleep(3)
    machine.cut()


class Watched:
    """The machine with its serial line."""

    def __init__(self, scratch, disk, firmware=()):
        line = scratch / "line"
        line.unlink(missing_ok=True)
        words = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-display", "none",
                 "-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe", "-device", "virtio-blk-pci,drive=disk" + ("" if firmware else ",bootindex=0"),
                 "-chardev", f"socket,id=line,path={line},server=on,wait=off", "-serial", "chardev:line", "-nic", "none", "-no-reboot",
                 # What GRUB says without its menu goes to the serial line, too.
                 *(firmware or ["-machine", "graphics=off"])]
        self.began = time.monotonic()
        self.process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL)
        self.console = Console(line, self.process, scratch / "console")

    def __enter__(self):
        return self.console

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def through_menu(console, watched):
    """The way back to Good, until the machine goes off to restart."""
    console.until("English")
    # The first question: the menu may still be looking at its terminal, and throws away what comes before.
    time.sleep(3)
    console.line.sendall(b"1\r")
    print(f"   the recovery menu: {time.monotonic() - watched.began:.0f} s after power-on", flush=True)
    # What is the owner's wants his password.
    console.through("to be done=>8", "Password of root=>wrong")
    console.until("That is not the password.")
    console.through("Enter goes on=>", "to be done=>4", "Go back to a point=>2", "Is it right=>1")
    console.answer("] ", "Good")
    console.answer("[y/N]", "y")
    console.until("Done.")
    console.through("Enter goes on=>", "Show what was done=>0", "to be done=>9", "Is it right=>1")
    while watched.process.poll() is None:
        console.read()
