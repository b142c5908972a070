"""The serial line of a virtual machine, and who sits there."""

import socket
import time

import lab


class Console:
    """The serial line of a machine, and who sits there."""

    def __init__(self, path, machine, log):
        self.machine, self.log = machine, open(log, "ab")
        self.line = socket.socket(socket.AF_UNIX)
        for _ in range(600):
            if path.exists():
                break
            time.sleep(0.1)
        self.line.connect(str(path))
        self.line.settimeout(1)
        self.shown, self.seen = b"", 0

    def read(self):
        try:
            piece = self.line.recv(65536)
        except TimeoutError:
            return
        self.shown += piece
        self.log.write(piece)
        self.log.flush()

    def until(self, *texts):
        """Waits for one of them, behind what was seen last; returns which."""
        last, size = time.monotonic(), len(self.shown)
        while True:
            found = [(place, text) for text in texts if (place := self.shown.find(text.encode(), self.seen)) >= 0]
            if found:
                place, text = min(found)
                self.seen = place + len(text.encode())
                return text
            if self.machine.poll() is not None and not self.shown[self.seen:]:
                raise RuntimeError(f"the machine went off and did not say {texts}")
            self.read()
            if len(self.shown) != size:
                last, size = time.monotonic(), len(self.shown)
            if time.monotonic() - last > lab.SILENCE:
                raise RuntimeError(f"{texts} was not said; the line ends with\n{self.shown[-3000:].decode(errors='replace')}")

    def answer(self, text, words):
        self.until(text)
        # As fast as somebody types: what comes while a program starts is thrown away.
        time.sleep(0.5)
        self.line.sendall(words.encode() + b"\r")

    def through(self, *steps):
        for step in steps:
            text, words = step.split("=>")
            self.answer(text, words)
