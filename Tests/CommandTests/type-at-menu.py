#!/usr/bin/env python3
"""Sits at a terminal before `holdfast menu`: waits for what is asked, types an answer, and prints all that was shown.

    type-at-menu.py WORD… -- STEP…

WORD… is the command line. A STEP is `TEXT=>ANSWER`: once TEXT was shown, behind what the step before waited for, ANSWER is typed, and Enter. In an
answer `\\xNN` is that byte, `^C` and `^D` alone are those keys, and `!COMMAND` is run by a shell instead; `#WORDS` is the number of the
choice that begins with them. `TEXT` alone is waited for, and
nothing is typed. Then the program has to end by itself; the last line is its status. What does not come within $MENU_LIMIT seconds ends it all
with status 99.
"""
import os
import pty
import re
import select
import subprocess
import sys
import time

LIMIT = float(os.environ.get("MENU_LIMIT", 120))


class Menu:
    def __init__(self, words):
        self.shown, self.seen = "", 0
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.environ.setdefault("TERM", "xterm")
            # Nothing of it belongs to the machine that it is tried on.
            os.environ.setdefault("HOLDFAST_STATE", os.path.join(os.getcwd(), "state"))
            os.execvp(words[0], words)

    def read(self, end):
        ready = select.select([self.terminal], [], [], max(0.0, end - time.time()))[0]
        if not ready:
            return False
        try:
            bytes = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.shown += bytes.decode(errors="replace").replace("\r\n", "\n")
        return bool(bytes)

    def wait_for(self, text):
        end = time.time() + LIMIT
        # A line may have been broken between any two words.
        pattern = re.compile(r"\s+".join(map(re.escape, text.split(" "))))
        while (found := pattern.search(self.shown, self.seen)) is None:
            if not self.read(end):
                print(self.shown, f"\nNOT SEEN: {text}", sep="")
                os.kill(self.process, 9)
                sys.exit(99)
        self.seen = found.end()

    def number_of(self, words):
        # All choices stand there once it waits for one.
        self.wait_for("\n> ")
        return re.findall(rf"^ *(\d+) {re.escape(words)}", self.shown, re.MULTILINE)[-1]

    def type(self, answer):
        if answer.startswith("#"):
            answer = self.number_of(answer[1:])
        if answer.startswith("!"):
            subprocess.run(["bash", "-c", answer[1:]], check=False)
        elif answer in ("^C", "^D"):
            os.write(self.terminal, bytes([ord(answer[1]) - 64]))
        else:
            raw = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), answer.encode())
            os.write(self.terminal, raw + b"\r")

    def finish(self):
        end = time.time() + LIMIT
        while self.read(end):
            pass
        # One that does not end by itself hears of it, and fails what is asked of its status.
        while (ended := os.waitpid(self.process, os.WNOHANG))[0] == 0:
            if time.time() > end:
                os.kill(self.process, 9)
                end += LIMIT
            time.sleep(0.02)
        status = os.waitstatus_to_exitcode(ended[1])
        print(self.shown, f"\nstatus {status}", sep="")


def main():
    middle = sys.argv.index("--")
    menu = Menu(sys.argv[1:middle])
    for step in sys.argv[middle + 1:]:
        text, arrow, answer = step.partition("=>")
        menu.wait_for(text)
        if arrow:
            menu.type(answer)
    menu.finish()


main()
