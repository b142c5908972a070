"""Which request meets which fault: the options of `faults`, the count of requests, and what is said of each.

All of it is in one folder, so that several proxies that follow each other, as each connection of SFTP has its own, count as one:
`control` has options in the place of the command line's, `count` the numbers, `requests` a line for each request.
"""
import argparse
import collections
import fcntl
import os
import random
import re
import shlex
import sys
import threading
import time

Fate = collections.namedtuple("Fate", "number what retry_after")


class Numbers:
    """Of requests, counted from 1: `3`, `3,7`, `3-5`, `8-` (from 8 on)."""

    def __init__(self, text):
        self.ranges = []
        for part in text.split(","):
            found = re.fullmatch(r"(\d+)(-(\d*))?", part)
            if not found:
                raise argparse.ArgumentTypeError(f"{text!r} is none of 3 / 3,7 / 3-5 / 8-")
            first = int(found.group(1))
            self.ranges.append((first, first if not found.group(2) else int(found.group(3) or sys.maxsize)))

    def __contains__(self, number):
        return any(first <= number <= last for first, last in self.ranges)


def add_options(parser):
    add, none = parser.add_argument, Numbers("0")
    add("--delay", type=float, metavar="MS", default=0, help="each way; a new connection costs a round trip more, as TCP's does")
    add("--rate", type=float, metavar="MB/S", default=0, help="each way, of all connections together")
    add("--cut-before", type=Numbers, metavar="N", default=none, help="request N is not forwarded, the connection is closed")
    add("--cut-within", type=Numbers, metavar="N", default=none, help="half of its body is forwarded, or else half of its answer's")
    add("--cut-after", type=Numbers, metavar="N", default=none, help="it has its effect, its answer is swallowed, the connection is closed")
    add("--storm", type=float, metavar="P", default=0, help="HTTP: a share of 0 to 1 gets 503 SlowDown, every other with Retry-After")
    add("--seed", type=int, metavar="N", default=1, help="which ones; the same seed and number have the same fate")
    add("--silent-after", type=int, metavar="N", default=sys.maxsize, help="later ones are taken and never answered; the connection stays open")
    add("--full-after", type=int, metavar="BYTES", help="SFTP: what is written in a session beyond is refused, as a full disk does")
    add("--plain-sftp", action="store_true", help="SFTP: none of OpenSSH's extensions, fsync among them")
    add("--hold", action="store_true", help="nothing passes, either way; what was held goes on once the control file says otherwise")
    return parser


class Quiet(argparse.ArgumentParser):
    """For the control file: a mistake there is said, and changes nothing."""

    def error(self, message):
        raise ValueError(message)


class Pace:
    """One direction of the line that all connections share."""

    def __init__(self):
        self.free, self.guard = 0.0, threading.Lock()

    def leave(self, size, now, rate):
        """When so many bytes have left."""
        if not rate:
            return now
        with self.guard:
            self.free = max(self.free, now) + size / (rate * 1e6)
            return self.free


class Plan:
    def __init__(self, options, folder):
        self.first = self.options = options
        self.folder, self.control = folder, os.path.join(folder, "control")
        self.up, self.down = Pace(), Pace()
        self.looked, self.mark, self.guard = 0.0, "none", threading.RLock()
        self.count = os.open(os.path.join(folder, "count"), os.O_RDWR | os.O_CREAT, 0o600)
        self.log = os.open(os.path.join(folder, "requests"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.look()

    def look(self):
        """Takes over what is in the control file, if it is another one than before."""
        with self.guard:
            self.looked = time.monotonic()
            try:
                with open(self.control) as file:
                    about = os.fstat(file.fileno())
                    mark, text = f"{about.st_ino}.{about.st_mtime_ns}.{about.st_size}", file.read(65536)
            except FileNotFoundError:
                mark, text = "none", None
            if mark == self.mark:
                return
            self.mark = mark
            try:
                self.options = self.first if text is None else add_options(Quiet(add_help=False)).parse_args(shlex.split(text))
            except (ValueError, argparse.ArgumentError) as error:
                print(f"faults: {self.control}: {error}", file=sys.stderr, flush=True)

    def now(self):
        """The options for bytes on their way: looked for twenty times a second."""
        if time.monotonic() - self.looked > 0.05:
            self.look()
        return self.options

    def numbers(self):
        """What the options count from, the number since then, and the number of all."""
        fields = os.pread(self.count, 200, 0).decode().split()
        return (fields[0], int(fields[1]), int(fields[2])) if len(fields) == 3 else ("", 0, 0)

    def next(self):
        """The next request and what becomes of it. Counted from the moment when the control file was written."""
        with self.guard:
            fcntl.flock(self.count, fcntl.LOCK_EX)
            try:
                self.look()
                mark, number, total = self.numbers()
                number = number + 1 if mark == self.mark else 1
                os.pwrite(self.count, f"{self.mark} {number} {total + 1}".ljust(100).encode(), 0)
            finally:
                fcntl.flock(self.count, fcntl.LOCK_UN)
            options = self.options
        chance = random.Random(f"{options.seed}:{number}")
        for what, holds in (("cut-before", number in options.cut_before), ("cut-within", number in options.cut_within),
                            ("cut-after", number in options.cut_after), ("silent", number > options.silent_after),
                            ("storm", chance.random() < options.storm)):
            if holds:
                return Fate(total + 1, what, chance.random() < 0.5)
        return Fate(total + 1, "passed", False)

    def tell(self, fate, request, status):
        """`NUMBER REQUEST STATUS FATE`; `-` is the status of what was not answered."""
        os.write(self.log, f"{fate.number} {request} {status} {fate.what}\n".encode(errors="replace"))

    def silence(self, gone):
        """Until the client has gone, or the control file says something else."""
        self.look()
        mark = self.mark
        while not gone() and self.mark == mark:
            time.sleep(0.05)
            self.look()
