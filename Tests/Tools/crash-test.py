#!/usr/bin/env python3
"""Kills, power cuts, full disks and writers at once: what was there stays, and the next run goes on.

    crash-test.py kill backup|restore|copy [--times N]   kill -9 at moments spread over the time that the command takes
    crash-test.py replay [--mixtures N] [--limit N]      a power cut between any two writes of a backup (needs strace)
    crash-test.py full [--sizes N]                       disks from too small to large enough (needs root, for tmpfs)
    crash-test.py together [--rounds N]                  several backups into one store at the same moment

Everywhere: --program HOLDFAST (default: the release build), --scratch DIR (default: /var/tmp), --seed N, --keep.
The last line of the output is the figures; exit status 0 all well, 1 a promise was broken (each on a line of its own).
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PARTIAL = ".holdfast-partial-"


def contents(folder):
    """What a tree is, for comparison: path → type, digest or target, mode and time."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path, content = os.path.join(place, name), ""
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as stream:
                    content = hashlib.sha256(stream.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (stat.S_IFMT(status.st_mode), content, stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    return found


def files_of(store):
    """Every file of a store with its digest."""
    return {path: what[1] for path, what in contents(store).items() if what[0] == stat.S_IFREG}


class Place:
    """A scratch folder with a user of its own in it, and the count of what was broken."""

    def __init__(self, options, folder=None):
        self.program = options.program
        self.random = random.Random(options.seed)
        self.folder = folder or tempfile.mkdtemp(prefix="crash-test.", dir=options.scratch)
        self.count = collections.Counter()
        self.failures = 0

    def __call__(self, name):
        return os.path.join(self.folder, name)

    def environment(self, machine="home"):
        """All machines have one identity; state and cache are each machine's own."""
        folder = self(machine)
        return dict(os.environ, HOME=self("home"), XDG_CONFIG_HOME=self("home/config"), LC_ALL="C",
                    XDG_STATE_HOME=os.path.join(folder, "state"), XDG_CACHE_HOME=os.path.join(folder, "cache"))

    def start(self, *words, machine="home"):
        return subprocess.Popen([self.program, *words, "--quiet"], env=self.environment(machine), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *words, machine="home"):
        """(status, output)"""
        process = self.start(*words, machine=machine)
        output = process.communicate()[0].decode(errors="replace")
        return process.returncode, output

    def broken(self, what):
        self.failures += 1
        print(f"broken: {what}", flush=True)

    def expect(self, what, *words, machine="home"):
        """A command that must end well."""
        status, output = self.run(*words, machine=machine)
        if status:
            self.broken(f"{what}: {' '.join(words)}: status {status}: {output.strip()[-600:]}")
        return status == 0

    # -- what must hold ---------------------------------------------------------------------------------------------------------

    def images(self, store="store", machine="home"):
        """The ids of the images, the oldest first."""
        status, output = self.run("images", "--from", self(store), "--json", machine=machine)
        if status:
            self.broken(f"images: status {status}: {output[-600:]}")
        return [] if status else [image["image"] for image in json.loads(output)["images"]]

    def verifies(self, what, store="store", machine="home"):
        return self.expect(what, "verify", "--from", self(store), "--read-data", machine=machine)

    def restores(self, what, image, tree, store="store", machine="home"):
        """The image comes back and is the tree that `contents` once saw."""
        target = tempfile.mkdtemp(prefix="restored.", dir=self.folder)
        self.count["restores"] += 1
        if self.expect(what, "restore", image, "--from", self(store), "--to", os.path.join(target, "tree"), machine=machine):
            self.same(f"{what}: image {image}", contents(os.path.join(target, "tree")), tree)
        shutil.rmtree(target)

    def same(self, what, found, wanted):
        if found != wanted:
            paths = sorted(path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path))
            self.broken(f"{what} differs in {len(paths)}: " + "; ".join(f"{p}: {found.get(p)} not {wanted.get(p)}" for p in paths[:3]))

    def is_tidy(self, what, store="store", machine="home"):
        """After a run that ended well there is no file that no image names, and no record of a run.

        A copy of images that are named takes what their roots name, and nothing else."""
        replica = tempfile.mkdtemp(prefix="replica.", dir=self.folder)
        if self.expect(what, "copy", "--from", self(store), "--to", replica, *self.images(store, machine), machine=machine):
            found, wanted = files_of(self(store)), files_of(replica)
            if found != wanted:
                self.broken(f"{what}: left over {sorted(found.keys() - wanted.keys())}, missing {sorted(wanted.keys() - found.keys())}")
        shutil.rmtree(replica)
        states = os.path.join(self.environment(machine)["XDG_STATE_HOME"], "holdfast/stores")
        runs = [os.path.join(place, name) for place, _, names in os.walk(states) for name in names if place.endswith("/runs")]
        if runs:
            self.broken(f"{what}: records of runs stay: {runs}")

    # -- the tree ---------------------------------------------------------------------------------------------------------------

    def make_tree(self):
        for number in range(30):
            self.write(f"tree/{'abc'[number % 3]}/{number}", self.random.randbytes(number * 300))
        self.write("tree/large", self.random.randbytes(3_000_000))
        os.symlink("large", self("tree/link"))
        if not os.path.exists(self("store")):
            self.start("store", "init", self("store")).wait()
        return contents(self("tree"))

    def change_tree(self, size=400_000):
        self.write("tree/changing", self.random.randbytes(self.random.randrange(size // 2, size)))
        self.write(f"tree/a/{self.random.randrange(0, 60, 3)}", self.random.randbytes(self.random.randrange(9000)))
        if self.random.random() < 0.3:
            with open(self("tree/large"), "r+b") as stream:
                stream.seek(self.random.randrange(2_900_000))
                stream.write(self.random.randbytes(1000))
        return contents(self("tree"))

    def write(self, name, content):
        os.makedirs(os.path.dirname(self(name)), exist_ok=True)
        with open(self(name), "wb") as stream:
            stream.write(content)

    # -- kills ------------------------------------------------------------------------------------------------------------------

    def duration(self, prepare, *words):
        """How long the command takes when nobody kills it: the middle of five."""
        times = []
        for _ in range(5):
            prepare()
            begin = time.monotonic()
            self.expect("unharmed", *words)
            times.append(time.monotonic() - begin)
        return sorted(times)[2]

    def kill(self, delay, *words):
        """Runs the command and kills it after `delay` seconds; returns whether it was still at work."""
        process = self.start(*words)
        try:
            process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        self.count["kills"] += process.returncode == -9
        self.count["ended before"] += process.returncode != -9
        if process.returncode not in (0, -9):
            self.broken(f"{words[0]} that was to be killed after {delay:.4f} s: status {process.returncode}")
        return process.returncode == -9

    def moments(self, times, duration):
        """Moments spread over the duration, in a random order, until so many have met a command at work."""
        while self.count["kills"] < times:
            parts = list(range(times))
            self.random.shuffle(parts)
            for part in parts:
                if self.count["kills"] < times:
                    yield duration * (part + self.random.random()) / times


def kill_backup(place, options):
    backup = ("backup", place("tree"), "--to", place("store"))
    known = {}                      # image → its tree
    tree = place.make_tree()

    def new_images(what):
        """Images that came up since, the one of a killed run among them, which must be whole."""
        for image in place.images():
            if image not in known:
                known[image] = tree
                place.restores(what, image, tree)

    def change():
        nonlocal tree
        new_images("unharmed")
        tree = place.change_tree()
    place.expect("the first backup", *backup)
    duration = place.duration(change, *backup)
    new_images("unharmed")
    for delay in place.moments(options.times, duration):
        what = f"backup killed after {delay:.4f} s"
        if place.random.random() < 0.7:
            tree = place.change_tree()
        place.kill(delay, *backup)
        place.verifies(what)
        new_images(what)
        for image in [next(iter(known)), place.random.choice(list(known))]:
            place.restores(what, image, known[image])
        if missing := set(known) - set(place.images()):
            place.broken(f"{what}: images are gone: {missing}")
        if place.random.random() < 0.6:         # otherwise several killed runs meet
            place.expect(what, *backup)
            new_images(f"after {what}")
            if place.count["kills"] % 10 == 0:
                place.is_tidy(f"after {what}")
    place.expect("the last backup", *backup)
    place.verifies("the last backup")
    place.is_tidy("the last backup")
    for image in place.images():
        place.restores("at the end", image, known.get(image, tree))


def kill_restore(place, options):
    tree = place.make_tree()
    place.expect("backup", "backup", place("tree"), "--to", place("store"))
    restore = ("restore", "latest", "--from", place("store"), "--to", place("restored"))
    clear = lambda: shutil.rmtree(place("restored"), ignore_errors=True)
    duration = place.duration(clear, *restore)
    clear()
    for delay in place.moments(options.times, duration):
        what = f"restore killed after {delay:.4f} s"
        place.kill(delay, *restore)
        found = contents(place("restored"))
        whole = {path: what[:2] for path, what in found.items() if not os.path.basename(path).startswith(PARTIAL)}
        place.count["files under way"] += len(found) - len(whole)
        place.same(f"{what}: what is there", whole, {path: tree[path][:2] for path in whole if path in tree})
        if place.random.random() < 0.8:         # otherwise the next one is killed on top of this one
            place.expect(what, *restore)
            place.same(f"after {what}: the tree", contents(place("restored")), tree)
            if place.random.random() < 0.8:
                clear()
    place.verifies("at the end")


def kill_copy(place, options):
    first = place.make_tree()
    place.expect("backup", "backup", place("tree"), "--to", place("store"))
    shutil.copytree(place("store"), place("older"))
    second = place.change_tree(1_500_000)
    place.expect("backup", "backup", place("tree"), "--to", place("store"))
    images = place.images()
    copy = ("copy", "--from", place("store"), "--to", place("replica"))
    clear = lambda: shutil.rmtree(place("replica"), ignore_errors=True)
    duration = place.duration(clear, *copy)
    for delay in place.moments(options.times, duration):
        what = f"copy killed after {delay:.4f} s"
        clear()
        if brings_up_to_date := place.random.random() < 0.3:
            shutil.copytree(place("older"), place("replica"))
        place.kill(delay, *copy)
        if os.path.exists(place("replica/HOLDFAST")):
            place.verifies(what, "replica")
            there = place.images("replica")
            if brings_up_to_date and images[0] not in there:
                place.broken(f"{what}: the image that was there is gone")
            for image in there:
                place.restores(what, image, [first, second][images.index(image)], "replica")
        place.expect(what, *copy)
        place.same(f"after {what}: the replica", files_of(place("replica")), files_of(place("store")))


# -- power cuts -------------------------------------------------------------------------------------------------------------------


def replay(place, options):
    tool = [sys.executable, os.path.join(HERE, "replay-writes.py")]
    first = place.make_tree()
    place.expect("backup", "backup", place("tree"), "--to", place("store"), "--name", "first")
    place.change_tree(700_000)
    os.remove(place("tree/b/7"))
    second = contents(place("tree"))
    shutil.copytree(place("home"), place("before"))
    # A machine that has just joined the store: a key of its own, nothing else.
    place.expect("join", "store", "join", place("store"), "--group", "another", machine="fresh")
    below = [word for name in ("store", "home/state", "home/cache") for word in ("--below", place(name))]
    command = [place.program, "backup", place("tree"), "--to", place("store"), "--name", "second", "--quiet"]
    status = subprocess.run([*tool, "record", "--out", place("record"), *below, "--", *command], env=place.environment(), check=False)
    if status.returncode:
        place.broken(f"the record: status {status.returncode}")
        return
    place.write("trees.json", json.dumps([first, second]).encode())
    check = [sys.executable, os.path.abspath(__file__), "state", place.folder, "--program", place.program]
    words = ["check", "--record", place("record"), "--command", shlex.join(check) + " {0} {1} {2}", "--jobs", "2", "--scratch", place.folder,
             "--mixtures", str(options.mixtures), "--limit", str(options.limit), "--keep", place("failure"), "--seed", str(options.seed)]
    done = subprocess.run([*tool, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    print(done.stdout, end="")
    if found := re.search(r"(\d+) states, (\d+) failures", done.stdout):
        place.count["states"] = int(found[1])
        place.failures += int(found[2])
    if done.returncode and not place.failures:
        place.broken(f"the check: status {done.returncode}")


def check_state(options):
    """One state after a power cut, met by the machine as the cut left it, and by turns by others."""
    place = Place(options, options.folder)
    with open(place("trees.json"), encoding="utf-8") as stream:
        first, second = [{path: tuple(what) for path, what in tree.items()} for tree in json.load(stream)]
    store, state, cache = options.below
    others = [("before", place("before/state"), place("before/cache")), ("later cache", state, place("home/cache")),
              ("fresh", place("fresh/state"), place("fresh/cache"))]
    for machine, *folders in (("cut", state, cache), others[int(os.environ["REPLAY_CUT"]) % 3]):
        with tempfile.TemporaryDirectory(prefix="state.", dir=place.folder) as own:
            for source, name in zip((store, *folders), ("store", "state", "cache")):
                if os.path.exists(source):
                    shutil.copytree(source, os.path.join(own, name))
            at = os.path.join(own, "store")
            place.verifies(machine, at, own)
            place.restores(machine, "first", first, at, own)
            if os.environ["REPLAY_FINAL"] == "1":
                place.restores(f"{machine}: what was promised", "second", second, at, own)
            if place.expect(machine, "backup", place("tree"), "--to", at, "--name", "third", machine=own):
                place.restores(f"{machine}, next run", "third", second, at, own)
                place.verifies(f"{machine}, next run", at, own)
                if machine == "cut":
                    place.is_tidy(f"{machine}, next run", at, own)
    return 1 if place.failures else 0


# -- full disks and writers at once -----------------------------------------------------------------------------------------------


def full(place, options):
    os.mkdir(place("disk"))
    first = place.make_tree()
    place.expect("backup", "backup", place("tree"), "--to", place("store"), "--name", "first")
    place.change_tree()
    place.write("tree/more", place.random.randbytes(3_000_000))
    second = contents(place("tree"))
    used = sum(os.path.getsize(place(f"store/{path}")) + 4096 for path in files_of(place("store"))) // 1024
    for number in range(options.sizes):
        # Every other disk is empty, so that the making of a store meets its end, too.
        is_new = number % 2
        size = 4 + number * (8000 if is_new else 4800) // options.sizes
        what = f"{'an empty disk' if is_new else 'a disk with room for'} {size} KiB"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + (0 if is_new else used)}k", "tmpfs", place("disk")], check=True)
        try:
            machine = f"machine-{number}"
            if not is_new:
                shutil.copytree(place("store"), place("disk/store"))
                shutil.copytree(place("home"), place(machine))
            else:
                place.run("store", "init", place("disk/store"), machine=machine)
            backup = ("backup", place("tree"), "--to", place("disk/store"))
            status, output = place.run(*backup, "--name", "second", machine=machine)
            place.count["full" if status == 1 else "enough"] += 1
            if status and (status != 1 or "full" not in output):
                place.broken(f"{what}: status {status}: {output.strip()}")
            if not is_new:
                place.verifies(what, "disk/store", machine)
                place.restores(what, "first", first, "disk/store", machine)
            subprocess.run(["mount", "-o", "remount,size=64m", place("disk")], check=True)
            if place.expect(f"{what}, enlarged", *backup, "--name", "third", machine=machine):
                place.restores(f"{what}, enlarged", "third", second, "disk/store", machine)
                place.verifies(f"{what}, enlarged", "disk/store", machine)
                place.is_tidy(f"{what}, enlarged", "disk/store", machine)
        finally:
            subprocess.run(["umount", place("disk")], check=True)


def together(place, options):
    tree = place.make_tree()
    for group in ("same", "other"):
        store = f"store-{group}"
        place.expect("init", "store", "init", place(store), "--group", "same")
        place.expect("join", "store", "join", place(store), "--group", group, machine="second")
        for number in range(options.rounds):
            tree = place.change_tree()
            writers = {f"{machine}-{number}-{turn}": place.start(
                "backup", place("tree"), "--to", place(store), "--name", f"{machine}-{number}-{turn}", machine=machine)
                for machine in ("home", "second") for turn in range(2)}
            for name, process in writers.items():
                output = process.communicate()[0].decode(errors="replace")
                place.count["backups"] += 1
                if process.returncode:
                    place.broken(f"{store}: {name}: status {process.returncode}: {output.strip()}")
            for name in writers:
                place.restores(f"{store}, at once", name, tree, store)
            place.verifies(f"{store}, at once", store)
        place.is_tidy(store, store)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--program", default=os.path.join(HERE, "../../.build/release/holdfast"))
    every.add_argument("--scratch", default="/var/tmp")
    every.add_argument("--seed", type=int, default=1)
    every.add_argument("--keep", action="store_true", help="keep the scratch folder")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("kill", parents=[every])
    verb.add_argument("command", choices=("backup", "restore", "copy"))
    verb.add_argument("--times", type=int, default=200)
    verb = verbs.add_parser("replay", parents=[every])
    verb.add_argument("--mixtures", type=int, default=3, help="random states a cut")
    verb.add_argument("--limit", type=int, default=0, help="about so many states (default: all)")
    verbs.add_parser("full", parents=[every]).add_argument("--sizes", type=int, default=20)
    verbs.add_parser("together", parents=[every]).add_argument("--rounds", type=int, default=5)
    verb = verbs.add_parser("state", parents=[every])           # what `replay` runs on each state
    verb.add_argument("folder")
    verb.add_argument("below", nargs=3)
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    if options.verb == "state":
        return check_state(options)
    place = Place(options)
    test = {"replay": replay, "full": full, "together": together}.get(options.verb)
    if test is None:
        test = {"backup": kill_backup, "restore": kill_restore, "copy": kill_copy}[options.command]
    begin = time.monotonic()
    try:
        test(place, options)
    finally:
        if not options.keep:
            shutil.rmtree(place.folder, ignore_errors=True)
    figures = ", ".join(f"{count} {what}" for what, count in place.count.items())
    print(f"{figures}, {time.monotonic() - begin:.0f} s, {place.failures} failures")
    return 1 if place.failures else 0


if __name__ == "__main__":
    sys.exit(main())
