"""The plant's clock: one for all machines and stores, as clock.c and the proxy of the object store tell it. It goes on with the kernel's, and
is put forward in steps; nobody waits."""
import bisect
import mmap
import os
import struct
import subprocess
import time

SECOND = 1_000_000_000
STEPS = 1 << 16


def coarse():
    """The clock by which the kernel dates files."""
    return time.clock_gettime_ns(5)  # CLOCK_REALTIME_COARSE


class Clock:
    def __init__(self, folder, begin):
        """`begin`: seconds since 1970, later than now."""
        self.path, self.library = os.path.join(folder, "clock"), os.path.join(folder, "clock.so")
        with open(self.path, "wb") as file:
            file.truncate(8 + 16 * STEPS)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        source = os.path.join(os.path.dirname(os.path.realpath(__file__)), "clock.c")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self.library, source, "-ldl"], check=True)
        # Newest last: from which time of the kernel on, and how much later.
        self.since, self.later = [], []
        self._put((begin - int(time.time())) * SECOND)

    def _put(self, later):
        # A file that is written now has the time of the kernel's last tick: what was written before the step and after it lie in two ticks.
        tick = coarse()
        while coarse() == tick:
            pass
        at = coarse()
        count = len(self.since)
        struct.pack_into("<qq", self.memory, 8 + 16 * count, at, later)
        self.since.append(at)
        self.later.append(later)
        struct.pack_into("<q", self.memory, 0, count + 1)

    def shifted(self, noted):
        """The plant's time of one that the kernel, or a server, has noted, in nanoseconds."""
        index = bisect.bisect_right(self.since, noted) - 1
        return noted + self.later[index] if index >= 0 and noted < time.time_ns() + 60 * SECOND else noted

    @property
    def now(self):
        """In seconds since 1970, with their fraction."""
        return (time.time_ns() + self.later[-1]) / SECOND

    def go_on(self, until):
        """Puts the clock forward; never back."""
        step = int(until - self.now)
        if step > 0:
            self._put(self.later[-1] + step * SECOND)

    def environment(self, boot=None):
        values = {"LD_PRELOAD": self.library, "PLANT_CLOCK": self.path}
        return values | ({"PLANT_BOOT": boot} if boot else {})


def text(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
