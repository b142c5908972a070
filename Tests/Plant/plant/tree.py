"""What a machine's disk holds: changed at random, and told apart to the last bit."""
import hashlib
import os
import stat

NAMES = [b"recipe", b"axis", b"log", b"trend", b"plc", b"\xfcber", "größe".encode(), b"with blank", b"line\nbreak", b"-dash"]
MODES = [0o600, 0o640, 0o644, 0o755, 0o400, 0o4755]


class Tree:
    def __init__(self, path, random):
        self.path, self.random, self.version = os.fsencode(path), random, 0
        os.makedirs(self.path)
        for _ in range(40):
            self._create()
        self._note()

    def _all(self):
        """Folders and everything else, each in one order whatever the file system's is."""
        folders, others = [self.path], []
        for folder, below, files in os.walk(self.path):
            for name in below + files:
                path = os.path.join(folder, name)
                (folders if stat.S_ISDIR(os.lstat(path).st_mode) else others).append(path)
        return sorted(folders), sorted(path for path in others if path != self.path + b"/version")

    def _free(self):
        folder = self.random.choice(self._all()[0])
        while True:
            path = os.path.join(folder, self.random.choice(NAMES) + b"%d" % self.random.randrange(1000))
            if not os.path.lexists(path):
                return path

    def _content(self):
        size = self.random.choice([0, 1, 700, 5_000, 20_000, 60_000])
        return self.random.randbytes(size) if self.random.random() < 0.6 else (b"%d\n" % self.random.randrange(99)) * (size // 3)

    def _create(self):
        path, kind = self._free(), self.random.random()
        if kind < 0.12:
            os.mkdir(path)
        elif kind < 0.2:
            os.symlink(self.random.choice(NAMES), path)
        elif kind < 0.27 and self._files():
            os.link(self.random.choice(self._files()), path)
        elif kind < 0.33:
            with open(path, "wb") as file:
                file.truncate(3_000_000)
                file.seek(self.random.randrange(2_900_000))
                file.write(self.random.randbytes(5000))
        else:
            with open(path, "wb") as file:
                file.write(self._content())
            os.chmod(path, self.random.choice(MODES))

    def _files(self):
        return [path for path in self._all()[1] if stat.S_ISREG(os.lstat(path).st_mode)]

    def _write(self):
        """A part of one, or its end, or all of it."""
        path = self.random.choice(self._files())
        size = os.stat(path).st_size
        with open(path, "r+b") as file:
            if self.random.random() < 0.3:
                file.truncate(self.random.randrange(size + 1))
            file.seek(self.random.randrange(size + 1))
            file.write(self._content())

    def _remove(self):
        if len(self._all()[1]) > 25:
            os.unlink(self.random.choice(self._all()[1]))

    def _rename(self):
        folders, others = self._all()
        path, new = self.random.choice(others + folders[1:]), self._free()
        if not new.startswith(path + b"/"):
            os.rename(path, new)

    def _permit(self):
        os.chmod(self.random.choice(self._files()), self.random.choice(MODES))

    def _note(self):
        self.version += 1
        with open(self.path + b"/version", "w") as file:
            file.write(f"{self.version}\n")

    def change(self):
        for _ in range(self.random.randrange(1, 7)):
            self.random.choice([self._create, self._write, self._write, self._remove, self._rename, self._permit])()
        self._note()


def version(path):
    """Which state of the tree it is; nil where it does not say."""
    try:
        with open(os.path.join(path, "version")) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def fingerprint(path, clock):
    """Of all that is there: kind, mode, owner, size, time, content, and what is one file under two names."""
    path, lines, linked = os.fsencode(path), [], {}
    found = [path]
    for folder, below, files in os.walk(path):
        found += [os.path.join(folder, name) for name in below + files]
    for each in sorted(found):
        status = os.lstat(each)
        words = [each[len(path):], oct(status.st_mode), status.st_uid, status.st_gid, clock.shifted(status.st_mtime_ns)]
        if stat.S_ISREG(status.st_mode):
            with open(each, "rb") as file:
                words += [status.st_size, hashlib.sha256(file.read()).hexdigest(), linked.setdefault(status.st_ino, each[len(path):])]
        elif stat.S_ISLNK(status.st_mode):
            words.append(os.readlink(each))
        lines.append(repr(words))
    return lines
