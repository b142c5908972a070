"""What the benchmarks that compare backup programs have in common: trees, contestants, and what one command took."""
import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import time

DEFAULT_TREE = ["/usr/share", "/usr/include", "/usr/lib/x86_64-linux-gnu"]


class Measured:
    """Wall seconds, CPU seconds and the largest process of one command, a sync of the scratch folder included."""

    def __init__(self, command, env, cwd, scratch, sync=True):
        start = time.monotonic()
        process = subprocess.Popen(
            command, shell=isinstance(command, str), env=env, cwd=cwd,
            stdout=subprocess.PIPE, stderr=open(os.path.join(scratch, "stderr"), "wb"),
            executable="/bin/bash" if isinstance(command, str) else None)
        self.output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if sync:
            subprocess.run(["sync", "-f", scratch], check=True)
        self.wall = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss / 1024
        if process.returncode != 0:
            with open(os.path.join(scratch, "stderr"), errors="replace") as said:
                raise SystemExit(f"{command} ended with {process.returncode}: {said.read()}")


class Tool:
    """A contestant: subclasses say how it does each step."""
    compared = "-aHXin"

    def __init__(self, arguments, scratch):
        self.home = os.path.join(scratch, self.name)
        self.scratch = scratch
        self.env = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home + "/config",
                        XDG_STATE_HOME=self.home + "/state", XDG_CACHE_HOME=self.home + "/cache")
        self.setup(arguments)

    def setup(self, arguments):
        pass

    def reset(self):
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)

    def run(self, command, where=None):
        return Measured(command, self.env, self.scratch, where or self.scratch)


@contextlib.contextmanager
def fresh_file_system(scratch):
    """An empty ext4 in a file, mounted; other tools' files do not burden it."""
    image, folder = os.path.join(scratch, "target.img"), os.path.join(scratch, "target")
    os.makedirs(folder, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(12 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    os.sync()
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        os.remove(image)


def change(tree):
    """Changes 1 % of the regular files, the same ones in each run; returns how to undo it."""
    undo = []
    for folder, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            if int(hashlib.sha256(os.path.relpath(path, tree).encode("utf-8", "surrogateescape")).hexdigest()[:8], 16) % 100:
                continue
            status = os.stat(path)
            with open(path, "r+b") as file:
                before = file.read(64)
                file.seek(0)
                file.write(hashlib.sha256(before).digest()[:max(1, min(32, len(before) or 1))])
            undo.append((path, before, status, 0))
    return undo


def revert(undo):
    for path, before, status, offset in undo:
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(before)
            file.truncate(status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def compare(tool, tree, target, changed):
    """Ends the run if a tool did not restore the tree; some of them restore it below its whole path. What had been changed
    before the last backup is its own again by now."""
    top = next(path for path in (target + tree, target + "/tree", target) if os.path.isdir(path))
    differs = subprocess.run(["rsync", tool.compared, "--checksum", "--delete", tree + "/", top + "/"],
                             capture_output=True, text=True, check=True).stdout
    # A directory's time is not every tool's business.
    differs = [line for line in differs.splitlines()
               if not line.startswith(".d..t") and line.partition(" ")[2] not in changed]
    if differs:
        raise SystemExit(f"{tool.name} did not restore the tree: {differs[:5]}")


def fetch_restic(scratch):
    """The restic of Debian unstable, into the scratch folder; the machine's own packages stay as they are."""
    os.makedirs(scratch + "/apt/lists/partial")
    os.makedirs(scratch + "/apt/archives/partial")
    with open(scratch + "/apt/sources.list", "w") as sources:
        sources.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian unstable main\n")
    apt = ["apt-get", "-qq"] + [f"-oDir::{key}={value}" for key, value in {
        "Etc::SourceList": scratch + "/apt/sources.list", "Etc::SourceParts": "/dev/null", "State::Lists": scratch + "/apt/lists",
        "Cache": scratch + "/apt", "State::Status": "/dev/null"}.items()]
    subprocess.run(apt + ["update"], check=True)
    subprocess.run(apt + ["download", "restic"], check=True, cwd=scratch + "/apt")
    package = next(name for name in os.listdir(scratch + "/apt") if name.endswith(".deb"))
    subprocess.run(["dpkg", "-x", package, "x"], check=True, cwd=scratch + "/apt")
    return scratch + "/apt/x/usr/bin/restic"


def copy_tree(paths, tree):
    """The tree that is backed up: copies of folders of this system, below their own paths."""
    for path in paths:
        target = tree + os.path.dirname(os.path.abspath(path))
        os.makedirs(target, exist_ok=True)
        subprocess.run(["cp", "-a", path, target], check=True)


def extent(tree):
    """Entries and bytes of a tree, which is in memory afterwards."""
    entries = int(subprocess.run(f"find {tree} | wc -l", shell=True, capture_output=True, text=True).stdout)
    content = int(subprocess.run(["du", "-sb", tree], capture_output=True, text=True).stdout.split()[0])
    subprocess.run(f"tar -C {tree} -cf - . | cat > /dev/null", shell=True, check=True)
    return entries, content


def machine(without_sha=False):
    """Date, processor and kernel, as a report names them."""
    with open("/proc/cpuinfo") as info:
        lines = list(info)
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}
    sha = "masked SHA instructions" if without_sha else \
        "SHA instructions" if flags & {"sha_ni", "sha2"} else "no SHA instructions"
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {cpu} with {sha}, kernel {platform.release()}"


def show(number, digits=2):
    return "–" if number is None else f"{number:.{digits}f}"
