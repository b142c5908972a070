"""SFTP, version 3, one request at a time over a command's input and output: what `test` asks servers with."""
import struct
import subprocess

READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 1, 2, 4, 8, 16, 32
OK, END, ABSENT, DENIED, FAILED = range(5)


class Lost(Exception):
    pass


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(value)) + value


def first(data):
    size = struct.unpack(">I", data[:4])[0]
    return data[4:4 + size], data[4 + size:]


class Session:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.number = 0
        self.send(struct.pack(">BI", 1, 3))
        rest, self.extensions = self.receive()[5:], set()
        while rest:
            name, rest = first(rest)
            self.extensions.add(name.decode())
            _, rest = first(rest)

    def send(self, packet):
        try:
            self.process.stdin.write(struct.pack(">I", len(packet)) + packet)
            self.process.stdin.flush()
        except OSError:
            raise Lost(self.said()) from None

    def receive(self):
        size = self.process.stdout.read(4)
        if len(size) < 4:
            raise Lost(self.said())
        return self.process.stdout.read(struct.unpack(">I", size)[0])

    def said(self):
        self.process.kill()
        return f"{self.process.wait()} {self.process.stderr.read().decode(errors='replace').strip()}"

    def ask(self, kind, body):
        """The status, and what came with it: a handle, or data."""
        self.number += 1
        self.send(struct.pack(">BI", kind, self.number) + body)
        packet = self.receive()
        if packet[0] == 101:
            return struct.unpack(">I", packet[5:9])[0], b""
        return OK, packet[5:]

    def open(self, name, flags):
        status, rest = self.ask(3, text(name) + struct.pack(">II", flags, 0))
        return status, first(rest)[0] if rest else None

    def write(self, handle, offset, data):
        return self.ask(6, text(handle) + struct.pack(">Q", offset) + text(data))[0]

    def read(self, handle, offset, size):
        status, rest = self.ask(5, text(handle) + struct.pack(">QI", offset, size))
        return first(rest)[0] if rest else status

    def close(self, handle):
        return self.ask(4, text(handle))[0]

    def remove(self, name):
        return self.ask(13, text(name))[0]

    def make_folder(self, name):
        return self.ask(14, text(name) + struct.pack(">I", 0))[0]

    def rename(self, old, new):
        return self.ask(18, text(old) + text(new))[0]

    def chmod(self, name, mode):
        return self.ask(9, text(name) + struct.pack(">II", 4, mode))[0]

    def extended(self, name, *words):
        return self.ask(200, text(name) + b"".join(map(text, words)))[0]

    def put(self, name, data):
        """A new file, whole; the first status that is not OK."""
        status, handle = self.open(name, WRITE | CREATE | EXCLUSIVE)
        if status == OK:
            status = self.write(handle, 0, data) or self.extended("fsync@openssh.com", handle) or self.close(handle)
        return status

    def get(self, name):
        status, handle = self.open(name, READ)
        return self.read(handle, 0, 1 << 16) if status == OK else status

    def end(self):
        self.process.stdin.close()
        return self.process.wait(10)
