"""Where the images go: a NAS over SFTP whose disk can be full, and a store behind a line that can be down: Ceph, or a folder."""
import collections
import os
import subprocess

from .clock import SECOND
from .proxy import Identity, Proxy, noted, s3

SERVERS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../Servers")
Held = collections.namedtuple("Held", "written bytes")  # by the plant's time


class Server:
    """One of Tests/Servers, until its input is closed."""

    def __init__(self, name, folder, environment):
        self.process = subprocess.Popen([os.path.join(SERVERS, name), "--scratch", folder], env=os.environ | environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.values = {}
        for line in self.process.stdout:
            if line == "READY\n":
                return
            name, _, value = line.rstrip("\n").partition("=")
            self.values[name] = value
        raise SystemExit(f"{name} did not start")

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


def in_folder(path, clock):
    """Every file below a folder, by its path."""
    found = {}
    for folder, _, files in os.walk(path):
        for name in files:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.relpath(os.path.join(folder, name), path)] = Held(clock.shifted(status.st_mtime_ns) / SECOND, status.st_size)
    return found


class Nas:
    """sshd under the plant's clock, on a file system of its own."""
    name, is_direct = "nas", True

    def __init__(self, plant, size):
        self.clock, self.size = plant.clock, size
        self.path = os.path.join(plant.folder, "nas")
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "nas", self.path], check=True)
        self.server = Server("sshd", plant.folder, plant.clock.environment())
        account = os.stat(self.server.values["FOLDER"]).st_uid
        os.chown(self.path, account, account)
        self.table = f'[stores.nas]\nurl = "sftp://plain{self.path}/line"\nssh = ["{self.server.values["SSH"]}"]\n'

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def fill(self):
        """The disk is as small as what is on it, and some hundred kilobytes."""
        status = os.statvfs(self.path)
        self.resize((status.f_blocks - status.f_bfree) * status.f_frsize + 300_000)

    def enlarge(self):
        self.resize(self.size)

    @property
    def is_full(self):
        status = os.statvfs(self.path)
        return status.f_blocks * status.f_frsize < self.size

    def objects(self):
        return in_folder(os.path.join(self.path, "line"), self.clock)

    def end(self):
        self.server.end()


class FolderOffsite:
    """A folder that is not there while the line is down."""
    name, is_direct, isolated = "offsite", False, False

    def __init__(self, plant):
        self.clock, self.line = plant.clock, os.path.join(plant.folder, "line")
        os.mkdir(self.line)
        self.table = f'[stores.offsite]\nurl = "{self.line}/offsite"\ncreate = true\n'

    def isolate(self, isolated):
        if isolated != self.isolated:
            os.rename(self.line + ".down" * self.isolated, self.line + ".down" * isolated)
        self.isolated = isolated

    def objects(self):
        return in_folder(self.line + "/offsite", self.clock)

    def end(self):
        pass


class CephOffsite:
    """Ceph behind the proxy that tells the plant's time."""
    name, is_direct = "offsite", False

    def __init__(self, plant):
        self.clock = plant.clock
        self.server = Server("ceph", plant.folder, {})
        value = self.server.values
        self.proxy = Proxy(plant.clock, value["ENDPOINT"], Identity(value["ACCESS_KEY"], value["SECRET_KEY"], value["REGION"], None))
        key = os.path.join(plant.folder, "s3-key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"aws_access_key_id = {value['ACCESS_KEY']}\naws_secret_access_key = {value['SECRET_KEY']}\n")
        self.bucket = value["PLAIN_BUCKET"]
        self.client = s3.Client(value["ENDPOINT"], value["ACCESS_KEY"], value["SECRET_KEY"], value["REGION"])
        self.table = (f'[stores.offsite]\nurl = "s3://{self.bucket}/line?endpoint={self.proxy.endpoint}&region={value["REGION"]}&style=path"\n'
                      f'credentials = "{key}"\ncreate = true\n')

    @property
    def isolated(self):
        return self.proxy.isolated

    def isolate(self, isolated):
        self.proxy.isolated = isolated

    def objects(self):
        found = {}
        pages = self.client.pages(self.bucket, {"list-type": "2", "prefix": "line/"}, "Key", {"continuation-token": "NextContinuationToken"})
        for answer in pages:
            for key, time, size in zip(answer.all("Key"), answer.all("LastModified"), answer.all("Size")):
                found[key.removeprefix("line/")] = Held(self.clock.shifted(noted(time.rstrip("Z"))) / SECOND, int(size))
        return found

    def end(self):
        self.server.end()
