#!/usr/bin/env python3
"""Compares two trees with tools that know nothing of Holdfast, and prints each difference.

    compare-trees.py A B [--no-devices] [--ignore-flags]
    compare-trees.py --self-test                            plants one difference of each kind and looks whether it is found

Exit status: 0 the same · 1 different · 2 trouble (a tool failed or is missing, something could not be read).

What looks at what:
    rsync   content by checksum, owners, modes, ns times, attributes, access lists, hard links, devices
            (except below paths near PATH_MAX, and files above 64 GiB, whose holes it would read)
    tar     the parts that rsync cannot reach, since it goes by descriptors
    find    type, mode, owner, size, ns time, number of links, link target (sizes of directories and their links are not compared)
    kernel  device numbers, file flags, the map of holes and data, which names share an inode, every attribute with its value,
            the data of files above 64 GiB

With --no-devices devices are ignored on both sides (a restore without --devices); sockets and fifos are not.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
# Flags that a program may set; the others say how the file system stores the file.
SETTABLE = {0x1: "s", 0x2: "u", 0x4: "c", 0x8: "S", 0x10: "i", 0x20: "a", 0x40: "d", 0x80: "A", 0x400: "m", 0x4000: "j", 0x10000: "D",
            0x20000: "T", 0x800000: "C", 0x20000000: "P", 0x2000000: "x"}
HUGE = 64 << 30
LONG = 3000         # path bytes below the root from where rsync is not asked


class Trouble(Exception):
    pass


def shown(path):
    """A name for people: what is not printable UTF-8 is escaped, the middle of a very long path left out."""
    if isinstance(path, str):
        path = os.fsencode(path)
    if len(path) > 400:
        return f"{shown(path[:200])}…{shown(path[-100:])} ({len(path)} bytes)"
    text = path.decode(errors="surrogateescape")
    return "".join(f"\\x{ord(c) - 0xdc00:02x}" if "\udc80" <= c <= "\udcff"
                   else c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in text)


class Entry:
    """What the kernel says of one name."""

    def __init__(self, folder, name, status, options):
        self.status = status
        self.mode, self.size = status.st_mode, status.st_size
        self.flags, self.extents = None, None
        through = b"/proc/self/fd/%d/%s" % (folder, name)       # works at any depth
        self.target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(self.mode) else None
        self.device_numbers = (os.major(status.st_rdev), os.minor(status.st_rdev)) if self.is_device else None
        self.attributes = {a: os.getxattr(through, a, follow_symlinks=False) for a in os.listxattr(through, follow_symlinks=False)}
        if stat.S_ISREG(self.mode) or stat.S_ISDIR(self.mode):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME, dir_fd=folder)
            try:
                if not options.ignore_flags:
                    self.flags = self._flags(descriptor)
                if stat.S_ISREG(self.mode):
                    self.extents = self._data(descriptor)
                    if self.size > HUGE:
                        self.digest = self._digest(descriptor)
            finally:
                os.close(descriptor)

    @property
    def is_device(self):
        return stat.S_ISCHR(self.mode) or stat.S_ISBLK(self.mode)

    @staticmethod
    def _flags(descriptor):
        try:
            value = struct.unpack("i", fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, b"\0" * 4))[0]
        except OSError:
            return "none"           # tmpfs and others without flags
        return "".join(letter for bit, letter in SETTABLE.items() if value & bit) or "none"

    def _data(self, descriptor):
        # Preallocated blocks count as a hole, but as data once something has read them into the page cache.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        extents, offset = [], 0
        while offset < self.size:
            try:
                begin = os.lseek(descriptor, offset, os.SEEK_DATA)
            except OSError:          # ENXIO: only a hole follows
                break
            offset = os.lseek(descriptor, begin, os.SEEK_HOLE)
            extents.append((begin, offset))
        return extents

    def _digest(self, descriptor):
        digest = hashlib.sha256()
        for begin, end in self.extents:
            digest.update(struct.pack("<QQ", begin, end))
            while begin < end:
                data = os.pread(descriptor, min(1 << 20, end - begin), begin)
                if not data:
                    break
                digest.update(data)
                begin += len(data)
        return digest.hexdigest()


class Tree:
    def __init__(self, root, options):
        self.root = os.fsencode(os.path.abspath(root))
        self.options = options
        self.entries = {}           # relative path → Entry; the root is b"."
        self.devices = set()        # left out by --no-devices
        if not os.path.isdir(self.root):
            raise Trouble(f"{root}: not a directory")
        parent = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.entries[b"."] = Entry(parent, b".", os.stat(parent), options)
            self._walk(parent, b"")
        finally:
            os.close(parent)

    def _walk(self, folder, path):
        for name in sorted(os.fsencode(name) for name in os.listdir(folder)):
            below = os.path.join(path, name)
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                entry = Entry(folder, name, status, self.options)
            except OSError as error:
                raise Trouble(f"{shown(os.path.join(self.root, below))}: {error}") from error
            if self.options.no_devices and entry.is_device:
                self.devices.add(below)
                continue
            self.entries[below] = entry
            if stat.S_ISDIR(status.st_mode):
                descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=folder)
                try:
                    self._walk(descriptor, below)
                finally:
                    os.close(descriptor)

    def links(self):
        """The names of each inode that has several."""
        names = {}
        for path, entry in self.entries.items():
            if entry.status.st_nlink > 1 and not stat.S_ISDIR(entry.mode):
                names.setdefault((entry.status.st_dev, entry.status.st_ino), set()).add(path)
        return {frozenset(group) for group in names.values()}


class Comparison:
    def __init__(self, left, right, options):
        self.options, self.found = options, 0
        for root in (left, right):          # what is not on disk yet has no final map of blocks
            if os.path.isdir(root):
                run(["sync", "-f", root])
        self.left, self.right = Tree(left, options), Tree(right, options)

    def report(self, path, what, left=None, right=None):
        self.found += 1
        values = "" if left is None and right is None else f": {left} | {right}"
        print(f"{shown(path)}: {what}{values}")

    def run(self):
        self.by_kernel()
        self.by_find()
        self.by_rsync()
        self.by_tar()
        return self.found

    # -- our own look ------------------------------------------------------------------------------------------------------

    def by_kernel(self):
        for path in sorted(self.left.entries.keys() | self.right.entries.keys()):
            a, b = self.left.entries.get(path), self.right.entries.get(path)
            if a is None or b is None:
                parent = os.path.dirname(path) or b"."
                if parent in self.left.entries and parent in self.right.entries:        # else the parent has been named
                    inside = sum(other.startswith(path + b"/") for other in (self.right if a is None else self.left).entries)
                    self.report(path, f"missing on the {'left' if a is None else 'right'}" + (f", with {inside} inside" if inside else ""))
                continue
            if stat.S_IFMT(a.mode) != stat.S_IFMT(b.mode):
                self.report(path, "type", oct(stat.S_IFMT(a.mode)), oct(stat.S_IFMT(b.mode)))
                continue
            self._pair(path, a, b)
        for group in sorted(map(sorted, self.left.links() ^ self.right.links())):
            side = "left" if frozenset(group) in self.left.links() else "right"
            self.report(group[0], f"hard links only on the {side}", " = ".join(map(shown, group)), "")

    def _pair(self, path, a, b):
        for what, left, right in (
                ("permissions", oct(stat.S_IMODE(a.mode)), oct(stat.S_IMODE(b.mode))),
                ("owner", (a.status.st_uid, a.status.st_gid), (b.status.st_uid, b.status.st_gid)),
                ("time", a.status.st_mtime_ns, b.status.st_mtime_ns),
                ("link target", a.target, b.target),
                ("device", a.device_numbers, b.device_numbers),
                ("flags", a.flags, b.flags),
                ("size", None if stat.S_ISDIR(a.mode) else a.size, None if stat.S_ISDIR(b.mode) else b.size),
                ("data by extents", getattr(a, "digest", None), getattr(b, "digest", None))):
            if left != right:
                self.report(path, what, left, right)
        # A file whose every byte is there has one extent; one whose blocks are fewer than its size has a map worth keeping.
        if a.extents != b.extents and (a.status.st_blocks * 512 < a.size or b.status.st_blocks * 512 < b.size):
            here = next((pair for pair in zip(a.extents + [None], b.extents + [None]) if pair[0] != pair[1]), None)
            self.report(path, f"map of data and holes ({len(a.extents)} and {len(b.extents)} extents), first difference", *(here or ("", "")))
        for name in sorted(a.attributes.keys() | b.attributes.keys()):
            left, right = a.attributes.get(name), b.attributes.get(name)
            if left != right:
                self.report(path, f"attribute {shown(name)}", left and left[:60], right and right[:60])

    # -- find --------------------------------------------------------------------------------------------------------------

    def by_find(self):
        lists = []
        for tree in (self.left, self.right):
            printed = run(["find", ".", "-printf", r"%P\0%y\0%m\0%U\0%G\0%s\0%T@\0%n\0%l\0"], cwd=tree.root).split(b"\0")[:-1]
            lists.append({})
            for at in range(0, len(printed), 9):
                path, kind, mode, user, group, size, moment, links, target = printed[at:at + 9]
                if path in tree.devices:
                    continue
                if kind == b"d":
                    size = links = b"-"
                lists[-1][path or b"."] = (kind, mode, user, group, size, moment, links, target)
        for path in sorted(lists[0].keys() | lists[1].keys()):
            a, b = lists[0].get(path), lists[1].get(path)
            if a != b and (path in self.left.entries) == (path in self.right.entries):     # else it has been named as missing
                self.report(path, "find", *(b" ".join(fields).decode(errors="backslashreplace") if fields else "missing" for fields in (a, b)))

    # -- rsync and tar -----------------------------------------------------------------------------------------------------

    def long_parts(self):
        """The directories at whose depth rsync's paths get too long; tar takes everything below them."""
        parts = set()
        for path in self.left.entries.keys() | self.right.entries.keys():
            if len(path) > LONG:
                cut = path[:LONG].rfind(b"/", 0, 1000)
                parts.add(path[:cut] if cut > 0 else path[:path.find(b"/")])
        return parts

    def by_rsync(self):
        huge = {path for tree in (self.left, self.right) for path, entry in tree.entries.items()
                if entry.size > HUGE and stat.S_ISREG(entry.mode)}
        skipped = self.long_parts() | huge | self.left.devices | self.right.devices
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"".join(b"/" + rsync_pattern(path) + b"\0" for path in sorted(skipped)))
            patterns.flush()
            output = run(["rsync", "-aHAXin", "--numeric-ids", "--delete", "--checksum", "--modify-window=-1", "--devices", "--specials",
                          "--from0", f"--exclude-from={patterns.name}", b"--", self.left.root + b"/", self.right.root + b"/"])
        for line in output.splitlines():
            self.report(line, "rsync")

    def by_tar(self):
        for part in sorted(self.long_parts()):
            sums = []
            for tree in (self.left, self.right):
                if part not in tree.entries:
                    continue            # by_kernel has said so
                # Neither access times nor the number of this process belong to the content.
                sums.append(digest_of(["tar", "-C", tree.root, "--format=posix", "--numeric-owner", "--xattrs", "--xattrs-include=*",
                                       "--acls", "--sort=name", "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/%f",
                                       "-cf", "-", b"./" + part]))
            if len(set(sums)) > 1:
                self.report(part, "tar", *sums)


