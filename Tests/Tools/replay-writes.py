#!/usr/bin/env python3
"""Replays power cuts: records what a command writes, then shows every state that a cut could have left on the disk.

    replay-writes.py record --out REC --below STORE [--below DIR]… -- COMMAND…
    replay-writes.py states --record REC [--out-template '/scratch/{number}-{variant}']
    replay-writes.py check  --record REC --command 'CMD with {store}' [--mixtures N] [--seed N] [--limit N] [--jobs N] [--keep DIR]
    replay-writes.py --self-test

`record` copies the folders as they are to REC/base, runs the command under strace and keeps the changes below the folders as an
ordered list; at the end the list is replayed and compared with what is really there, so a call that this program misreads is
noticed. A folder need not exist yet. `check` builds each distinct state and runs the shell command on it: {store} is the first
--below folder of that state (quoted; absent where its making was lost), {0}, {1}… are all of them; the environment has REPLAY_CUT,
REPLAY_CUTS, REPLAY_VARIANT and REPLAY_FINAL (1 after the recorded command has ended: what it promised must then be there). What
the command changes is undone before the next state. Exit status 0 all well, 1 a state fails (the first one is kept), 2 trouble, and
the command's own status for `record`.

The model. A cut lies between any two changes. At a cut each change is durable or pending:
  - data (write, truncate, allocate) of a file is durable after an fsync or fdatasync of the file, begun after the change
    had ended, has ended well, or a syncfs or sync; with O_SYNC, O_DSYNC at once
  - a name (create, link, unlink, rename, mkdir) is durable after an fsync of its directory; an fsync of the file does not
    cover its name; a rename inside of a directory is one change; between two directories the new name comes first
Variants of a cut: `pessimistic` nothing pending is kept · `optimistic` all is · `names` all names, but data only where durable
(the empty file after a rename) · `data` the reverse · `torn` all, with the last write half done · `mixture-N` by chance, from
the seed: each pending write kept, dropped or torn at a sector; names up to a random point of the journal, or one for each directory.
Not modelled: owners, times, attributes (modes are taken as they come), garbage in place of unwritten data.
Writes through mmap, io_uring, sendfile, copy_file_range, splice and reflinks below the folders are refused.

As a module (load it with importlib, the name has a hyphen): Record.load(REC), states(record, …), Builder(record, folder).build(state).
"""

import argparse
from concurrent import futures
import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

SECTOR = 512
CALLS = ("?open,openat,?openat2,?creat,close,?close_range,?dup,?dup2,dup3,fcntl,lseek,read,readv,write,pwrite64,writev,pwritev,"
         "?pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,?rename,renameat,?renameat2,?link,linkat,?symlink,symlinkat,"
         "?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?mknod,mknodat,?chmod,fchmod,fchmodat,chdir,fchdir,clone,?clone3,?fork,?vfork,mmap,"
         "?sendfile,?copy_file_range,splice,ioctl,?io_uring_setup")


class Trouble(Exception):
    pass


# -- the record -------------------------------------------------------------------------------------------------------------------


class Record:
    """Inodes, the first namespace, and the events.

    An event is a dictionary with `op`: `data` (ino, off, len, at = place in the blob), `size` (ino, size), `zero` (ino, off, len,
    grow), `names` (set = [[directory, name, inode or null]…], after = index of an event or null), `sync` (inos or null for all,
    upto = the events before this index are covered), `mode` (ino, mode); `durable` marks O_SYNC writes; `text` is for people.
    Inodes have `type` (file, dir, link), `mode`, `base` (path below REC/base) or null, `target`, `entries`.
    """

    def __init__(self, folder):
        self.folder = folder
        self.inodes, self.events, self.places = {}, [], []
        self.blob = None

    @classmethod
    def load(cls, folder, base=None):
        record = cls(folder)
        with open(os.path.join(folder, "events.json"), encoding="ascii") as stream:
            content = json.load(stream)
        record.inodes = {int(number): inode for number, inode in content["inodes"].items()}
        record.events, record.places = content["events"], content["places"]
        record.base = base or os.path.join(folder, "base")
        record.blob = os.open(os.path.join(folder, "data"), os.O_RDONLY)
        return record

    def save(self):
        with open(os.path.join(self.folder, "events.json"), "w", encoding="ascii") as stream:
            json.dump({"inodes": self.inodes, "events": self.events, "places": self.places}, stream)

    def describe(self, cut):
        return "before the first change" if cut == 0 else f"after change {cut} of {len(self.events)}: {self.events[cut - 1]['text']}"


def text_of(name):
    """Names travel as latin-1 text through JSON, one character a byte."""
    return name.decode("latin-1")


def bytes_of(name):
    return name.encode("latin-1")


# -- reading strace's output ------------------------------------------------------------------------------------------------------


class Call:
    """One system call: its arguments as strace wrote them, what it returned, and what was known when it began."""

    def __init__(self, name, text, table, begun, opened):
        self.name, self.table, self.begun, self.opened = name, table, begun, opened
        body, _, result = text.rpartition(b" = ")
        self.result = result.strip()
        number = re.match(rb"(-?\d+|0x[0-9a-f]+)", self.result)         # none for `?`; hexadecimal for raw calls
        self.value = int(number.group(), 0) if number else -1
        self.arguments = self._split(body.rstrip().removesuffix(b")")) if self.value >= 0 else []

    @staticmethod
    def _split(body):
        """With -xx no string holds a comma, quote or bracket of its own."""
        arguments, depth, start = [], 0, 0
        for match in re.finditer(rb"[\[{(]|[\]})]|, ", body):
            token = match.group()
            if token != b", ":
                depth += 1 if token in b"[{(" else -1
            elif depth == 0:
                arguments.append(body[start:match.start()])
                start = match.end()
        return [*arguments, body[start:]]

    def string(self, at):
        return unescape(self.arguments[at].strip())

    def number(self, at, otherwise=None):
        return int(self.arguments[at], 0) if at < len(self.arguments) else otherwise

    def mode(self, at):
        return int(self.arguments[at], 8) & 0o7777 if at < len(self.arguments) else 0o644

    def flags(self, at):
        return self.arguments[at] if at < len(self.arguments) else b""

    def descriptor(self, at):
        return described(self.arguments[at])[0]

    def path(self, at):
        """The absolute path of an argument that is relative to the working directory."""
        return os.path.join(self.table["cwd"], self.string(at))

    def path_at(self, at):
        """The absolute path of a directory argument and the name after it."""
        return os.path.join(described(self.arguments[at])[1] or self.table["cwd"], self.string(at + 1))


