"""A command that is killed at its n-th step: `python steps.py FOLDER N MARK gatekeeper-words...`.

A step is what the process is about to do to a file in FOLDER (open, rename, remove, make a folder), or to start another process.
It writes into MARK which step that was, and kills itself as the system would: nothing of it runs after that. Where it has fewer
steps it ends by itself, and there is no MARK. N of 0 lists every step in MARK.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

FILES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"}


def main() -> None:
    folder, least, mark = Path(sys.argv[1]).absolute(), int(sys.argv[2]), os.open(sys.argv[3], os.O_CREAT | os.O_WRONLY)
    count = 0

    def inside(value: object) -> bool:
        return isinstance(value, str | bytes | os.PathLike) and folder in (Path(os.fsdecode(value)).absolute() / "x").parents

    def hook(event: str, values: tuple[object, ...]) -> None:
        nonlocal count
        if event == "subprocess.Popen" or (event in FILES and any(inside(value) for value in values[:2])):
            count += 1
            if least in (0, count):
                os.write(mark, f"{event} {values[0]}\n".encode())
            if least == count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.argv[1:] = sys.argv[4:]
    sys.addaudithook(hook)
    from gatekeeper.cli._main import main as gatekeeper

    gatekeeper()


if __name__ == "__main__":
    main()
