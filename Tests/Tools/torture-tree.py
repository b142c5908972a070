#!/usr/bin/env python3
"""Makes a tree with everything that a backup must keep.

    torture-tree.py DIR [--large] [--seed N] [--strict]     make it (DIR must be empty or absent)
    torture-tree.py --unlock DIR                            take the immutable and append-only flags away, so that
                                                            `rm -rf DIR` works

The same seed gives the same tree: content, names, owners, modes, times, attributes, flags, holes. What this file system or
this user cannot make is left out and said on standard error ("left out: …"); with --strict that is exit status 1.
Wants root for devices, owners, flags and most attributes. compare-trees.py is the other half.
"""

import argparse
import ctypes
import fcntl
import os
import random
import stat
import struct
import sys

SECOND = 1_000_000_000
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
SYNC, IMMUTABLE, APPEND, NODUMP, NOATIME, DIRSYNC, TOPDIR = 0x8, 0x10, 0x20, 0x40, 0x80, 0x10000, 0x20000

WORDS = ("axis alarm buffer cabinet cycle drive encoder fault gateway heater inlet job kernel limit motor node outlet pump quality "
         "recipe sensor torque unit valve warning zone 0 1 17 42 1000 3.14159 true false null").split()


def change_flags(descriptor, add=0, remove=0):
    old = struct.unpack("i", fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, b"\0" * 4))[0]
    if (old | add) & ~remove != old:
        fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, struct.pack("i", (old | add) & ~remove))


def add_flags(path, flags):
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        change_flags(descriptor, add=flags)
    finally:
        os.close(descriptor)