def rsync_pattern(path):
    """rsync takes a backslash as an escape only where the pattern has a wildcard."""
    if not any(wildcard in path for wildcard in (b"*", b"?", b"[")):
        return path
    return b"".join(b"\\" + bytes([b]) if b in b"*?[\\" else bytes([b]) for b in path)


ENVIRONMENT = dict(os.environ, LC_ALL="C", TZ="UTC")


def run(arguments, cwd=None):
    try:
        done = subprocess.run(arguments, cwd=cwd, env=ENVIRONMENT, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Trouble(f"{arguments[0]} is not installed") from error
    if done.returncode:
        raise Trouble(f"{arguments[0]} ended with {done.returncode}: {done.stderr.decode(errors='backslashreplace').strip()}")
    return done.stdout


def digest_of(arguments):
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=errors) as process:
            while data := process.stdout.read(1 << 20):
                digest.update(data)
        if process.returncode:
            errors.seek(0)
            raise Trouble(f"{arguments[0]} ended with {process.returncode}: {errors.read().decode(errors='backslashreplace').strip()}")
    return digest.hexdigest()


# -- self-test -----------------------------------------------------------------------------------------------------------------


def plants():
    """Each plants one difference; all work on a tree that make_small() made."""
    def write(path, offset, data):
        with open(path, "r+b") as stream:
            stream.seek(offset)
            stream.write(data)
        os.utime(path, ns=(0, MOMENT))

    def renew(path, make):
        os.unlink(path)
        make(path)
        os.utime(path, ns=(0, MOMENT), follow_symlinks=False)
        settle(os.path.dirname(path))

    def fill_hole(path):
        with open(path, "r+b") as stream:
            stream.seek(512 << 10)
            stream.write(bytes(64 << 10))
        os.utime(path, ns=(0, MOMENT))

    def set_flag(path, flag):
        descriptor = os.open(path, os.O_RDONLY)
        fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, struct.pack("i", flag))
        os.close(descriptor)

    def relink(path):
        os.unlink(f"{path}/link-b")
        shutil.copy2(f"{path}/link-a", f"{path}/link-b")
        os.unlink(f"{path}/other")
        os.link(f"{path}/link-a", f"{path}/other")
        settle(path)

    def settle(path):
        os.utime(path, ns=(0, MOMENT))

    return {
        "content of the same size and time": lambda r: write(f"{r}/file", 3, b"X"),
        "size": lambda r: write(f"{r}/file", 100, b"longer"),
        "time by one nanosecond": lambda r: os.utime(f"{r}/file", ns=(0, MOMENT + 1)),
        "time of a directory": lambda r: os.utime(f"{r}/dir", ns=(0, MOMENT + 1)),
        "time of the root": lambda r: os.utime(r, ns=(0, MOMENT + 1)),
        "time of a symbolic link": lambda r: os.utime(f"{r}/symlink", ns=(0, MOMENT + 1), follow_symlinks=False),
        "mode": lambda r: os.chmod(f"{r}/file", 0o4644),
        "owner": lambda r: os.chown(f"{r}/file", 54321, -1),
        "group of a link": lambda r: os.lchown(f"{r}/symlink", -1, 54321),
        "link target": lambda r: renew(f"{r}/symlink", lambda p: os.symlink("elsewhere", p)),
        "type": lambda r: renew(f"{r}/fifo", lambda p: os.mknod(p, stat.S_IFSOCK | 0o644)),
        "device number": lambda r: renew(f"{r}/device", lambda p: os.mknod(p, stat.S_IFCHR | 0o644, os.makedev(1, 9))),
        "attribute's value": lambda r: os.setxattr(f"{r}/file", "user.a", b"changed"),
        "attribute added": lambda r: os.setxattr(f"{r}/dir", "trusted.new", b""),
        "capability": lambda r: os.setxattr(f"{r}/file", "security.capability", struct.pack("<5I", 0x02000001, 2, 0, 0, 0)),
        "access list": lambda r: os.setxattr(f"{r}/dir", "system.posix_acl_default", ACL),
        "flag of a file": lambda r: set_flag(f"{r}/file", 0x40),
        "flag of a directory": lambda r: set_flag(f"{r}/dir", 0x80),
        "hole filled with zeros": lambda r: fill_hole(f"{r}/sparse"),
        "hard link broken": lambda r: renew(f"{r}/link-b", lambda p: shutil.copyfile(f"{r}/link-a", p)),
        "hard link to the wrong file": relink,
        "file missing": lambda r: (os.unlink(f"{r}/dir/inside"), settle(f"{r}/dir")),
        "file too many": lambda r: (open(f"{r}/dir/extra", "w").close(), settle(f"{r}/dir")),
        "name that is not UTF-8": lambda r: (os.rename(os.fsencode(r) + b"/\xff", os.fsencode(r) + b"/\xfe"), settle(r)),
        "data of a huge sparse file": lambda r: write(f"{r}/huge", (65 << 30) + 5, b"X"),
        "content below a long path": lambda r: deep_write(r, b"deeP\n"),
    }


