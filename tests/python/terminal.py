"""A person at a terminal, for a program that asks.

    terminal.py PROGRAM ARGUMENT... < PLAY

A line of the play is `expect TEXT`, which waits until the program has printed it since the last one, or `type TEXT`. Ends when the
program does; prints all that it printed. Exit codes: 0 the play was played, 1 a text did not come.
"""

import os
import pty
import select
import sys
import time

PATIENCE = 25


def main():
    play = [line.split(" ", 1) for line in sys.stdin.read().splitlines() if line]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    said, seen = "", 0
    wanted = None

    def more(until):
        nonlocal said
        ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(terminal, 65536)
        except OSError:
            return False
        said += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    for what, text in play:
        if what == "type":
            os.write(terminal, text.encode() + b"\n")
            continue
        until = time.monotonic() + PATIENCE
        while text not in said[seen:]:
            if not more(until):
                wanted = text
                break
        if wanted is not None:
            break
        seen = said.index(text, seen) + len(text)
    if wanted is not None:
        os.kill(child, 9)
    while more(time.monotonic() + PATIENCE):
        pass
    os.waitpid(child, 0)
    print(said)
    if wanted is not None:
        print(f"not printed: {wanted!r}")
    return 1 if wanted is not None else 0


if __name__ == "__main__":
    sys.exit(main())