def unescape(text):
    """The bytes of `"\\x41\\x42"`."""
    if len(text) < 2 or text[:1] != b'"' or text[-1:] != b'"':
        raise Trouble(f"not a whole string: {text[:100]!r}")
    return bytes.fromhex(text[1:-1].replace(b"\\x", b"").decode("ascii"))


def described(text):
    """(number, path) of `3<\\x2f…>` or `AT_FDCWD<…>`; None for what is not there."""
    match = re.match(rb"\s*(-?\d+|AT_FDCWD)(?:<([^>]*)>)?", text)
    if not match:
        return None, None
    return None if match.group(1) == b"AT_FDCWD" else int(match.group(1)), match.group(2) and unescape(b'"' + match.group(2) + b'"')


class Reader:
    """Follows processes, descriptors and names through a trace and fills a Record."""

    def __init__(self, record, folders, cwd):
        self.record = record
        self.events, self.inodes = record.events, record.inodes
        self.now = {}                # directory → its names at this point of the trace
        self.sizes = {}              # file → its size at this point of the trace
        self.blob = open(os.path.join(record.folder, "data"), "wb")
        self.parents = {}            # real path of the folder above a --below folder → its inode, which holds only those
        self.below = []              # (real path, path as it was given)
        self.tables = {}             # thread → working directory and open files of its process
        self.cwd = cwd
        self.pending = {}            # thread → (call, text so far, number of events at its begin, open file at its begin)
        self.devices = set()
        for folder in folders:
            self._adopt(folder)

    # -- inodes and names -----------------------------------------------------------------------------------------------------------

    def _new(self, kind, mode, base=None, target=None):
        number = len(self.inodes) + 1
        self.inodes[number] = {"type": kind, "mode": mode, "base": base, "target": target, "entries": {}}
        self.now[number] = {}
        return number

    def _adopt(self, folder):
        """Copies a --below folder as it is and takes stock of it."""
        real = os.path.realpath(os.fsencode(folder))
        parent, name = os.path.split(real)
        if not os.path.isdir(parent):
            raise Trouble(f"{os.fsdecode(parent)} must exist")
        self.devices.add(os.stat(parent).st_dev)
        if parent not in self.parents:
            self.parents[parent] = self._new("dir", 0o755)
        place = os.path.join(b"%d" % sorted(self.parents.values()).index(self.parents[parent]), name)
        self.below.append((real, os.path.abspath(os.fsencode(folder))))
        self.record.places.append(text_of(place))
        copy = os.path.join(os.fsencode(self.record.folder), b"base", place)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if os.path.lexists(real):
            subprocess.run(["cp", "-a", "--", real, copy], check=True)
            self.inodes[self.parents[parent]]["entries"][text_of(name)] = self._scan(copy, place, {})
            self.now[self.parents[parent]] = dict(self.inodes[self.parents[parent]]["entries"])

    def _scan(self, path, place, seen):
        status = os.lstat(path)
        if status.st_ino in seen:
            return seen[status.st_ino]
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            number = self._new("dir", mode, text_of(place))
            for name in sorted(os.listdir(path)):
                self.now[number][text_of(name)] = self._scan(os.path.join(path, name), os.path.join(place, name), seen)
            self.inodes[number]["entries"] = dict(self.now[number])
        elif stat.S_ISLNK(status.st_mode):
            number = self._new("link", mode, text_of(place), text_of(os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            number = self._new("file", mode, text_of(place))
            self.sizes[number] = status.st_size
        else:
            raise Trouble(f"{os.fsdecode(path)}: neither file, directory nor symbolic link")
        seen[status.st_ino] = number
        return number

    def find(self, path):
        """(directory's inode, name, inode) of an absolute path. No directory: not below. No inode: no such name."""
        path = os.path.normpath(path)
        for real, given in self.below:
            for form in (real, given):
                if path == form or path.startswith(form + b"/"):
                    folder = self.parents[os.path.dirname(real)]
                    parts = [os.path.basename(real), *(part for part in path[len(form):].split(b"/") if part)]
                    for part in parts[:-1]:
                        folder = self.now.get(folder, {}).get(text_of(part))
                    if folder is not None:
                        return folder, text_of(parts[-1]), self.now[folder].get(text_of(parts[-1]))
        return None, None, self.parents.get(path)

    def _label(self, inode):
        """Some present name of an inode, for people."""
        def walk(folder, path):
            for name, child in self.now[folder].items():
                found = f"{path}/{name}" if child == inode else walk(child, f"{path}/{name}")
                if found:
                    return found
            return None
        if inode in self.parents.values():
            return ".."
        return next((found for found in (walk(top, "") for top in self.parents.values()) if found), f"/inode {inode} without a name")[1:]

    # -- lines ----------------------------------------------------------------------------------------------------------------------

    LINE = re.compile(rb"^(\d+) +(.*)$", re.S)
    CALL = re.compile(rb"^(\w+)\((.*)$", re.S)
    RESUMED = re.compile(rb"^<\.\.\. (\w+) resumed>(.*)$", re.S)
    UNFINISHED = b"<unfinished ...>"

    def read(self, trace):
        children = self._children(trace)
        with open(trace, "rb") as stream:
            for line in stream:
                thread, rest = self.LINE.match(line.rstrip(b"\n")).groups()
                thread = int(thread)
                if thread not in self.tables:
                    self._start(thread, children)
                if rest.startswith((b"+++", b"---")):
                    continue
                if resumed := self.RESUMED.match(rest):
                    name, text, begun, opened = self.pending.pop(thread)
                    text += resumed.group(2)
                elif call := self.CALL.match(rest):
                    name, text = call.group(1).decode(), call.group(2)
                    begun, opened = len(self.events), self._begin(self.tables[thread], name, text)
                else:
                    raise Trouble(f"strace wrote what this program does not know: {rest[:200]!r}")
                if text.endswith(self.UNFINISHED):
                    self.pending[thread] = (name, text.removesuffix(self.UNFINISHED), begun, opened)
                    continue
                call = Call(name, text, self.tables[thread], begun, opened)
                if call.value >= 0 and name in self.HANDLERS:
                    self.HANDLERS[name](self, call)
        self.blob.close()

    @staticmethod
    def _children(trace):
        """thread → (parent, shares descriptors), from the calls that made them; a child may appear before its call returns."""
        children, unfinished = {}, {}
        pattern = re.compile(rb"^(\d+) +(?:<\.\.\. )?(clone3?|v?fork)(?:\(| resumed>)(.*)$", re.S)
        with open(trace, "rb") as stream:
            for line in stream:
                if match := pattern.match(line[:4096]):
                    text = unfinished.pop(match.group(1), b"") + match.group(3)
                    if b"<unfinished" in text:
                        unfinished[match.group(1)] = text.partition(b"<unfinished")[0]
                    elif result := re.search(rb"\) *= (\d+)", text):
                        children[int(result.group(1))] = (int(match.group(1)), b"CLONE_FILES" in text)
        return children

    def _start(self, thread, children):
        parent, shared = children.get(thread, (None, False))
        if parent is None:
            if self.tables:
                raise Trouble(f"process {thread} came from nowhere")
            self.tables[thread] = {"cwd": self.cwd, "open": {}}
            return
        if parent not in self.tables:
            self._start(parent, children)
        table = self.tables[parent]
        self.tables[thread] = table if shared else {"cwd": table["cwd"], "open": dict(table["open"])}

    TAKES_DESCRIPTOR = re.compile(r"p?write|p?read|ftruncate|fallocate|f(data)?sync|syncfs|lseek|fchmod$|fchdir|close$|dup|fcntl|mmap")

    def _begin(self, table, name, text):
        """The open file that a call is about, looked up now: when it ends, another thread may have reused the number."""
        if not self.TAKES_DESCRIPTOR.match(name):
            return None
        number, path = described(text) if not text.startswith(b"0x") else (int(text.split(b",")[0], 16), None)
        opened = table["open"].get(number)
        if name == "close":
            table["open"].pop(number, None)
        elif path is not None:
            known = path in self.parents or any(path == real or path.startswith(real + b"/") for real, _ in self.below)
            if opened and not known:            # closed by an exec, and the number reused by something untraced
                del table["open"][number]
                return None
            if not opened and known and re.match("p?write|ftruncate|fallocate", name):
                raise Trouble(f"{name} to {os.fsdecode(path)}, which was open before the recording began")
        return opened

    def _event(self, op, text, **fields):
        self.events.append({"op": op, "text": text, **fields})

    # -- opening and closing --------------------------------------------------------------------------------------------------------

    def _open(self, call, path, flags, mode):
        number, real = described(call.result)
        call.table["open"].pop(number, None)
        if b"O_TMPFILE" in flags:
            if self.find(path)[2] is None:
                return
            inode = self._new("file", mode)
        else:
            folder, name, inode = self.find(real)
            if inode is None:
                if folder is None or b"O_CREAT" not in flags and b"O_RDONLY" in flags:
                    return
                if b"O_CREAT" not in flags:
                    raise Trouble(f"{os.fsdecode(real)} was made by something that was not recorded")
                inode = self._new("file", mode)
                self._names(f"create {self._label(folder)}/{name}", [[folder, name, inode]])
            if b"O_TRUNC" in flags and self.inodes[inode]["type"] == "file" and self.sizes.get(inode, 0):
                self._truncate(inode, 0)
        call.table["open"][number] = {"ino": inode, "offset": 0, "append": b"O_APPEND" in flags,
                                      "durable": b"O_SYNC" in flags or b"O_DSYNC" in flags}

    def _openat2(self, call):
        mode = re.search(rb"mode=(\d+)", call.arguments[2])
        self._open(call, call.path_at(0), call.flags(2), int(mode.group(1), 8) & 0o7777 if mode else 0o644)

    def _duplicate(self, call):
        call.table["open"].pop(call.value, None)
        if call.opened:
            call.table["open"][call.value] = call.opened

    def _fcntl(self, call):
        if call.flags(1).startswith(b"F_DUPFD"):
            self._duplicate(call)
        elif call.flags(1) == b"F_SETFL" and call.opened:
            call.opened["append"] = b"O_APPEND" in call.flags(2)

    def _close_range(self, call):
        if b"CLOEXEC" not in call.flags(2):
            for number in [number for number in call.table["open"] if call.number(0) <= number <= call.number(1)]:
                del call.table["open"][number]

    # -- data -----------------------------------------------------------------------------------------------------------------------

    def _write(self, call, data, offset=None, durable=False):
        """At the file's own position where no offset is given."""
        opened, data = call.opened, data[:call.value]
        if not opened or not data:
            return
        inode = opened["ino"]
        begin = self.sizes.get(inode, 0) if opened["append"] else opened["offset"] if offset is None else offset
        end = begin + len(data)
        if offset is None:
            opened["offset"] = end
        self.sizes[inode] = max(self.sizes.get(inode, 0), end)
        self._event("data", f"write {len(data)} bytes at {begin} of {self._label(inode)}", ino=inode, off=begin, len=len(data),
                    at=self.blob.tell(), durable=opened["durable"] or durable)
        self.blob.write(data)

    @staticmethod
    def _vector(call):
        return b"".join(unescape(piece) for piece in re.findall(rb'iov_base=("[^"]*")', call.arguments[1]))

    def _pwritev(self, call):
        offset = call.number(3)
        self._write(call, self._vector(call), None if offset == -1 else offset, b"SYNC" in call.flags(4))

    def _seek(self, call):
        if call.opened:
            call.opened["offset"] = call.value

    def _read(self, call):
        if call.opened:
            call.opened["offset"] += call.value

    def _truncate(self, inode, size):
        if inode:
            self.sizes[inode] = size
            self._event("size", f"truncate {self._label(inode)} to {size}", ino=inode, size=size)

    def _allocate(self, call):
        if not call.opened:
            return
        inode, mode, offset, length = call.opened["ino"], call.flags(1), call.number(2), call.number(3)
        if re.search(rb"COLLAPSE|INSERT|UNSHARE", mode):
            raise Trouble(f"fallocate {mode.decode()} is not modelled")
        zero, grow = bool(re.search(rb"PUNCH_HOLE|ZERO_RANGE", mode)), b"KEEP_SIZE" not in mode
        if grow:
            self.sizes[inode] = max(self.sizes.get(inode, 0), offset + length)
        if zero or grow:            # else blocks beyond the end, which no reader sees
            self._event("zero", f"allocate {length} bytes at {offset} of {self._label(inode)}", ino=inode, off=offset,
                        len=length if zero else 0, grow=offset + length if grow else 0)

    # -- changes of names -----------------------------------------------------------------------------------------------------------

    def _names(self, text, changes, after=None):
        for folder, name, inode in changes:
            if inode is None:
                self.now[folder].pop(name, None)
            else:
                self.now[folder][name] = inode
        self._event("names", text, set=changes, after=after)

    def _make(self, path, kind, mode, target=None):
        folder, name, _ = self.find(path)
        if folder is not None:
            verb = {"dir": "mkdir", "link": "symlink"}[kind]
            self._names(f"{verb} {self._label(folder)}/{name}", [[folder, name, self._new(kind, mode, target=target)]])

    def _unlink(self, path):
        folder, name, inode = self.find(path)
        if inode and folder is not None:
            self._names(f"unlink {self._label(folder)}/{name}", [[folder, name, None]])

    def _link(self, call, source, target, number=None):
        if through := re.fullmatch(rb"/proc/(?:self|thread-self|\d+)/fd/(\d+)", source):
            number = int(through.group(1))
        inode = call.table["open"].get(number, {}).get("ino") if number is not None else self.find(source)[2]
        folder, name, _ = self.find(target)
        if folder is None:
            return
        if inode is None:
            raise Trouble(f"{os.fsdecode(source)} was linked into the folder from outside")
        self._names(f"link {self._label(folder)}/{name}", [[folder, name, inode]])

    def _linkat(self, call):
        self._link(call, call.path_at(0), call.path_at(2), None if call.string(1) else call.descriptor(0))

    def _rename(self, old, new, flags=b""):
        old_folder, old_name, moved = self.find(old)
        new_folder, new_name, replaced = self.find(new)
        if old_folder is None and new_folder is None:
            return
        if old_folder is None:
            raise Trouble(f"{os.fsdecode(old)} was moved into the folder from outside")
        old_label = f"{self._label(old_folder)}/{old_name}"
        if new_folder is None:
            self._names(f"move {old_label} outside", [[old_folder, old_name, None]])
            return
        text = f"rename {old_label} to {self._label(new_folder)}/{new_name}"
        if b"RENAME_EXCHANGE" in flags:
            self._names(f"{text} and back", [[new_folder, new_name, moved], [old_folder, old_name, replaced]])
        elif old_folder == new_folder and moved != replaced:
            self._names(text, [[old_folder, old_name, None], [new_folder, new_name, moved]])
        elif moved != replaced:             # two names of one file: rename does nothing
            self._names(text, [[new_folder, new_name, moved]])
            self._names(f"{text} (the old name goes)", [[old_folder, old_name, None]], after=len(self.events) - 1)

    # -- sync and the rest ----------------------------------------------------------------------------------------------------------

    def _sync_file(self, call):
        if call.opened:
            inode = call.opened["ino"]
            self._event("sync", f"{call.name} {self._label(inode)}", inos=[inode], upto=call.begun)

    def _sync_all(self, call):
        path = described(call.arguments[0])[1] if call.name == "syncfs" else None
        if path is None or call.opened or os.path.exists(path) and {os.stat(path).st_dev} == self.devices:
            self._event("sync", call.name, inos=None, upto=call.begun)

    def _chmod(self, inode, mode):
        if inode and inode not in self.parents.values():
            self._event("mode", f"chmod {mode:o} {self._label(inode)}", ino=inode, mode=mode)

    def _chdir(self, call, path):
        call.table["cwd"] = path

    def _refuse(self, what, call, at):
        opened = call.table["open"].get(call.descriptor(at))
        if opened and self.inodes[opened["ino"]]["type"] == "file":
            raise Trouble(f"{what} on {self._label(opened['ino'])} is not modelled")

    def _mmap(self, call):
        if b"MAP_SHARED" in call.flags(3) and b"PROT_WRITE" in call.flags(2):
            self._refuse("a writable shared mmap", call, 4)

    def _ioctl(self, call):
        if b"FICLONE" in call.flags(1):
            self._refuse("a reflink", call, 0)

    def _mknod(self, path):
        if self.find(path)[0] is not None:
            raise Trouble(f"mknod {os.fsdecode(path)} is not modelled")

    def _io_uring(self, call):
        raise Trouble("io_uring is not modelled")

    HANDLERS = {
        "open": lambda self, call: self._open(call, call.path(0), call.flags(1), call.mode(2)),
        "creat": lambda self, call: self._open(call, call.path(0), b"O_CREAT|O_TRUNC", call.mode(1)),
        "openat": lambda self, call: self._open(call, call.path_at(0), call.flags(2), call.mode(3)),
        "openat2": _openat2, "close_range": _close_range, "dup": _duplicate, "dup2": _duplicate, "dup3": _duplicate, "fcntl": _fcntl,
        "lseek": _seek, "read": _read, "readv": _read,
        "write": lambda self, call: self._write(call, call.string(1) if call.opened else b""),
        "pwrite64": lambda self, call: self._write(call, call.string(1) if call.opened else b"", call.number(3)),
        "writev": lambda self, call: self._write(call, self._vector(call)),
        "pwritev": _pwritev, "pwritev2": _pwritev,
        "ftruncate": lambda self, call: self._truncate(call.opened and call.opened["ino"], call.number(1)),
        "truncate": lambda self, call: self._truncate(self.find(call.path(0))[2], call.number(1)),
        "fallocate": _allocate,
        "mkdir": lambda self, call: self._make(call.path(0), "dir", call.mode(1)),
        "mkdirat": lambda self, call: self._make(call.path_at(0), "dir", call.mode(2)),
        "symlink": lambda self, call: self._make(call.path(1), "link", 0o777, text_of(call.string(0))),
        "symlinkat": lambda self, call: self._make(call.path_at(1), "link", 0o777, text_of(call.string(0))),
        "unlink": lambda self, call: self._unlink(call.path(0)),
        "rmdir": lambda self, call: self._unlink(call.path(0)),
        "unlinkat": lambda self, call: self._unlink(call.path_at(0)),
        "link": lambda self, call: self._link(call, call.path(0), call.path(1)),
        "linkat": _linkat,
        "rename": lambda self, call: self._rename(call.path(0), call.path(1)),
        "renameat": lambda self, call: self._rename(call.path_at(0), call.path_at(2)),
        "renameat2": lambda self, call: self._rename(call.path_at(0), call.path_at(2), call.flags(4)),
        "fsync": _sync_file, "fdatasync": _sync_file, "sync": _sync_all, "syncfs": _sync_all,
        "chmod": lambda self, call: self._chmod(self.find(call.path(0))[2], call.mode(1)),
        "fchmod": lambda self, call: self._chmod(call.opened and call.opened["ino"], call.mode(1)),
        "fchmodat": lambda self, call: self._chmod(self.find(call.path_at(0))[2], call.mode(2)),
        "chdir": lambda self, call: self._chdir(call, call.path(0)),
        "fchdir": lambda self, call: self._chdir(call, described(call.arguments[0])[1]),
        "mknod": lambda self, call: self._mknod(call.path(0)), "mknodat": lambda self, call: self._mknod(call.path_at(0)),
        "mmap": _mmap, "ioctl": _ioctl, "io_uring_setup": _io_uring,
        "sendfile": lambda self, call: self._refuse("sendfile", call, 0),
        "copy_file_range": lambda self, call: self._refuse("copy_file_range", call, 2),
        "splice": lambda self, call: self._refuse("splice", call, 2),
    }


def record(out, below, command):
    """Runs the command under strace; returns its exit status."""
    os.makedirs(out)
    trace = os.path.join(out, "trace")
    kept = Record(out)
    reader = Reader(kept, below, os.fsencode(os.getcwd()))
    try:
        done = subprocess.run(["strace", "-f", "-y", "-xx", "-s", "1000000000", "-qqq", "--seccomp-bpf", "-e", f"trace={CALLS}",
                               "-e", "raw=read,readv", "-e", "signal=none", "-o", trace, "--", *command], check=False)
    except FileNotFoundError as error:
        raise Trouble("strace is not installed (apt-get install strace)") from error
    if not os.path.exists(trace):
        raise Trouble("strace made no trace")
    reader.read(trace)
    os.unlink(trace)
    kept.save()
    check_against_reality(Record.load(out), [real for real, _ in reader.below])
    return done.returncode


def check_against_reality(kept, folders):
    """The optimistic state after the last event must be what lies there now."""
    with tempfile.TemporaryDirectory(prefix="replay-writes.") as scratch:
        durability = Durability(kept)
        for index in range(len(kept.events)):
            durability.advance(index)
        places = Builder(kept, scratch).build(State(durability, len(kept.events), "optimistic", True, dict(durability.pending)))
        for place, folder in zip(places, folders):
            if os.path.lexists(place) != os.path.lexists(folder):
                raise Trouble(f"{os.fsdecode(folder)}: the replay does not agree with what is there")
            if os.path.lexists(folder):
                done = subprocess.run(["diff", "-r", "--no-dereference", "--", place, folder], capture_output=True, check=False)
                if done.returncode:
                    raise Trouble("the replay does not agree with what is there:\n" + done.stdout.decode(errors="replace")[:2000])


# -- states -----------------------------------------------------------------------------------------------------------------------


class State:
    """What a cut leaves: everything durable at the cut, and of the pending events those in `chosen` (index → None, or the number
    of bytes of a torn write).

    paths: path below the state's folder → inode, in walk order; data: inode → Content. Unreachable inodes do not count.
    """

    def __init__(self, durability, cut, variant, final, chosen):
        self.record, self.cut, self.variant, self.final = durability.record, cut, variant, final
        self.paths = durability.walk(tuple(index for index in chosen if self.record.events[index]["op"] == "names"))
        self.data = dict(durability.data)
        by_inode = {}
        for index in sorted(chosen):
            if self.record.events[index]["op"] != "names":
                by_inode.setdefault(self.record.events[index]["ino"], []).append((index, chosen[index]))
        for inode, added in by_inode.items():
            self.data[inode] = self.data.get(inode, Content.EMPTY).plus(added)
        digest = hashlib.blake2b(digest_size=16)
        for path, inode in self.paths.items():
            digest.update(b"%s\0%d\0%s" % (path, inode, self.data[inode].key if inode in self.data else b""))
        self.key = (digest.digest(), final)
        self.lost = [self.record.events[index]["text"] for index in durability.pending if index not in chosen]
        self.lost += [f"half of: {self.record.events[index]['text']}" for index in chosen if chosen[index] is not None]

    def describe(self):
        lost = ", ".join(self.lost[:12]) + (f" and {len(self.lost) - 12} more" if len(self.lost) > 12 else "")
        return f"{self.variant}, {self.record.describe(self.cut)}" + (f"; lost: {lost}" if self.lost else "")


class Content:
    """The changes that a file holds, as (index, torn), and a key of them."""

    def __init__(self, kept, key):
        self.kept, self.key = kept, key

    def plus(self, added):
        if self.kept and added[0][0] < self.kept[-1][0]:           # not in the order of the events: anew
            return Content.EMPTY.plus(sorted([*self.kept, *added], key=lambda change: change[0]))
        key = self.key
        for change in added:
            key = hashlib.blake2b(key + repr(change).encode(), digest_size=16).digest()
        return Content((*self.kept, *added), key)


Content.EMPTY = Content((), b"")


class Durability:
    """Which events are durable, followed event by event, and the durable names and data."""

    def __init__(self, record):
        self.record = record
        self.durable, self.pending = set(), {}      # pending: index → None, in order
        self.synced = {}                             # index of a change of names → directories of it that were synced
        self.data, self.names = {}, []               # inode → Content; indices of durable changes of names, in order
        self.walks = {}
        named = {child for inode in record.inodes.values() for child in inode["entries"].values()}
        named |= {inode for event in record.events if event["op"] == "names" for _, _, inode in event["set"]}
        # The folders above the --below folders: nothing names them.
        self.tops = sorted(number for number, inode in record.inodes.items()
                           if inode["type"] == "dir" and inode["base"] is None and number not in named)

    def advance(self, index):
        event = self.record.events[index]
        if event["op"] == "sync":
            self._sync(event)
        elif event["op"] != "mode":
            self.pending[index] = None
            if event.get("durable"):
                self._settle(index)

    def _sync(self, event):
        for index in [index for index in self.pending if index < event["upto"]]:
            change = self.record.events[index]
            if change["op"] != "names":
                if event["inos"] is None or change["ino"] in event["inos"]:
                    self._settle(index)
                continue
            folders = {folder for folder, _, _ in change["set"]}
            done = self.synced.setdefault(index, set())
            done |= folders if event["inos"] is None else folders.intersection(event["inos"])
            # The old name of a rename goes only where the new one is durable.
            if done == folders and (change["after"] is None or change["after"] in self.durable):
                self._settle(index)
                for later in [later for later in self.pending if self.record.events[later].get("after") == index]:
                    if self.synced.get(later):
                        self._settle(later)

    def _settle(self, index):
        del self.pending[index]
        self.durable.add(index)
        event = self.record.events[index]
        if event["op"] == "names":
            self.names = sorted([*self.names, index])
            self.walks.clear()
        else:
            self.data[event["ino"]] = self.data.get(event["ino"], Content.EMPTY).plus([(index, None)])

    def walk(self, chosen):
        """path → inode with the durable changes of names and the chosen ones."""
        if chosen in self.walks:
            return self.walks[chosen]
        folders, paths = {}, {}
        for index in sorted([*self.names, *chosen]):
            for folder, name, inode in self.record.events[index]["set"]:
                if folder not in folders:
                    folders[folder] = dict(self.record.inodes[folder]["entries"])
                if inode is None:
                    folders[folder].pop(name, None)
                else:
                    folders[folder][name] = inode

        def visit(folder, path):
            paths[path] = folder
            if len(path) > 4000:
                raise Trouble("a directory inside of itself")
            for name, child in sorted(folders.get(folder, self.record.inodes[folder]["entries"]).items()):
                below = path + b"/" + bytes_of(name)
                if self.record.inodes[child]["type"] == "dir":
                    visit(child, below)
                else:
                    paths[below] = child

        for number, top in enumerate(self.tops):
            visit(top, b"%d" % number)
        self.walks[chosen] = paths
        return paths


def mixture(record, pending, chance):
    """Some of what is pending, by chance."""
    chosen = {}
    names = [index for index in pending if record.events[index]["op"] == "names"]
    if chance.random() < 0.5:               # one journal for the whole file system
        chosen.update((index, None) for index in names[:chance.randint(0, len(names))])
    else:                                   # one for each directory
        for folder in sorted({record.events[index]["set"][0][0] for index in names}):
            own = [index for index in names if record.events[index]["set"][0][0] == folder]
            chosen.update((index, None) for index in own[:chance.randint(0, len(own))])
        for index in names:                 # the old name of a rename never goes before the new one is there
            if index in chosen and record.events[index]["after"] in pending and record.events[index]["after"] not in chosen:
                del chosen[index]
    share = chance.random()
    for index in pending:
        event = record.events[index]
        if event["op"] == "names" or chance.random() >= share:
            continue
        chosen[index] = None
        if event["op"] == "data" and chance.random() < 0.2:
            chosen[index] = chance.randrange(0, event["len"], SECTOR) if chance.random() < 0.8 else chance.randrange(event["len"])
    return chosen


VARIANTS = ("pessimistic", "optimistic", "names", "data", "torn", "mixture")


def states(record, mixtures=2, seed=1, variants=VARIANTS):
    """Every distinct state, in the order of the cuts. The last cut comes twice: at the end of the command, and after it."""
    durability, seen, last = Durability(record), set(), len(record.events)
    for cut in range(last + 1):
        if cut:
            durability.advance(cut - 1)
        pending = durability.pending
        candidates = [("pessimistic", {})]
        if pending:
            names = {index: None for index in pending if record.events[index]["op"] == "names"}
            candidates.append(("optimistic", dict(pending)))
            candidates.append(("names", names))
            candidates.append(("data", {index: None for index in pending if index not in names}))
            if cut - 1 in pending and record.events[cut - 1]["op"] == "data":
                candidates.append(("torn", {**pending, cut - 1: record.events[cut - 1]["len"] // 2}))
            for number in range(mixtures):
                candidates.append((f"mixture-{number}", mixture(record, pending, random.Random(f"{seed} {cut} {number}"))))
        for final in (False, True) if cut == last else (False,):
            for variant, chosen in candidates:
                if variant.split("-")[0] in variants:
                    state = State(durability, cut, variant, final, chosen)
                    if state.key not in seen:
                        seen.add(state.key)
                        yield state


# -- building a state on disk -----------------------------------------------------------------------------------------------------


class Builder:
    """Keeps one folder that becomes one state after the other, changing only what differs.

    Files live in FOLDER/inodes/NUMBER and have hard links at their names below FOLDER/state. What a command changed in
    between is noticed by inode and change time, and made anew.
    """

    def __init__(self, record, folder):
        self.record = record
        self.root = os.path.join(os.fsencode(folder), b"state")
        self.store = os.path.join(os.fsencode(folder), b"inodes")
        os.makedirs(self.root)
        os.makedirs(self.store)
        self.content = {}           # inode → (what it holds: the kept changes, fingerprint)
        self.modes = [(index, event["ino"], event["mode"]) for index, event in enumerate(record.events) if event["op"] == "mode"]
        self.pause = self._clock_is_coarse()

    def build(self, state):
        """Returns the paths of the --below folders."""
        wanted = state.paths
        # A file's own changes first, so that the names can be linked to it.
        for inode in {number for number in wanted.values() if self.record.inodes[number]["type"] == "file"}:
            self._fill(inode, state.data.get(inode, Content.EMPTY).kept)
        modes = {inode: mode for index, inode, mode in self.modes if index < state.cut}
        self._clear(self.root, b"", wanted)
        for path, inode in wanted.items():
            place, kind = os.path.join(self.root, path), self.record.inodes[inode]
            if kind["type"] == "dir":
                if not os.path.isdir(place):
                    os.mkdir(place)
                os.chmod(place, modes.get(inode, kind["mode"]) | 0o700)
            elif kind["type"] == "link":
                if not os.path.lexists(place):
                    os.symlink(bytes_of(kind["target"]), place)
            elif not os.path.lexists(place):
                os.link(self._anchor(inode), place)
        for inode in self.content:
            if os.path.exists(self._anchor(inode)):
                mode = modes.get(inode, self.record.inodes[inode]["mode"])
                if stat.S_IMODE(os.stat(self._anchor(inode)).st_mode) != mode:
                    os.chmod(self._anchor(inode), mode)
                self.content[inode] = (self.content[inode][0], self._fingerprint(inode))
        if self.pause:
            time.sleep(0.01)
        return [os.path.join(self.root, bytes_of(place)) for place in self.record.places]

    def _clock_is_coarse(self):
        """Whether two changes in a row can have the same change time (kernels before 6.13): then a pause tells them apart."""
        probe, times = os.path.join(self.store, b"probe"), []
        for _ in range(3):
            with open(probe, "ab") as stream:
                stream.write(b"x")
            times.append(os.stat(probe).st_ctime_ns)
        os.unlink(probe)
        return len(set(times)) < len(times)

    def _anchor(self, inode):
        return os.path.join(self.store, b"%d" % inode)

    def _fingerprint(self, inode):
        status = os.stat(self._anchor(inode))
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _clear(self, folder, path, wanted):
        """Removes every name that is not wanted or has become something else."""
        with os.scandir(folder) as found:
            entries = list(found)
        for entry in entries:
            below = os.path.join(path, entry.name)
            inode = wanted.get(below)
            kind = self.record.inodes[inode] if inode else None
            is_dir = entry.is_dir(follow_symlinks=False)
            if kind and kind["type"] == "dir" and is_dir:
                self._clear(entry.path, below, wanted)
            elif kind and kind["type"] == "link" and entry.is_symlink() and os.readlink(entry.path) == bytes_of(kind["target"]):
                continue
            elif kind and kind["type"] == "file" and not is_dir and entry.inode() == os.stat(self._anchor(inode)).st_ino:
                continue
            elif is_dir:
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    def _fill(self, inode, kept):
        anchor = self._anchor(inode)
        held, fingerprint = self.content.get(inode, (None, None))
        intact = held is not None and os.path.exists(anchor) and self._fingerprint(inode) == fingerprint
        if intact and held == kept:
            return
        if not (intact and kept[:len(held)] == held):
            if os.path.exists(anchor):
                os.unlink(anchor)
            base = self.record.inodes[inode]["base"]
            if base is None:
                open(anchor, "wb").close()
            else:
                shutil.copyfile(os.path.join(os.fsencode(self.record.base), bytes_of(base)), anchor)
            held = ()
        with open(anchor, "r+b") as stream:
            for index, torn in kept[len(held):]:
                self._apply(stream, self.record.events[index], torn)
        self.content[inode] = (kept, self._fingerprint(inode))

    def _apply(self, stream, event, torn):
        if event["op"] == "data":
            length = event["len"] if torn is None else torn
            at, offset = event["at"], event["off"]
            while length:
                data = os.pread(self.record.blob, min(length, 1 << 22), at)
                if not data:
                    raise Trouble("the record is cut short")
                os.pwrite(stream.fileno(), data, offset)
                at, offset, length = at + len(data), offset + len(data), length - len(data)
        elif event["op"] == "size":
            stream.truncate(event["size"])
        elif event["op"] == "zero":
            size = os.fstat(stream.fileno()).st_size
            end = min(event["off"] + event["len"], max(size, event["grow"]))
            if end > event["off"]:
                os.pwrite(stream.fileno(), bytes(end - event["off"]), event["off"])
            if event["grow"] > size:
                os.ftruncate(stream.fileno(), event["grow"])


# -- check ------------------------------------------------------------------------------------------------------------------------


def chosen(record, options):
    """(number, state) of the states to look at; with --limit an even selection, the first and last always among them."""
    found = states(record, options.mixtures, options.seed, options.variants.split(","))
    if not options.limit:
        yield from enumerate(found)
        return
    total = sum(1 for _ in states(record, options.mixtures, options.seed, options.variants.split(",")))
    wanted = {round(n * (total - 1) / max(1, options.limit - 1)) for n in range(options.limit)}
    yield from ((number, state) for number, state in enumerate(found) if number in wanted or state.final)


def try_states(options, worker, scratch):
    """One worker: every state whose turn it is. Returns their number and the failures."""
    record, count, failures, builders = Record.load(options.record, options.base), 0, [], {}
    for turn, (number, state) in enumerate(chosen(record, options)):
        if turn % options.jobs != worker:
            continue
        count += 1
        if state.variant not in builders:
            folder = os.path.join(scratch, f"{worker}-{state.variant}")
            os.makedirs(folder)
            builders[state.variant] = Builder(record, folder)
        places = [os.fsdecode(place) for place in builders[state.variant].build(state)]
        command = options.command.replace("{store}", quoted(places[0]))
        for index, place in enumerate(places):
            command = command.replace("{%d}" % index, quoted(place))
        environment = dict(os.environ, REPLAY_CUT=str(state.cut), REPLAY_CUTS=str(len(record.events)), REPLAY_VARIANT=state.variant,
                           REPLAY_FINAL="1" if state.final else "0")
        try:
            done = subprocess.run(["/bin/sh", "-c", command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=options.timeout, check=False)
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            status, output = f"none after {options.timeout} s", late.stdout or b""
        if status:
            failures.append((number, state.describe(), f"status {status}: " + output.decode(errors="replace")[-2000:]))
    return count, failures


def quoted(path):
    return "'" + path.replace("'", "'\\''") + "'"


def check(options, say=print):
    """Returns the number of failing states."""
    scratch = tempfile.mkdtemp(prefix="replay-writes.", dir=options.scratch)
    try:
        with futures.ProcessPoolExecutor(options.jobs, multiprocessing.get_context("fork")) as pool:
            parts = [part.result() for part in [pool.submit(try_states, options, worker, scratch) for worker in range(options.jobs)]]
        count, failures = sum(part[0] for part in parts), sorted(failure for part in parts for failure in part[1])
        say(f"{count} states, {len(failures)} failures")
        for number, description, output in failures[:options.show]:
            say(f"state {number}: {description}\n    {output.strip()}")
        if failures:
            keep_first(options, failures[0][0], say)
        return len(failures)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def keep_first(options, wanted, say):
    """Builds the failing state once more, untouched by the command, where it can be looked at."""
    record = Record.load(options.record, options.base)
    folder = options.keep or tempfile.mkdtemp(prefix="replay-failure.", dir=options.scratch)
    os.makedirs(folder, exist_ok=True)
    for number, state in chosen(record, options):
        if number == wanted:
            target = os.path.join(folder, f"state-{number}")
            shutil.rmtree(target, ignore_errors=True)
            places = Builder(record, target).build(state)
            say("kept: " + " ".join(os.fsdecode(place) for place in places))


def show_states(options):
    record = Record.load(options.record, options.base)
    for number, state in chosen(record, options):
        print(f"{number}{' (final)' if state.final else ''}: {state.describe()}")
        if options.out_template:
            folder = options.out_template.format(number=number, cut=state.cut, variant=state.variant)
            for place in Builder(record, folder).build(state):
                print(f"    {os.fsdecode(place)}")


# -- self-test --------------------------------------------------------------------------------------------------------------------

WRITER = r'''
import os, sys, threading
store, faults = sys.argv[1], sys.argv[2].split(",")
def fsync(path, fault):
    if fault not in faults:
        fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.close(fd)
def publish(name, data):
    fd = os.open(f"{store}/tmp-{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    half = len(data) // 2
    os.write(fd, data[:half]); os.pwrite(fd, data[half:], half)
    if "file" not in faults:
        os.fsync(fd)
    os.close(fd)
    os.rename(f"{store}/tmp-{name}", f"{store}/{name}")
    fsync(store, "folder")
if not os.path.exists(store):
    os.mkdir(store); fsync(os.path.dirname(store), "above")
publish("volume", b"V" * 3000)
workers = [threading.Thread(target=publish, args=(f"part-{n}", bytes([65 + n]) * 2000)) for n in range(3)]
for worker in workers: worker.start()
for worker in workers: worker.join()
if "in-place" in faults:
    fd = os.open(f"{store}/old", os.O_WRONLY); os.write(fd, b"n" * 1500); os.fsync(fd); os.close(fd)
if "early" in faults:           # cites what is not durable yet
    publish("root", b"volume part-0 part-1 part-2 late")
    publish("late", b"L" * 700)
else:
    publish("root", b"volume part-0 part-1 part-2")
if os.path.exists(f"{store}/old") and "in-place" not in faults:
    os.unlink(f"{store}/old"); fsync(store, "folder")
    os.mkdir(f"{store}/sub"); os.mkdir(f"{store}/sub/deep"); os.link(f"{store}/root", f"{store}/sub/deep/root-2")
    os.rename(f"{store}/sub/deep/root-2", f"{store}/sub/moved")
    if os.fork() == 0:
        os.chdir(store); fd = os.open("log", os.O_CREAT | os.O_APPEND | os.O_RDWR)
        os.write(fd, b"one\n"); os.lseek(fd, 0, 0); os.read(fd, 2); other = os.dup(fd); os.close(fd); os.writev(other, [b"two", b"\n"])
        os.ftruncate(other, 6); os.posix_fallocate(other, 0, 100)
        os.execv("/bin/sh", ["sh", "-c", "echo to a reused descriptor | cat >/dev/null"])
    os.wait()
    fd = os.open(store, os.O_TMPFILE | os.O_RDWR); os.write(fd, b"no name yet")
    folder = os.open(store, os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", "named", dst_dir_fd=folder, follow_symlinks=True); os.symlink("root", f"{store}/link")
'''

CHECKER = r'''
import os, sys
store = sys.argv[1]; final = os.environ["REPLAY_FINAL"] == "1"
sizes = {"volume": 3000, "part-0": 2000, "part-1": 2000, "part-2": 2000, "late": 700}
old = store + "/old"
if os.path.exists(old) and set(open(old, "rb").read()) not in ({ord("o")}, {ord("n")}): sys.exit("torn old")
if not os.path.exists(store + "/root"):
    sys.exit("durable on return, but no root" if final else 0)
names = open(store + "/root").read().split()
if not names: sys.exit("empty root")
for name in names:
    data = open(f"{store}/{name}", "rb").read()
    if len(data) != sizes[name] or len(set(data)) != 1 or data[:1] == b"\0": sys.exit("damaged " + name)
open(store + "/root", "a").write("scribble"); open(store + "/new", "w").close()      # what a command does must not stay
'''


def self_test():
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="replay-self-test.") as scratch:
        paths = {}
        for name, text in (("writer", WRITER), ("checker", CHECKER)):
            paths[name] = os.path.join(scratch, name + ".py")
            with open(paths[name], "w", encoding="ascii") as stream:
                stream.write(text)
        cases = [("nothing", True, False, None), ("nothing", False, False, None), ("file", True, True, "damaged|empty root"),
                 ("folder", True, True, "no root|No such file"), ("above", False, True, "no root"),
                 ("early", True, True, "late"), ("in-place", True, True, "torn old")]
        for fault, exists, must_fail, message in cases:
            begin = time.monotonic()
            folder = tempfile.mkdtemp(dir=scratch)
            store = os.path.join(folder, "store")
            if exists:
                os.mkdir(store)
                with open(os.path.join(store, "old"), "w", encoding="ascii") as stream:
                    stream.write("o" * 1500)
            status = record(os.path.join(folder, "rec"), [store], [sys.executable, "-I", paths["writer"], store, fault])
            said = []
            options = argparse.Namespace(record=os.path.join(folder, "rec"), base=None, mixtures=2, seed=1, limit=0, jobs=2, keep=None,
                                         variants=",".join(VARIANTS), scratch=folder, show=1000, timeout=60,
                                         command=f"{quoted(sys.executable)} -I -S {quoted(paths['checker'])} {{store}}")
            failures = check(options, said.append)
            bad = status != 0 or bool(failures) != must_fail or bool(message) and not re.search(message, "\n".join(said))
            wrong += bad
            print(f"{'WRONG' if bad else 'well'}: left out: {fault}, store {'there' if exists else 'absent'}: {said[0]}"
                  f" ({time.monotonic() - begin:.1f} s)")
            if bad:
                print("\n".join(said[:6]))
    print(f"{wrong} wrong")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("record", help="run a command and keep what it writes")
    verb.add_argument("--out", required=True, help="folder for the record; must not exist")
    verb.add_argument("--below", required=True, action="append", help="folder whose changes are recorded; may be given several times")
    verb.add_argument("command", nargs="+")
    for name, text in (("states", "list or build the states"), ("check", "run a command on every state")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--record", required=True)
        verb.add_argument("--base", help="the folders as they were before (default: REC/base)")
        verb.add_argument("--mixtures", type=int, default=2, help="random states a cut")
        verb.add_argument("--seed", type=int, default=1)
        verb.add_argument("--limit", type=int, default=0, help="about so many states, evenly chosen (default: all)")
        verb.add_argument("--variants", default=",".join(VARIANTS), help="comma-separated; default: %(default)s")
        if name == "states":
            verb.add_argument("--out-template", help="build each state there; {number}, {cut} and {variant} are filled in")
        else:
            verb.add_argument("--command", required=True)
            verb.add_argument("--jobs", type=int, default=os.cpu_count())
            verb.add_argument("--scratch", help="where states are built (default: the temporary folder)")
            verb.add_argument("--keep", help="where the first failing state is kept")
            verb.add_argument("--timeout", type=float, default=600, help="seconds for one command (default: %(default)s)")
            verb.add_argument("--show", type=int, default=5, help="how many failures are shown")
    options = parser.parse_args()
    try:
        if options.verb == "record":
            return record(options.out, options.below, options.command)
        if options.verb == "states":
            show_states(options)
            return 0
        return 1 if check(options) else 0
    except (Trouble, OSError, subprocess.CalledProcessError) as trouble:
        print(f"replay-writes: {trouble}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