MOMENT = 1_600_000_000_123_456_789
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (1, 7, 2**32 - 1), (2, 5, 2), (4, 5, 2**32 - 1), (16, 5, 2**32 - 1), (32, 1, 2**32 - 1)))


def deep_write(root, data, make=False):
    """Writes a file 25 directories of 200 bytes down."""
    descriptors = [os.open(root, os.O_RDONLY)]
    for _ in range(25):
        if make:
            os.mkdir("l" * 200, dir_fd=descriptors[-1])
        descriptors.append(os.open("l" * 200, os.O_RDONLY, dir_fd=descriptors[-1]))
    file = os.open("bottom", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptors[-1])
    os.write(file, data)
    os.utime(file, ns=(0, MOMENT))
    os.close(file)
    for descriptor in reversed(descriptors):
        os.utime(descriptor, ns=(0, MOMENT))
        os.close(descriptor)


def make_small(root):
    os.makedirs(f"{root}/dir")
    for name in ("file", "dir/inside", "link-a", "other"):
        with open(f"{root}/{name}", "w", encoding="ascii") as stream:
            stream.write("the content of a file\n")
    open(os.fsencode(root) + b"/\xff", "w").close()
    os.link(f"{root}/link-a", f"{root}/link-b")
    os.symlink("somewhere", f"{root}/symlink")
    os.mkfifo(f"{root}/fifo", 0o644)
    os.mknod(f"{root}/device", stat.S_IFCHR | 0o644, os.makedev(1, 3))
    os.mknod(f"{root}/block", stat.S_IFBLK | 0o644, os.makedev(7, 3))
    os.setxattr(f"{root}/file", "user.a", b"value")
    for name, size, islands in (("sparse", 2 << 20, (0, 1 << 20)), ("huge", 70 << 30, (0, 65 << 30))):
        with open(f"{root}/{name}", "wb") as stream:
            stream.truncate(size)
            for offset in islands:
                stream.seek(offset)
                stream.write(b"island data")
    deep_write(root, b"deep\n", make=True)
    for folder, _, files in os.walk(root, topdown=False):
        if len(folder) < 2000:
            for name in files:
                os.utime(os.path.join(folder, name), ns=(0, MOMENT), follow_symlinks=False)
            os.utime(folder, ns=(0, MOMENT))
    deep_write(root, b"deep\n")


