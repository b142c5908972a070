#!/usr/bin/env python3
"""Types lines into a real shell on a terminal, each with the Tab key behind it, and prints the words that each line then has.

    type-in-shell.py bash|bash-completion|zsh|fish LINE…

The words of a line are printed as <word><word>, by the shell itself: its beginning gets a printf. `|` in a line is where the cursor is moved
back to before Tab is pressed.
"""
import os
import pty
import re
import select
import sys
import time

PROMPT = "ready>"
START = {
    "bash": (["bash", "--norc", "--noprofile"], "source <(holdfast --generate-completion-script bash); PS1='{}'"),
    "bash-completion": (
        ["bash", "--norc", "--noprofile"],
        "source /usr/share/bash-completion/bash_completion; source <(holdfast --generate-completion-script bash); PS1='{}'"),
    "zsh": (["zsh", "-f"], "autoload -Uz compinit; compinit -D; source <(holdfast --generate-completion-script zsh); "
            "bindkey -e; unsetopt PROMPT_SP; PROMPT='{}'"),
    "fish": (["fish", "--no-config", "--private"], "holdfast --generate-completion-script fish | source; "
             "function fish_prompt; echo -n '{}'; end; set fish_autosuggestion_enabled 0"),
}


class Shell:
    def __init__(self, kind):
        arguments, begin = START[kind]
        process, self.terminal = pty.fork()
        if process == 0:
            os.environ.update(TERM="vt100" if kind != "fish" else "dumb", COLUMNS="200", LC_ALL="C.UTF-8")
            os.execvp(arguments[0], arguments)
        time.sleep(1 if kind == "fish" else 0.3)
        # In two pieces, so that what is typed, and shown, is no prompt yet.
        self.type(begin.replace("{}", PROMPT[:3] + "''" + PROMPT[3:]) + "\r")
        self.read(lambda shown: PROMPT in shown)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, is_done, limit=120.0):
        """What is shown until that is done."""
        shown, end = "", time.time() + limit
        while time.time() < end and not is_done(shown):
            ready = select.select([self.terminal], [], [], end - time.time())[0]
            if not ready:
                break
            try:
                shown += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                break
        return shown

    def words(self, line):
        before, _, after = line.partition("|")
        # A shell takes one key after the other: what comes behind Tab waits for the answer.
        self.type(before + after + "\x02" * len(after) + "\t\x01printf '<%s>' \x05; printf '\\101\\n'\r")
        shown = self.read(lambda shown: re.search(r">A\s", shown) is not None)
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()>=].?", "", shown).replace("\r", "\n")
        found = re.findall(r"^(<.*>)A$", shown, re.M)
        if not found:
            sys.exit(f"{line}: nothing was run: {shown[-300:]!r}")
        return found[-1]


def main():
    shell = Shell(sys.argv[1])
    for line in sys.argv[2:]:
        print(shell.words(line), flush=True)


main()
