"""A command that is killed at its n-th step: `python steps.py FOLDER N MARK gatekeeper-words...`.

A step is what the process is about to do to a file in FOLDER (open, rename, remove, make a folder), or to start another process.
It writes into MARK which step that was, and kills itself as the system would: nothing of it runs after that. Where it has fewer
steps it ends by itself, and there is no MARK. N of 0 lists every step in MARK.

`python steps.py --each FOLDER PLACE gatekeeper-words...` does that at every step, each in a copy of PLACE beside it, and prints a
line for each: how the process ended (0, or the signal below zero), and which step that was, nothing at the end. All of them are
forks of one that has imported everything: starting anew takes longer than most of what is run.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

PRELOADED = ("numpy", "rich.console", "rich.table", "gatekeeper.cli._main", "gatekeeper.cli.run", "gatekeeper.pipeline")
FILES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"}


def main() -> None:
    if sys.argv[1] == "--each":
        each(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        run(Path(sys.argv[1]).absolute(), int(sys.argv[2]), sys.argv[3], sys.argv[4:])


def each(folder: str, place: Path, words: list[str]) -> None:
    """The command killed at one step after the other, until there is none."""
    for name in PRELOADED:
        import_module(name)
    step, reached = 1, "first"
    while reached:
        here = Path(shutil.copytree(place, place.with_name(f"step-{step}")))
        if not (child := os.fork()):
            os.chdir(here)
            log = os.open("log", os.O_CREAT | os.O_WRONLY)
            os.dup2(log, 1)
            os.dup2(log, 2)
            run(Path(folder).absolute(), step, "mark", words)
        _, status = os.waitpid(child, 0)
        reached = (here / "mark").read_text().strip()
        print(os.waitstatus_to_exitcode(status), reached, flush=True)
        step += 1


def run(folder: Path, least: int, place: str, words: list[str]) -> NoReturn:
    """The command in this process, killed at that step."""
    mark, count = os.open(place, os.O_CREAT | os.O_WRONLY), 0

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

    sys.argv[1:] = words
    sys.addaudithook(hook)
    from gatekeeper.cli._main import main as gatekeeper

    code: object = 70
    try:
        gatekeeper()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
