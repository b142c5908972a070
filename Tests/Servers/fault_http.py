"""The faults of HTTP: requests one after the other on a connection, with Content-Length, chunks and `Expect: 100-continue`."""
import re
import select
import socket

SLOW_DOWN = (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>')


class Cut(Exception):
    """The connection ends here, by plan or because one side is gone."""


class Stream:
    """What one side sends, by pieces."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def more(self):
        data = self.connection.recv(1 << 18)
        self.buffer += data
        return bool(data)

    def head(self):
        """All lines up to the empty one; nothing at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > 1 << 17 or not self.more():
                if self.buffer:
                    raise Cut
                return b""
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 1 << 16 or not self.more():
                raise Cut
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line + b"\r\n"

    def some(self, limit):
        if not self.buffer and not self.more():
            return b""
        data, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return data

    def waits(self):
        """Whether there is something to read, or the end."""
        return bool(self.buffer) or bool(select.select([self.connection], [], [], 0)[0])


def header(head, name):
    found = re.search(rb"\r\n" + name + rb":[ \t]*([^\r]*)", head, re.I)
    return found.group(1).strip().lower() if found else b""


def length(head):
    text = header(head, b"content-length")
    if text and not re.fullmatch(rb"\d{1,18}", text):
        raise Cut
    return int(text) if text else None


def body(stream, head, until_end=False):
    """The pieces of a body as they were sent, chunk sizes included."""
    if b"chunked" in header(head, b"transfer-encoding"):
        while True:
            line = stream.line()
            yield line
            size = re.match(rb"[0-9a-fA-F]{1,8}", line)
            if not size:
                raise Cut
            left = int(size.group(), 16)
            if left == 0:
                while line != b"\r\n":
                    line = stream.line()
                    yield line
                return
            left += 2
            while left:
                data = stream.some(left)
                if not data:
                    raise Cut
                left -= len(data)
                yield data
    left = length(head)
    if left is None and until_end:
        while data := stream.some(1 << 18):
            yield data
        raise Cut  # with it the connection ends
    while left:
        data = stream.some(left)
        if not data:
            raise Cut
        left -= len(data)
        yield data


class Conversation:
    """One connection of a client, with one to the server that is opened again where the server has closed it."""

    def __init__(self, plan, client, connect):
        self.plan, self.client, self.connect = plan, Stream(client), connect
        self.server = None

    def run(self):
        try:
            while head := self.client.head():
                self.request(head)
        except (Cut, OSError):
            pass
        for side in (self.client, self.server):
            if side:
                side.connection.close()

    def request(self, head):
        fate = self.plan.next()
        self.name, self.status = b" ".join(head.split(b"\r\n", 1)[0].split(b" ")[:2]).decode("latin-1"), "-"
        try:
            self.forward(head, fate)
        finally:
            self.plan.tell(fate, self.name, self.status)

    def forward(self, head, fate):
        expects = header(head, b"expect") == b"100-continue"
        if fate.what == "cut-before":
            raise Cut
        if fate.what == "silent":
            # What comes is taken, so that the client waits for the answer and not for room.
            self.client.connection.settimeout(0.05)
            self.plan.silence(self.client_gone)
            raise Cut
        if fate.what == "storm":
            return self.slow_down(head, expects, fate.retry_after)
        if self.server is None or self.server.waits():
            self.server = Stream(self.connect())
        self.server.connection.sendall(head)
        whole = length(head) or 0
        if not expects or self.goes_on(head, fate):
            self.send_body(head, whole // 2 if fate.what == "cut-within" and whole else None)
            self.answer(head, fate)

    def send_body(self, head, stop):
        """To the server; only so many bytes of it, and then the end, where there is a stop."""
        sent = 0
        for data in body(self.client, head):
            if stop is not None and sent + len(data) >= stop:
                self.server.connection.sendall(data[:stop - sent])
                raise Cut
            sent += len(data)
            try:
                self.server.connection.sendall(data)
            except OSError:
                return  # it may have answered and closed: that answer is still to be read

    def goes_on(self, head, fate):
        """With `Expect`: whether the body is to be sent. The client may send it without waiting, after a second of its own."""
        select.select([self.server.connection, self.client.connection], [], [], 60)
        if self.client.waits() and not self.server.waits():
            return True
        answer = self.server.head()
        if answer.split(b" ")[1:2] == [b"100"]:
            self.client.connection.sendall(answer)
            return True
        self.server.buffer = answer + self.server.buffer
        self.answer(head, fate)
        raise Cut  # nobody knows whether the body still comes

    def answer(self, request, fate):
        while True:
            head = self.server.head()
            if not head:
                raise Cut
            status = head.split(b" ")[1]
            if not status.startswith(b"1"):
                break
            self.pass_on(head, fate)
        without = request.startswith(b"HEAD ") or status in (b"204", b"304")
        stop = (length(head) or 0) // 2 if fate.what == "cut-within" else None
        if fate.what != "cut-after":
            self.status = status.decode("latin-1")
        self.pass_on(head, fate)
        sent = 0
        for data in () if without else body(self.server, head, until_end=True):
            if stop is not None and sent + len(data) >= stop:
                self.pass_on(data[:stop - sent], fate)
                break
            sent += len(data)
            self.pass_on(data, fate)
        if fate.what in ("cut-within", "cut-after") or header(head, b"connection") == b"close":
            raise Cut

    def pass_on(self, data, fate):
        if fate.what != "cut-after":
            self.client.connection.sendall(data)

    def slow_down(self, head, expects, retry_after):
        lines = [b"HTTP/1.1 503 Service Unavailable", b"Content-Type: application/xml", b"Content-Length: %d" % len(SLOW_DOWN)]
        if retry_after:
            lines.append(b"Retry-After: 1")
        if expects:
            lines.append(b"Connection: close")
        else:
            for _ in body(self.client, head):
                pass
        self.status = "503"
        self.client.connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head.startswith(b"HEAD ") else SLOW_DOWN))
        if expects:
            raise Cut

    def client_gone(self):
        try:
            while self.client.connection.recv(1 << 16):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True
