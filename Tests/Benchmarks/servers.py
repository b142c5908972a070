"""Servers of `Tests/Servers` for benchmarks: started, asked what they took and what was asked of them, and ended."""
import collections
import contextlib
import os
import re
import subprocess
import threading
import time

FOLDER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "Servers")
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """What a script prints as its values. It ends when its input is closed."""

    def __init__(self, script, *words):
        self.process = subprocess.Popen([os.path.join(FOLDER, script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.values = {}
        for line in self.process.stdout:
            if line == "READY\n":
                break
            key, _, value = line.rstrip("\n").partition("=")
            self.values[key] = value
        else:
            raise SystemExit(f"{script} did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.place = 0

    def __getitem__(self, key):
        return self.values[key]

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def cpu(self):
        """CPU seconds of all that the script started, ended processes included; the script itself is no part of the server."""
        parents, seconds = collections.defaultdict(list), {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            parents[int(fields[1])].append(int(name))
            # utime, stime; cutime, cstime: of children that ended.
            seconds[int(name)] = sum(map(int, fields[11:13])) / TICKS, sum(map(int, fields[13:15])) / TICKS
        own = self.process.pid
        total, following = seconds[own][1], list(parents[own])
        while following:
            process = following.pop()
            total += sum(seconds[process])
            following += parents[process]
        return total

    def requests(self):
        """The lines of its log since the last call, each as a list of words. A line comes up to 0.2 s after its answer."""
        time.sleep(0.4)
        with open(self["REQUESTS"], errors="replace") as file:
            file.seek(self.place)
            text = file.read()
            self.place = file.tell()
        return [line.split(" ") for line in text.splitlines()]


@contextlib.contextmanager
def running(script, *words):
    server = Server(script, *words)
    try:
        yield server
    finally:
        server.end()


def s3_requests(lines):
    """Requests by kind, and the bytes of all bodies there and back."""
    kinds, sent, received = collections.Counter(), 0, 0
    for method, path, *middle, length in lines:
        kind = "LIST" if method == "GET" and re.search(r"[?&](list-type|prefix|versions)\b", path) else method
        kinds[kind] += 1
        if method == "PUT":
            sent += int(length)
        else:
            received += int(length)
    return kinds, sent, received


def sftp_requests(lines):
    """The same from the log of SFTP's server, which tells of names and not of each read and write."""
    kinds, sent, received = collections.Counter(), 0, 0
    for words in lines:
        if words[0] in ("open", "opendir", "mkdir", "remove", "rmdir", "rename", "posix-rename", "stat", "lstat", "setstat", "fsync", "hardlink"):
            kinds[words[0]] += 1
        elif words[0] == "close" and "written" in words:
            received += int(words[words.index("read") + 1])
            sent += int(words[words.index("written") + 1])
    return kinds, sent, received