def self_test():
    failures = 0
    options = argparse.Namespace(no_devices=False, ignore_flags=False)
    silent = lambda *_, **__: None
    with tempfile.TemporaryDirectory(prefix="compare-trees.") as scratch:
        left, right = f"{scratch}/a", f"{scratch}/b"
        make_small(left)
        begin = time.monotonic()
        for what, plant in {"nothing": silent, **plants()}.items():
            make_small(right)
            plant(right)
            comparison = Comparison(left, right, options)
            lines = []
            comparison.report = lambda path, kind, a=None, b=None, to=lines: to.append(kind.split(" ")[0])
            comparison.run()
            wrong = bool(lines) != (what != "nothing")
            failures += wrong
            print(f"{'WRONG' if wrong else 'found' if lines else 'equal'}: {what} ({', '.join(sorted(set(lines))) or '-'})")
            subprocess.run(["rm", "-rf", right], check=True)
        os.unlink(f"{left}/device")
        make_small(right)
        os.utime(left, ns=(0, MOMENT))
        if Comparison(left, right, argparse.Namespace(no_devices=True, ignore_flags=False)).run():
            print("WRONG: --no-devices")
            failures += 1
        print(f"{failures} wrong, {time.monotonic() - begin:.0f} s")
        subprocess.run(["rm", "-rf", left, right], check=True)
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("left", metavar="A", nargs="?")
    parser.add_argument("right", metavar="B", nargs="?")
    parser.add_argument("--no-devices", action="store_true", help="ignore character and block devices on both sides")
    parser.add_argument("--ignore-flags", action="store_true", help="do not compare file flags (chattr)")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    sys.setrecursionlimit(10_000)
    try:
        if options.self_test:
            return self_test()
        if not options.right:
            parser.error("two trees, please")
        found = Comparison(options.left, options.right, options).run()
    except (Trouble, OSError) as trouble:
        print(f"compare-trees: {trouble}", file=sys.stderr)
        return 2
    if found:
        print(f"{found} differences", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
