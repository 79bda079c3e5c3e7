"""Become a program that dies with its parent: `python -I launch.py PARENT UID GID PROGRAM ARGUMENT...`.

Runs before anything of evenkeel is imported, in a process of its own, because code between fork and exec may hang in
a program with threads. UID -1 keeps the user. The order matters: a change of user clears the death signal.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Drop to the user, tie the own life to the parent's, and become the program."""
    parent, uid, gid = (int(value) for value in arguments[:3])
    program = arguments[3:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        # SIGINT is PostgreSQL's fast shutdown: open transactions roll back and nothing is left to recover.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGINT) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:  # it died before the signal was set
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
