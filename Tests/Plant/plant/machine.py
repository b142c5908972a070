"""A machine: a mount, host name and process namespace of its own, a disk that outlives it, and a power switch."""
import json
import os
import signal
import struct
import subprocess

from .clock import SECOND

START = """
mount --make-rprivate /
hostname "$1"
[ ! -e /etc/machine-id ] || mount --bind "$2/machine-id" /etc/machine-id
mount --bind "$2/boot-id" /proc/sys/kernel/random/boot_id
echo on
exec bash -c 'read -r over'
"""


class Machine:
    def __init__(self, plant, name, host=None):
        self.plant, self.name, self.host = plant, name, host or name
        self.folder = os.path.join(plant.folder, name)
        self.tree_path = os.path.join(self.folder, "tree")
        self.holder, self.running, self.isolated = None, None, False
        os.makedirs(os.path.join(self.folder, "home"))
        self.write("machine-id", "%032x\n" % plant.random.getrandbits(128))
        self.switch_on()

    def write(self, name, text, mode=0o600):
        with open(os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
        return os.path.join(self.folder, name)

    # -- power

    def switch_on(self):
        number = "%032x" % self.plant.random.getrandbits(128)
        self.write("boot-id", "-".join([number[:8], number[8:12], number[12:16], number[16:20], number[20:]]) + "\n")
        with open(os.path.join(self.folder, "boot"), "wb") as file:
            file.write(struct.pack("<q", int(self.plant.clock.now * SECOND)))
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-ec", START, "sh", self.host, self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "on\n":
            raise SystemExit(f"the machine {self.name} does not start")
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as file:
            self.first = int(file.read().split()[0])

    def cut(self):
        """The power is gone: every process at once. What was written stays, as in the kernel's memory it is not lost here."""
        os.kill(self.first, signal.SIGKILL)
        self.holder.wait()
        self.holder = None

    @property
    def is_on(self):
        return self.holder is not None

    # -- programs

    def enter(self, words):
        return ["nsenter", "--target", str(self.first), "--mount", "--uts", "--pid", "--", *words]

    @property
    def environment(self):
        path = self.folder
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": f"{path}/home", "HOLDFAST_STATE": f"{path}/state", "XDG_CONFIG_HOME": f"{path}/etc",
                "HOLDFAST_CONFIG": f"{path}/config.toml", "TZ": "UTC", "LC_ALL": "C.UTF-8"} | self.plant.libraries | self.plant.clock.environment(
                    f"{path}/boot")

    def start(self, *words):
        """Begins a command of Holdfast's, without waiting for it."""
        return subprocess.Popen(self.enter([self.plant.program, *map(str, words)]), env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="backslashreplace")

    def run(self, *words):
        return Outcome(words, self.start(*words))

    def must(self, *words):
        return self.plant.oracle.must(self.run(*words), self.name)

    def suspend(self):
        subprocess.run(self.enter(["kill", "-STOP", "-1"]), check=False, stderr=subprocess.DEVNULL)

    def resume(self, process):
        subprocess.run(self.enter(["kill", "-CONT", "-1"]), check=False, stderr=subprocess.DEVNULL)
        # nsenter has stopped with what it waits for.
        os.kill(process.pid, signal.SIGCONT)

    # -- what it knows of its job

    @property
    def record(self):
        try:
            with open(os.path.join(self.folder, "state/jobs/plc.json")) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}


class Outcome:
    """What came of a command."""

    def __init__(self, words, process):
        self.words = " ".join(map(str, words))
        try:
            self.output, self.said = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"holdfast {self.words} does not end") from None
        self.status = process.returncode

    @property
    def json(self):
        try:
            return json.loads(self.output)
        except ValueError:
            return {}

    def __str__(self):
        return f"holdfast {self.words}: status {self.status}: {' | '.join((self.said.strip() or self.output.strip())[-900:].splitlines())}"
