"""Bytes on their way: one direction of a connection, with its delay and its rate. It knows nothing of what the bytes mean."""
import collections
import os
import socket
import threading
import time

ROOM = 32 << 20  # so much is on the way at most


class Line:
    """From `read(size)` to `write(bytes)`. At the end of what is read: `end()`; when nobody takes it any more: `broken()`."""

    def __init__(self, plan, pace, read, write, end, broken):
        self.plan, self.pace = plan, pace
        self.read, self.write, self.end, self.broken = read, write, end, broken
        self.waiting, self.size, self.idle, self.failed = collections.deque(), 0, True, False
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=one, daemon=True) for one in (self._fill, self._drain)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def _fill(self):
        while True:
            try:
                data = self.read(16384 if self.plan.now().rate else 1 << 18)
            except OSError:
                data = b""
            now, options = time.monotonic(), self.plan.now()
            due = self.pace.leave(len(data), now, options.rate) + options.delay / 1000
            with self.changed:
                if data and due <= now and self.idle and not self.waiting and not options.hold:
                    # Nothing to wait for, and nothing before it: without the other thread.
                    self._put(data)
                else:
                    self.waiting.append((due, data))
                    self.size += len(data)
                    self.changed.notify_all()
                    while self.size > ROOM and not self.failed:
                        self.changed.wait()
                if self.failed:
                    return
            if not data:
                return

    def _put(self, data):
        try:
            self.write(data)
        except OSError:
            self.failed = True
            self.broken()

    def _drain(self):
        while True:
            with self.changed:
                while not self.waiting:
                    if self.failed:
                        return
                    self.changed.wait(1)
                self.idle = False
                due, data = self.waiting.popleft()
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            while self.plan.now().hold and not self.failed:
                time.sleep(0.06)
            if data:
                self._put(data)
            with self.changed:
                self.idle, self.size = True, self.size - len(data)
                self.changed.notify_all()
            if self.failed:
                return
            if not data:
                self.end()
                return


def shut(connection, how):
    try:
        connection.shutdown(how)
    except OSError:
        pass  # the other side was quicker


def between(plan, client, server):
    """Both directions between two sockets, until both have ended. The server's end is the end of both, the client's of one."""
    def all():
        shut(client, socket.SHUT_RDWR)
        shut(server, socket.SHUT_RDWR)
    up = Line(plan, plan.up, client.recv, server.sendall, lambda: shut(server, socket.SHUT_WR), all)
    down = Line(plan, plan.down, server.recv, client.sendall, all, all)
    for line in (up, down):
        line.start()
    for line in (up, down):
        line.join()
    client.close()
    server.close()


def write_all(descriptor):
    def write(data):
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left):]
    return write
