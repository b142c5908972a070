"""The faults of SFTP, version 3: packets between a client and SFTP's server, or `ssh -s sftp`, over standard input and output."""
import os
import select
import struct
import subprocess
import sys
import threading

from fault_line import Line, write_all

INIT, VERSION, WRITE, STATUS, EXTENDED = 1, 2, 6, 101, 200
FAILURE, UNSUPPORTED = 4, 8
LARGEST = 1 << 20
NAMES = {3: "OPEN", 4: "CLOSE", 5: "READ", 6: "WRITE", 7: "LSTAT", 8: "FSTAT", 9: "SETSTAT", 10: "FSETSTAT", 11: "OPENDIR", 12: "READDIR",
         13: "REMOVE", 14: "MKDIR", 15: "RMDIR", 16: "REALPATH", 17: "STAT", 18: "RENAME", 19: "READLINK", 20: "SYMLINK", EXTENDED: "EXTENDED"}
# Those that begin with a name, and not with a handle.
NAMED = {3, 7, 9, 11, 13, 14, 15, 16, 17, 18, 19, 20, EXTENDED}
LOST = 255  # what ssh ends with when its connection is lost


def packets(descriptor):
    """Whole ones, with their length before them."""
    with open(descriptor, "rb", closefd=False) as stream:
        while len(size := stream.read(4)) == 4:
            count = struct.unpack(">I", size)[0]
            if not 1 <= count <= LARGEST:
                return
            rest = stream.read(count)
            if len(rest) < count:
                return
            yield size + rest


def described(packet):
    kind = packet[4]
    text = NAMES.get(kind, str(kind))
    if kind in NAMED and len(packet) >= 13:
        size = struct.unpack(">I", packet[9:13])[0]
        text += " " + packet[13:13 + min(size, 4096)].decode(errors="backslashreplace").replace("\n", "\\n")
    return text


class Session:
    def __init__(self, plan, command):
        self.plan = plan
        # A pipe on each side, and the line with its delay between the pipe and our own input or output.
        self.from_client, into = os.pipe()
        out_of, self.to_client = os.pipe()
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.open = {}
        self.over, self.answering, self.written = threading.Lock(), threading.Lock(), 0
        self.up = Line(plan, plan.up, lambda size: os.read(0, size), write_all(into), lambda: os.close(into), self.lost)
        self.down = Line(plan, plan.down, lambda size: os.read(out_of, size), write_all(1), lambda: None, self.unread)

    def run(self):
        self.up.start()
        self.down.start()
        threading.Thread(target=self.requests, daemon=True).start()
        self.answers()
        self.end()
        os.close(self.to_client)
        self.down.join()
        os._exit(self.server.wait())

    def end(self):
        """One thread decides how this ends; the others wait for it."""
        if not self.over.acquire(blocking=False):
            threading.Event().wait()

    def unread(self):
        """Nobody takes the answers any more. Where another thread ends this already it waits for them to be taken."""
        if not self.over.acquire(blocking=False):
            os._exit(LOST)
        self.leave()

    def lost(self):
        """As if the connection were gone. What the server has got by then has its effect before the client can know."""
        self.end()
        self.leave()

    def leave(self):
        def kill():
            self.server.kill()
            os._exit(LOST)
        late = threading.Timer(3, kill)
        late.daemon = True
        late.start()
        try:
            self.server.stdin.close()
        except OSError:
            pass  # it has ended
        while os.read(self.server.stdout.fileno(), 1 << 16):
            pass
        self.server.wait()
        os._exit(LOST)

    def requests(self):
        for packet in packets(self.from_client):
            if packet[4] == INIT or len(packet) < 9:
                self.forward(packet)
                continue
            fate, request = self.plan.next(), described(packet)
            if fate.what in ("cut-before", "silent", "cut-within"):
                self.plan.tell(fate, request, "-")
            if fate.what == "cut-before":
                self.lost()
            if fate.what == "cut-within":
                self.forward(packet[:len(packet) // 2])
                self.lost()
            if fate.what == "silent":
                self.plan.silence(self.client_gone)
                self.lost()
            refused = self.refused(packet)
            if refused is not None:
                self.plan.tell(fate, request, refused)
                self.answer_with(packet, refused)
                continue
            self.open[packet[5:9]] = (fate, request)
            self.forward(packet)
        self.server.stdin.close()

    def refused(self, packet):
        """The status of what a server with less room, or fewer extensions, refuses."""
        options, kind = self.plan.options, packet[4]
        if kind == EXTENDED and options.plain_sftp:
            return UNSUPPORTED
        if kind == WRITE and options.full_after is not None:
            self.written += len(packet) - 25  # about: the handle's length is not looked at
            if self.written > options.full_after:
                return FAILURE
        return None

    def answer_with(self, packet, status):
        text = b"Failure" if status == FAILURE else b"Operation unsupported"
        body = bytes([STATUS]) + packet[5:9] + struct.pack(">II", status, len(text)) + text + struct.pack(">I", 0)
        with self.answering:
            write_all(self.to_client)(struct.pack(">I", len(body)) + body)

    def forward(self, packet):
        try:
            self.server.stdin.write(packet)
            self.server.stdin.flush()
        except OSError:
            pass  # it has ended: what it has said is still on its way

    def answers(self):
        for packet in packets(self.server.stdout.fileno()):
            fate, request = self.open.pop(packet[5:9], (None, "")) if packet[4] != VERSION else (None, "")
            if fate:
                status = struct.unpack(">I", packet[9:13])[0] if packet[4] == STATUS and len(packet) >= 13 else 0
                self.plan.tell(fate, request, "-" if fate.what == "cut-after" else status)
                if fate.what == "cut-after":
                    self.lost()
            if packet[4] == VERSION and self.plan.options.plain_sftp:
                packet = struct.pack(">I", 5) + packet[4:9]
            if not self.over.locked():
                with self.answering:
                    write_all(self.to_client)(packet)

    def client_gone(self):
        """What still comes is taken and dropped."""
        while select.select([self.from_client], [], [], 0)[0]:
            if not os.read(self.from_client, 1 << 16):
                return True
        return False


def run(plan, command):
    try:
        Session(plan, command).run()
    except OSError as error:
        print(f"faults: {error}", file=sys.stderr)
        os._exit(LOST)