class Content:
    """Bytes of several kinds from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pieces = [self._text(64 * KIB) for _ in range(16)]

    def _text(self, size):
        words = self.random.choices(WORDS, k=size // 2)
        return " ".join(words).replace(" motor ", "\n").encode()[:size].ljust(size, b".")

    def text(self, size):
        """Compressible; pieces of 64 KiB repeat, but in another order each time."""
        pieces = (self.random.choice(self.pieces) for _ in range(size // (64 * KIB) + 1))
        return b"".join(pieces)[:size]

    def noise(self, size):
        return self.random.randbytes(size)


class Maker:
    def __init__(self, root, seed):
        self.root = os.fsencode(os.path.abspath(root))
        self.content = Content(seed)
        self.random = random.Random(seed + 1)
        self.times = {}          # inode → (atime, mtime) that settle() sets last
        self.flags = []          # (path, flags) set after the times
        self.left_out = 0

    # -- small helpers ---------------------------------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.root, *(p if isinstance(p, bytes) else p.encode() for p in parts))

    def folder(self, *parts):
        path = self.path(*parts)
        os.makedirs(path, exist_ok=True)
        return path

    def file(self, path, data=b""):
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    def attempt(self, what, function, *arguments, **named):
        """Runs what some file system, kernel or user cannot do; says so and goes on."""
        try:
            function(*arguments, **named)
            return True
        except (OSError, OverflowError) as error:
            print(f"left out: {what}: {error}", file=sys.stderr)
            self.left_out += 1
            return False

    def node(self, path, kind, mode=0o644, device=0):
        if self.attempt(f"node {os.fsdecode(path)}", os.mknod, path, kind | mode, device):
            os.chmod(path, mode)

    # -- the parts of the tree -------------------------------------------------------------------------------------------

    def types(self):
        here = self.folder("types")
        at = lambda name: os.path.join(here, name)
        self.file(at(b"file"), b"content\n")
        os.mkdir(at(b"empty-dir"))
        self.file(at(b"empty-file"))
        os.mkfifo(at(b"fifo"), 0o640)
        self.node(at(b"socket"), stat.S_IFSOCK, 0o755)
        self.node(at(b"char-null"), stat.S_IFCHR, 0o666, os.makedev(1, 3))
        self.node(at(b"char-0-0"), stat.S_IFCHR, 0o000, os.makedev(0, 0))       # what overlayfs uses as a whiteout
        self.node(at(b"char-large"), stat.S_IFCHR, 0o600, os.makedev(4095, 1048575))
        self.node(at(b"block-8-1"), stat.S_IFBLK, 0o660, os.makedev(8, 1))
        self.node(at(b"block-large"), stat.S_IFBLK, 0o600, os.makedev(259, 70000))
        links = {b"relative": b"file", b"to-dir": b"empty-dir", b"up": b"../types/file", b"dangling": b"no such thing",
                 b"absolute": b"/etc/passwd", b"absolute-dangling": b"/no/such/thing", b"loop": b"loop", b"dot": b".",
                 b"slashes": b"empty-dir//./", b"not-utf8": b"\xff\xfe\x80", b"newline": b"a\nb", b"spaces": b" a  b "}
        for name, target in links.items():
            os.symlink(target, at(b"link-" + name))
        self.attempt("owner of a symbolic link", os.lchown, at(b"link-relative"), 1234, 4321)
        for length in (59, 60, 61, 255, 1023, 4095):      # ext4 keeps up to 59 bytes in the inode
            target = (b"t/" + b"x" * 200) * 30
            self.attempt(f"symlink of {length} bytes", os.symlink, target[:length - 1] + b"e", at(b"link-%d" % length))

    def modes(self):
        here = self.folder("modes")
        for mode in [0, 0o1, 0o100, 0o111, 0o200, 0o400, 0o444, 0o555, 0o600, 0o644, 0o666, 0o755, 0o777, 0o1000, 0o1644, 0o2000,
                     0o2644, 0o2755, 0o4000, 0o4644, 0o4755, 0o6755, 0o7000, 0o7777]:
            path = self.file(os.path.join(here, b"file-%04o" % mode), b"mode\n")
            os.chmod(path, mode)
        for mode in [0, 0o100, 0o400, 0o500, 0o555, 0o700, 0o1777, 0o2755, 0o3777, 0o4755, 0o7777]:
            path = os.path.join(here, b"dir-%04o" % mode)
            os.mkdir(path)
            self.file(os.path.join(path, b"inside"), b"in a directory of mode %04o\n" % mode)
            os.chmod(path, mode)

    def owners(self):
        here = self.folder("owners")
        numbers = [0, 1, 33, 1000, 12345, 65534, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2]
        for number in numbers:
            other = numbers[-1 - numbers.index(number)]
            path = self.file(os.path.join(here, b"file-%d" % number), b"owner\n")
            if not self.attempt(f"owner {number}", os.chown, path, number, other):
                continue
            os.chmod(path, 0o6755)          # after chown, which takes setuid and setgid away
            folder = os.path.join(here, b"dir-%d" % number)
            os.mkdir(folder)
            os.chown(folder, number, other)
            link = os.path.join(here, b"link-%d" % number)
            os.symlink(b"nowhere", link)
            os.lchown(link, number, other)

    def moments(self):
        here = self.folder("times")
        moments = {b"one-nanosecond": 1, b"epoch": 0, b"second-and-nanosecond": SECOND + 1, b"nines": SECOND * 1_700_000_000 + 999_999_999,
                   b"before-epoch": -1, b"before-epoch-second": -SECOND, b"1969": -SECOND * 86_400 + 123_456_789,
                   b"1901": -2**31 * SECOND, b"1901-fraction": (1 - 2**31) * SECOND + 1, b"2038-last": (2**31 - 1) * SECOND + 999_999_999,
                   b"2038-after": 2**31 * SECOND, b"2106-last": (2**32 - 1) * SECOND + 5, b"2106-after": 2**32 * SECOND + 7,
                   b"2262": 2**63 - 1 - 4, b"2400": 13_569_465_600 * SECOND + 3}
        for name, moment in moments.items():
            file = self.file(os.path.join(here, b"file-" + name), name)
            folder = os.path.join(here, b"dir-" + name)
            os.mkdir(folder)
            link = os.path.join(here, b"link-" + name)
            os.symlink(b"nowhere", link)
            for path in (file, folder, link):
                self.times[os.lstat(path).st_ino] = (SECOND * 1_600_000_000 + 1, moment)

    def hard_links(self):
        here = self.folder("hardlinks")
        first = self.file(os.path.join(here, b"name-1"), b"five names\n")
        for number in (2, 3, 4):
            os.link(first, os.path.join(here, b"name-%d" % number))
        deep = self.folder("hardlinks", "z", "deep")
        os.link(first, os.path.join(deep, b"name-5"))
        early = self.folder("hardlinks", "a")               # the walk meets this name first
        late = self.file(os.path.join(deep, b"late"), b"named earlier elsewhere\n")
        os.link(late, os.path.join(early, b"early"))
        self.file(os.path.join(here, b"twin-1"), b"same content, not a link\n")
        self.file(os.path.join(here, b"twin-2"), b"same content, not a link\n")
        large = self.file(os.path.join(here, b"large-1"), self.content.noise(2 * MIB))
        os.link(large, os.path.join(deep, b"large-2"))
        empty = self.file(os.path.join(here, b"empty-1"))
        os.link(empty, os.path.join(early, b"empty-2"))
        os.symlink(b"name-1", os.path.join(here, b"symlink-1"))
        self.attempt("hard link of a symbolic link", os.link, os.path.join(here, b"symlink-1"), os.path.join(deep, b"symlink-2"),
                     follow_symlinks=False)
        os.mkfifo(os.path.join(here, b"fifo-1"))
        self.attempt("hard link of a fifo", os.link, os.path.join(here, b"fifo-1"), os.path.join(deep, b"fifo-2"))
        self.node(os.path.join(here, b"socket-1"), stat.S_IFSOCK)
        self.attempt("hard link of a socket", os.link, os.path.join(here, b"socket-1"), os.path.join(deep, b"socket-2"))
        self.node(os.path.join(here, b"device-1"), stat.S_IFCHR, 0o600, os.makedev(1, 5))
        self.attempt("hard link of a device", os.link, os.path.join(here, b"device-1"), os.path.join(deep, b"device-2"))

    def attributes(self):
        here = self.folder("xattrs")

        def put(path, name, value):
            shown = name if isinstance(name, str) else os.fsdecode(name)
            return self.attempt(f"attribute {ascii(shown[:40])}", os.setxattr, path, name, value, follow_symlinks=False)

        def new(name, data=b"attributes\n"):
            return self.file(os.path.join(here, name), data)

        put(new(b"user"), "user.comment", b"text")
        put(new(b"empty-value"), "user.empty", b"")
        put(new(b"binary-value"), "user.binary", bytes(range(256)))
        put(new(b"name-not-utf8"), b"user.\xff\xfe\n", b"x")
        put(new(b"name-255"), b"user." + b"n" * 250, b"x")
        put(new(b"trusted"), "trusted.holdfast", b"for root")
        put(new(b"security"), "security.holdfast", b"\0\1\2")
        # What `setcap cap_net_raw,cap_net_bind_service+ep` writes (version 2), and version 3 with a root id.
        put(new(b"capability", b"#!/bin/true\n"), "security.capability", struct.pack("<5I", 0x02000001, 0x2400, 0, 0, 0))
        put(new(b"capability-rootid", b"#!/bin/true\n"), "security.capability", struct.pack("<6I", 0x03000001, 0x2400, 0, 0, 0, 100000))
        many = new(b"many")
        for number in range(40):
            put(many, f"user.number-{number:02}", b"value %d" % (number * number))
        large = new(b"large")
        for size in range(4080, 3000, -8):          # as large as one ext4 block takes
            try:
                os.setxattr(large, "user.large", self.content.noise(size))
                break
            except OSError:
                continue
        else:
            self.attempt("large attribute", os.setxattr, large, "user.large", b"x" * 3000)
        folder = self.folder("xattrs", "dir")
        put(folder, "user.on-dir", b"dir")
        put(folder, "trusted.on-dir", b"dir")
        os.symlink(b"user", os.path.join(here, b"symlink"))
        put(os.path.join(here, b"symlink"), "trusted.on-symlink", b"link")
        os.mkfifo(os.path.join(here, b"fifo"))
        put(os.path.join(here, b"fifo"), "trusted.on-fifo", b"fifo")
        self.node(os.path.join(here, b"device"), stat.S_IFCHR, 0o600, os.makedev(1, 7))
        if os.path.lexists(os.path.join(here, b"device")):
            put(os.path.join(here, b"device"), "trusted.on-device", b"device")

    def acls(self):
        here = self.folder("acls")
        user_obj, user, group_obj, group, mask, other = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
        nobody = 0xFFFFFFFF

        def acl(*entries):
            return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, number) for tag, bits, number in entries)

        plain = acl((user_obj, 6, nobody), (user, 4, 1), (user, 6, 54321), (group_obj, 4, nobody), (group, 0, 33), (mask, 6, nobody),
                    (other, 0, nobody))
        narrow = acl((user_obj, 7, nobody), (user, 7, 1000), (group_obj, 7, nobody), (mask, 1, nobody), (other, 4, nobody))
        many = acl((user_obj, 6, nobody), *((user, n % 8, 20000 + n) for n in range(60)), (group_obj, 4, nobody), (mask, 7, nobody),
                   (other, 4, nobody))
        default = acl((user_obj, 7, nobody), (user, 5, 2), (group_obj, 5, nobody), (mask, 5, nobody), (other, 1, nobody))
        minimal = acl((user_obj, 7, nobody), (group_obj, 5, nobody), (other, 0, nobody))
        for name, value in ((b"access", plain), (b"narrow-mask", narrow), (b"many-entries", many)):
            path = self.file(os.path.join(here, name), b"acl\n")
            self.attempt(f"access list {name.decode()}", os.setxattr, path, "system.posix_acl_access", value)
        for name, access, inherited in ((b"dir-access", narrow, None), (b"dir-default", None, default), (b"dir-both", narrow, default),
                                        (b"dir-default-minimal", None, minimal)):
            path = os.path.join(here, name)
            os.mkdir(path)
            if access:
                self.attempt("access list of a directory", os.setxattr, path, "system.posix_acl_access", access)
            self.file(os.path.join(path, b"before"), b"made before the default list\n")
            if inherited:
                self.attempt("default list", os.setxattr, path, "system.posix_acl_default", inherited)
            self.file(os.path.join(path, b"inherited"), b"may have inherited a list\n")
            os.mkdir(os.path.join(path, b"inherited-dir"))

    def file_flags(self):
        here = self.folder("flags")
        for name, flags in ((b"immutable", IMMUTABLE), (b"append", APPEND), (b"both", IMMUTABLE | APPEND), (b"nodump", NODUMP),
                            (b"noatime", NOATIME), (b"sync", SYNC), (b"all", IMMUTABLE | APPEND | NODUMP | NOATIME)):
            self.flags.append((self.file(os.path.join(here, b"file-" + name), b"flags\n" * 10), flags))
            folder = os.path.join(here, b"dir-" + name)
            os.makedirs(os.path.join(folder, b"sub"))
            self.file(os.path.join(folder, b"inside"), b"inside of a flagged directory\n")
            self.file(os.path.join(folder, b"sub", b"deeper"), b"deeper\n")
            self.flags.append((folder, flags))
        for name, flags in ((b"dirsync", DIRSYNC), (b"topdir", TOPDIR)):
            folder = os.path.join(here, b"dir-" + name)
            os.mkdir(folder)
            self.flags.append((folder, flags))
        linked = self.file(os.path.join(here, b"linked-1"), b"immutable with two names\n")
        os.link(linked, os.path.join(here, b"dir-immutable", b"linked-2"))
        self.flags.append((linked, IMMUTABLE))
        # Everything at once.
        path = self.file(os.path.join(here, b"everything"))
        with open(path, "r+b") as stream:
            stream.truncate(3 * MIB)
            stream.seek(MIB)
            stream.write(self.content.noise(5000))
        os.link(path, os.path.join(here, b"dir-append", b"everything-2"))
        self.attempt("owner", os.chown, path, 4242, 2424)
        os.chmod(path, 0o4750)
        for name, value in (("user.all", b"1"), ("trusted.all", b"2"), ("security.capability", struct.pack("<5I", 0x02000001, 1, 0, 0, 0))):
            self.attempt(f"attribute {name}", os.setxattr, path, name, value)
        self.times[os.lstat(path).st_ino] = (SECOND * 1_500_000_000 + 5, SECOND * 1_400_000_000 + 7)
        self.flags.append((path, IMMUTABLE | NODUMP))

    def names(self):
        here = self.folder("names")
        names = {bytes(b for b in range(1, 256) if b != ord("/")), b"\xff", b"caf\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                 "é".encode(), "e\u0301".encode(), "日本語".encode(), "\u202egnp.exe".encode(), b"new\nline", b"\n", b"\r\n", b"tab\there",
                 b"\x1b[31mred\x1b[0m", b"\x01\x02\x7f", b"-rf", b"--help", b"-", b" ", b"  two  ", b"trailing ", b"back\\slash", b"\\",
                 b"\\n", b"\\x41", b"'", b'"', b"`id`", b"$(id)", b"*", b"?", b"[a]", b"~", b"#hash", b"%s%n", b"a:b", b"C:", b"...",
                 b".hidden", b"..x", b"CON", b"a", b"A", b"x" * 255, ("ü" * 127).encode() + b"z", b"semi;colon", b"pipe|", b"&", b"!bang",
                 b"PaxHeaders", b"lost+found", b"a=b", b"a,b"}
        names.update(b"byte-" + bytes([b]) for b in range(1, 256) if b != ord("/"))
        for name in sorted(names):
            path = os.path.join(here, name)
            self.attempt(f"name {ascii(os.fsdecode(name))[:40]}", self.file, path, b"name " + name)
        folders = self.folder("names", "dirs")
        for name in (b"\xff\xfe", b"new\nline", b"-rf", b" ", b"\\", b"x" * 255, b"*", b"...", "e\u0301".encode()):
            path = os.path.join(folders, name)
            if self.attempt(f"directory {ascii(os.fsdecode(name))[:40]}", os.mkdir, path):
                self.file(os.path.join(path, name), name)
        same = [self.folder("names", "same", part) for part in ("a", "b", "c")]
        for number, folder in enumerate(same):
            self.file(os.path.join(folder, b"copyright"), b"the same bare name, content %d\n" % number)
        self.file(self.path("names", "same.txt"), b"sorts between same and same/a where the order is of bytes\n")
        self.file(self.path("names", "same-"), b"sorts before same/\n")

    def sizes(self):
        here = self.folder("sizes")
        around = [0, 1, 2, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537]
        around += [size + step for size in (256 * KIB, MIB, 4 * MIB) for step in (-1, 0, 1)]
        for size in around:
            self.file(os.path.join(here, b"text-%d" % size), self.content.text(size))
            self.file(os.path.join(here, b"noise-%d" % size), self.content.noise(size))
        for size in (4096, MIB, 4 * MIB + 1):
            self.file(os.path.join(here, b"zeros-%d" % size), bytes(size))      # written, not a hole
        large = 20 * MIB
        noise = self.content.noise(large)
        self.file(os.path.join(here, b"noise-20M"), noise)
        self.file(os.path.join(here, b"noise-20M-copy"), noise)
        self.file(os.path.join(here, b"noise-20M-shifted"), b"!" + noise)
        self.file(os.path.join(here, b"noise-20M-patched"), noise[:7 * MIB] + b"patch" + noise[7 * MIB + 5:])
        self.file(os.path.join(here, b"text-20M"), self.content.text(large))
        self.file(os.path.join(here, b"zeros-20M"), bytes(large))
        self.file(os.path.join(here, b"repeated-20M"), noise[:MIB] * 20)
        self.file(os.path.join(here, b"repeated-odd"), noise[:100_003] * 97)
        small = self.folder("sizes", "small")
        for number in range(300):
            size = int(self.random.expovariate(1 / 3000))
            self.file(os.path.join(small, b"%03d" % number), self.content.text(size) if number % 3 else self.content.noise(size))

    def islands(self, name, size, data):
        """A file of `size` with data at the given offsets, holes elsewhere."""
        with open(self.path("sparse", name), "wb") as stream:
            stream.truncate(size)
            for offset, content in data:
                stream.seek(offset)
                stream.write(content)

    def sparse(self):
        here = self.folder("sparse")
        noise = self.content.noise
        self.islands("start", 2 * MIB, [(MIB, noise(MIB))])
        self.islands("middle", 3 * MIB, [(0, noise(MIB)), (2 * MIB, noise(MIB))])
        self.islands("end", 2 * MIB, [(0, noise(MIB))])
        self.islands("end-odd", 2 * MIB + 123, [(0, noise(10))])
        self.islands("all", 10 * MIB, [])
        self.islands("all-odd", 10 * MIB + 1, [])
        self.islands("one-byte-hole", 1, [])
        self.islands("unaligned", 5 * MIB + 777, [(MIB + 333, noise(7)), (4 * MIB - 3, noise(6))])
        self.islands("data-zeros", 4 * MIB, [(0, bytes(MIB)), (2 * MIB, bytes(64 * KIB))])     # written zeros beside holes
        self.islands("islands", 64 * MIB + 5, [(n * MIB + self.random.randrange(MIB - 8), noise(1)) for n in range(64)])
        self.islands("comb", 8 * MIB, [(n * 8192, noise(4096)) for n in range(1024)])
        self.islands("large-in-holes", 300 * MIB, [(100 * MIB + 5, noise(5 * MIB)), (250 * MIB, self.content.text(2 * MIB))])
        self.attempt("sparse file of 1 TB", self.islands, "terabyte", TIB,
                     [(0, b"begin"), (TIB // 2 + 12345, noise(100_000)), (TIB - 3, b"end")])
        path = self.file(os.path.join(here, b"preallocated"), b"begin")        # unwritten blocks: read as zeros, look like holes
        with open(path, "r+b") as stream:
            self.attempt("preallocation", os.posix_fallocate, stream.fileno(), 0, MIB)
        path = self.file(os.path.join(here, b"preallocated-beyond-end"), b"short")
        with open(path, "r+b") as stream:
            keep_size = ctypes.CDLL(None, use_errno=True).fallocate
            keep_size.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
            if keep_size(stream.fileno(), 1, 0, MIB) != 0:
                self.attempt("preallocation beyond the end", self._raise_errno)

    @staticmethod
    def _raise_errno():
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

    def deep(self):
        """Directories whose paths are longer than PATH_MAX, made with descriptors; and many short levels."""
        here = self.folder("deep")
        self.folder("deep", *(["d"] * 300))
        self.file(self.path("deep", *(["d"] * 300), "bottom"), b"300 levels down\n")
        wanted, length = 10_000, len(b"deep/long")
        os.mkdir(os.path.join(here, b"long"))
        descriptor = os.open(os.path.join(here, b"long"), os.O_RDONLY | os.O_DIRECTORY)
        level = 0
        while length < wanted:
            # The last component takes what is left; one byte is the slash.
            name = (b"%02d-" % level).ljust(min(200, wanted - length - 1), b"l") if wanted - length > 210 else b""
            file = os.open(b"file", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=descriptor) if level % 10 == 0 else None
            if file is not None:
                os.write(file, b"level %d\n" % level)
                os.close(file)
            if not name:
                last = b"f" * (wanted - length - 1)
                os.close(os.open(last, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=descriptor))
                break
            os.mkdir(name, dir_fd=descriptor)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
            length += 1 + len(name)
            level += 1
        os.close(descriptor)

    def large(self):
        here = self.folder("large", "many")
        for number in range(100_000):
            # Few inodes are written at a time and the names sort unlike the order of creation.
            name = b"%05x-%05d" % (number * 7919 % 0xfffff, number)
            self.file(os.path.join(here, name), b"small file %d\n" % number * (1 + number % 9))
        with open(self.path("large", "5G"), "wb") as stream:
            for block in range(5 * GIB // (4 * MIB)):
                stream.write(self.content.text(4 * MIB) if block % 2 else self.content.noise(4 * MIB))

    # -- the end ---------------------------------------------------------------------------------------------------------

    def settle(self):
        """Gives everything a time of its own, the deepest first since making an entry changes its directory; then flags."""
        clock = random.Random(self.content.random.random())

        def visit(folder, path):
            for name in sorted(os.fsencode(name) for name in os.listdir(folder)):
                entry = os.path.join(path, name)
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                    try:
                        visit(below, entry)
                    finally:
                        os.close(below)
                drawn = (SECOND * clock.randrange(1_300_000_000, 1_750_000_000) + clock.randrange(SECOND) for _ in range(2))
                times = self.times.get(status.st_ino) or tuple(drawn)
                self.attempt(f"time of {os.fsdecode(entry)[-60:]}", os.utime, name, ns=times, dir_fd=folder, follow_symlinks=False)
                if status.st_ino in self.times and os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns != times[1]:
                    print(f"left out: exact time of {os.fsdecode(entry)}: the file system rounds it", file=sys.stderr)
                    self.left_out += 1

        sys.setrecursionlimit(10_000)
        top = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        visit(top, self.root)
        os.close(top)
        os.utime(self.root, ns=(SECOND * 1_600_000_000, SECOND * 1_600_000_001 + 3))
        for path, flags in self.flags:
            self.attempt(f"flags {flags:#x} of {os.fsdecode(path)}", add_flags, path, flags)


def unlock(root):
    """Takes the flags away that keep a tree from being deleted. Works at any depth."""
    def visit(name, parent):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
            return
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        try:
            try:
                change_flags(descriptor, remove=IMMUTABLE | APPEND)
            except OSError as error:
                print(f"{ascii(name)}: {error}", file=sys.stderr)
            if stat.S_ISDIR(status.st_mode):
                for below in os.listdir(descriptor):
                    visit(below, descriptor)
        finally:
            os.close(descriptor)

    sys.setrecursionlimit(10_000)
    visit(root, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--large", action="store_true", help="also 100,000 small files and a file of 5 GB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strict", action="store_true", help="exit status 1 where something had to be left out")
    parser.add_argument("--unlock", action="store_true", help="take immutable and append-only flags away, make nothing")
    options = parser.parse_args()
    if options.unlock:
        unlock(options.folder)
        return 0
    os.umask(0o022)
    os.makedirs(options.folder, exist_ok=True)
    if os.listdir(options.folder):
        parser.error(f"{options.folder} is not empty; `--unlock` it and delete it first")
    maker = Maker(options.folder, options.seed)
    for part in (maker.types, maker.modes, maker.owners, maker.moments, maker.hard_links, maker.attributes, maker.acls, maker.file_flags,
                 maker.names, maker.sizes, maker.sparse, maker.deep):
        part()
    if options.large:
        maker.large()
    maker.settle()
    return 1 if options.strict and maker.left_out else 0


if __name__ == "__main__":
    sys.exit(main())
