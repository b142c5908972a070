"""What the tests of disk images share: the program as somebody runs it who has a folder of his own, and the sums of a system's files."""

import contextlib
import hashlib
import os
import subprocess
import tempfile

import lab

#: What is told of the system inside, and outside where the file system can be mounted here.
SUMS = "cd {0} && find usr etc/default opt -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
LARGER = lab.SIZE + (1 << 30)


def show(said):
    print("".join(f"   {line}\n" for line in said.splitlines()), end="", flush=True)
    return said


def outside(disk, offset=lab.START, root="", size=0):
    """The sums of a system whose file system begins there."""
    with lab.Loop(disk, offset, size) as device, tempfile.TemporaryDirectory() as folder, lab.Mounted(device, folder, "ro") as mounted:
        return subprocess.run(["bash", "-c", SUMS.format(mounted / root)], check=True, capture_output=True, text=True).stdout


def empty(path, size):
    """A disk without anything on it."""
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def content(disk):
    """A sum of what is in a file, without its holes."""
    found = hashlib.sha256()
    with open(disk, "rb") as file:
        place, end = 0, file.seek(0, os.SEEK_END)
        # Behind the last there is an error.
        with contextlib.suppress(OSError):
            while place < end:
                start = os.lseek(file.fileno(), place, os.SEEK_DATA)
                place = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                file.seek(start)
                while start < place:
                    piece = file.read(min(1 << 20, place - start))
                    # Zeros may have become a hole, and the other way round.
                    if piece.strip(b"\0"):
                        found.update(start.to_bytes(8, "little") + piece)
                    start += len(piece)
    return found.hexdigest()


class Program:
    """The program of the package, with a key and a store."""

    def __init__(self, package, scratch):
        lab.run("dpkg-deb", "-x", package, scratch / "package")
        home = scratch / "home"
        home.mkdir()
        self.scratch = scratch
        self.binary = scratch / "package/usr/bin/holdfast"
        self.env = dict(os.environ, HOME=str(home), XDG_CONFIG_HOME=f"{home}/config", XDG_STATE_HOME=f"{home}/state", XDG_CACHE_HOME=f"{home}/cache")
        self.run("key", "generate", "--quiet")
        self.run("store", "init", scratch / "store", "--quiet")

    def run(self, *words):
        # With what it warns of.
        return show(lab.run("bash", "-c", 'exec "$@" 2>&1', "-", self.binary, *words, env=self.env))

    def backup(self, disk, name):
        """Nothing of the disk is written."""
        before = content(disk)
        said = self.run("backup", "--disk", disk, "--to", self.scratch / "store", "--name", name)
        assert content(disk) == before, "the source was written to"
        return said

    def restore(self, name, disk, *words):
        """To a disk that is there."""
        said = self.run("restore", name, "--from", self.scratch / "store", "--disk", disk, "--confirm", disk.name, *words)
        lab.run("sfdisk", "--verify", "--quiet", disk)
        return said
