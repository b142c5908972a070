"""What every server here has in common: a scratch folder, children, and an end.

A server prints `KEY=VALUE` lines and then `READY`. It runs until its standard input is closed, so a test that dies leaves none behind,
unless another child of the test has got the other end of that pipe: it has to be O_CLOEXEC. SIGTERM, SIGINT and SIGHUP end it too. Then
everything it started is killed, grandchildren included, and its folder is removed. Only a server that is itself killed with SIGKILL
leaves its folder; its children die with it (PR_SET_PDEATHSIG).

As a context: `with Server("name", options) as server:`. Ends with 0, or with 1 and a sentence where it could not start or a child died.
"""
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Failure(Exception):
    """Why a server cannot start or go on, as a sentence."""


class Stopped(BaseException):
    """Somebody asked for the end. Not an Exception, so that nothing on the way takes it for a failure."""


def options(parser):
    """What all servers understand."""
    parser.add_argument("--scratch", metavar="DIR", default="/var/tmp", help="where its folder is made (default: %(default)s)")
    return parser


def free_port():
    """A port of 127.0.0.1 that nobody listens on, below those that the kernel gives to clients: none of them takes it meanwhile."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def descendants():
    """The processes that came of this one, ended ones that nobody has taken note of included. With PR_SET_CHILD_SUBREAPER also those
    whose parents are gone."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, following = [], [os.getpid()]
    while following:
        children = parents.get(following.pop(), [])
        found += children
        following += children
    return found


class Server:
    def __init__(self, name, scratch="/var/tmp"):
        self.name, self.below, self.folder = name, scratch, None
        self.children = []
        self.ending = False

    # -- from start to end

    def __enter__(self):
        self.began = time.monotonic()
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        # Who started it from a thread may have blocked them.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        threading.Thread(target=self._watch_input, daemon=True).start()
        self.folder = tempfile.mkdtemp(prefix=f"holdfast-{self.name}-", dir=self.below)
        return self

    def __exit__(self, kind, error, trace):
        self.ending = True
        self._end_children()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is Stopped:
            return True
        if kind and issubclass(kind, (Failure, OSError, subprocess.SubprocessError)):
            print(f"{self.name}: {error}", file=sys.stderr)
            sys.exit(1)
        return False

    def _stop(self, number, frame):
        if not self.ending:
            self.ending = True
            raise Stopped

    def _watch_input(self):
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass  # closed: the same as its end
        os.kill(os.getpid(), signal.SIGTERM)

    def _end_children(self):
        # In the order that was asked for: some wait for others when they are told to end.
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(getattr(child, "patience", 2))
                except subprocess.TimeoutExpired:
                    child.kill()
        for _ in range(100):
            for child in self.children:
                child.poll()
            self._reap()
            left = descendants()
            if not left:
                return
            for process in left:
                try:
                    os.kill(process, signal.SIGKILL)
                except OSError:
                    pass  # it has ended by itself
            time.sleep(0.02)

    def _reap(self):
        """Takes note of the end of those whose parents were gone, or they would be left as defunct where process 1 does not."""
        own = {child.pid for child in self.children}
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in own:
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            pass  # there are none

    # -- what a server does meanwhile

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        return path

    def start(self, command, patience=2, before=None, **more):
        """A child that has to live as long as the server; what it says goes to a log of its own. It is given `patience` seconds to end."""
        def prepare():
            if before:
                before()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        log = self.path(os.path.basename(command[0]) + ".out")
        with open(log, "ab") as output:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=prepare,
                                     start_new_session=True, **more)
        child.log, child.patience = log, patience
        self.children.append(child)
        return child

    def run(self, command, timeout=60, **more):
        """A command that ends by itself; what it printed."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, start_new_session=True, **more)
        if done.returncode:
            raise Failure(f"{os.path.basename(command[0])} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-600:]}")
        return done.stdout

    def check(self):
        for child in self.children:
            if child.poll() is not None:
                with open(child.log, errors="replace") as file:
                    said = file.read().strip()[-600:]
                raise Failure(f"{os.path.basename(child.args[0])} ended with {child.returncode}: {said or 'it said nothing'}")

    def until(self, what, holds, seconds=60):
        """Waits until something holds, while every child lives."""
        end = time.monotonic() + seconds
        while not holds():
            self.check()
            if time.monotonic() > end:
                raise Failure(f"after {seconds} s there is still no {what}")
            time.sleep(0.05)

    def listening(self, port):
        def connects():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        self.until(f"answer at port {port}", connects)

    def say(self, **values):
        for key, value in values.items():
            print(f"{key}={value}")
        sys.stdout.flush()

    def ready(self, **values):
        self.say(**{"FOLDER": self.folder, **values}, PID=os.getpid(), START_MS=round((time.monotonic() - self.began) * 1000))
        print("READY", flush=True)

    def serve(self):
        """Until the end, which comes as a signal."""
        while True:
            self.check()
            self._reap()
            time.sleep(0.2)


def certificates(server):
    """A CA of its own, and a key with its certificate for localhost and 127.0.0.1. The CA's file, and the other two in one."""
    for name, subject in (("ca", "Holdfast test CA"), ("server", "localhost")):
        server.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", server.path(name + ".key")])
        kind = ["-x509", "-days", "30", "-out", server.path("ca.pem")] if name == "ca" else ["-out", server.path("server.csr")]
        server.run(["openssl", "req", "-new", *kind, "-key", server.path(name + ".key"), "-subj", f"/CN={subject}"])
    names = server.write("names", "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1\n")
    server.run(["openssl", "x509", "-req", "-days", "30", "-in", server.path("server.csr"), "-CA", server.path("ca.pem"), "-CAkey",
                server.path("ca.key"), "-CAcreateserial", "-extfile", names, "-out", server.path("server.pem")])
    with open(server.path("server.pem")) as certificate, open(server.path("server.key")) as key:
        both = server.write("both.pem", certificate.read() + key.read())
    return server.path("ca.pem"), both
