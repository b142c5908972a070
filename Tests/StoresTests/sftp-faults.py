#!/usr/bin/python3
"""An SFTP server with one fault: passes packets to OpenSSH's and back, one request at a time.

    sftp-faults.py MARKER MODE NUMBER SERVER...

The fault comes at the request of this NUMBER, from 1 on (the greeting is the first), in the first process that finds the file MARKER,
which it removes; all others pass everything. MODE:
    before   the server ends before the request reaches it
    after    it has done what was asked, ends, and the answer is lost
    partly   half of the request reaches it
    freeze   the server stops, and nothing more comes
    say:HEX  these bytes come instead of the answer
    record:FILE  no fault: all answers are written to FILE

    sftp-faults.py replay FILE COUNT [PLACE VALUE]

Answers each request with the next of the recorded packets, whatever it asks for, until COUNT bytes have been sent; the byte at PLACE is
replaced by VALUE.
"""
import os
import signal
import struct
import subprocess
import sys
import threading


def packet(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(struct.unpack(">I", head)[0])
    return head + body


def say(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def replay(file, count, place=-1, value=0):
    data = bytearray(open(file, "rb").read())
    starts, at = [], 0
    while at < len(data):
        starts.append(at)
        at += 4 + struct.unpack(">I", data[at:at + 4])[0]
    starts.append(len(data))
    if int(place) >= 0:
        data[int(place)] = int(value)
    for begin, end in zip(starts, starts[1:]):
        if packet(sys.stdin.buffer) is None:
            return
        say(data[begin:min(end, int(count))])
        if end >= int(count):
            return
    sys.stdin.buffer.read()


def main(marker, mode, number, *server):
    try:
        os.unlink(marker + ".armed")
    except FileNotFoundError:
        number = 0
    child = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    record = open(mode[7:], "wb") if mode.startswith("record:") else None
    lost = threading.Event()
    # Requests that have been passed on, and what becomes of their answers.
    answers = []
    ready = threading.Condition()

    def back():
        while True:
            with ready:
                while not answers:
                    ready.wait()
                what = answers.pop(0)
            answer = packet(child.stdout)
            if what == "lose" or answer is None:
                os._exit(0)
            if record:
                record.write(answer)
                record.flush()
            say(answer)

    threading.Thread(target=back, daemon=True).start()
    count = 0
    while True:
        request = packet(sys.stdin.buffer)
        if request is None:
            os._exit(0)
        count += 1
        if count == int(number):
            open(marker + ".done", "w").close()
            if mode == "before":
                # What was asked for before has been done and answered.
                child.stdin.close()
                child.wait()
                os._exit(0)
            if mode == "partly":
                child.stdin.write(request[:len(request) // 2])
                child.stdin.close()
                child.wait()
                os._exit(0)
            if mode == "freeze":
                child.send_signal(signal.SIGSTOP)
            if mode.startswith("say:"):
                say(bytes.fromhex(mode[4:]))
                continue
        child.stdin.write(request)
        child.stdin.flush()
        with ready:
            answers.append("lose" if count == int(number) and mode == "after" else "pass")
            ready.notify()


if sys.argv[1] == "replay":
    replay(*sys.argv[2:])
else:
    main(*sys.argv[1:])
