"""What a child process does first of all."""

from __future__ import annotations

import os
import sys
from typing import IO


def begin() -> IO[bytes]:
    """Die with the parent, and keep what is printed apart from what is answered: the stream for answers.

    It is what was standard output; anything that a framework prints goes to standard error instead, and cannot be mistaken for
    an answer.
    """
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even while it is suspended.

    The first argument is the parent's process id: it may have died before this process could ask for its own.
    """
    if sys.platform == "linux":
        import ctypes
        import signal

        parent = int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
