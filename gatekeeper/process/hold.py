"""Whether this system can hold a program that may be hostile, and how one is started held (see gatekeeper/process/launch.py).

What a user's own code runs in (a loader, a metric, its tests) is a worker: held, it reads no other process's memory or
environment, writes only into its scratch folder and what it is given beside it, has no network, and leaves nothing running.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatekeeper.process.scratch import scratch_folder

SWITCH = "GATEKEEPER_ISOLATION"
"""Set to `off` it starts workers as any other program."""
LAUNCH = Path(__file__).with_name("launch.py")
NAMESPACES = "namespaces"
"""What holds a program on Linux, as reports name it: namespaces of its own (gatekeeper/process/launch.py)."""
PROBE_S = 20.0


@dataclass(frozen=True)
class Room:
    """What a held program may do: the folders it may write into, the first of which it begins in, and the files and folders that
    it finds empty, but for those folders, and others within them that it may read.
    """

    folders: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()
    network: bool = False


def reaching(scratch: Path) -> Room:
    """The room of what talks to a server on this machine. It shares the machine's network, so no user's code runs in it."""
    return Room((scratch,), network=True)


def held(command: list[str], room: Room) -> list[str]:
    """The command line that starts another one held."""
    options = [f"--folder={folder.resolve()}" for folder in room.folders]
    options += [f"--shown={folder.resolve()}" for folder in room.shown]
    options += [f"--hidden={file.resolve()}" for file in room.hidden if file.exists()]
    options += ["--network"] if room.network else []
    return [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *options, "--", *command]


def unheld() -> str:
    """Why programs are not held here, as the end of a sentence; empty where they are."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return f"{SWITCH} is off"
    if sys.platform != "linux":
        return f"{sys.platform} offers nothing that a program could be held by; Linux does"
    return _refused()


def hold() -> str:
    """What programs are held by here; empty where nothing does."""
    return "" if unheld() else NAMESPACES


@cache
def _refused() -> str:
    """Why this Linux does not let a user make namespaces, by trying; empty where it does."""
    with scratch_folder() as folder:
        try:
            tried = subprocess.run(
                held(["/bin/true"], Room((folder,))), cwd=folder, capture_output=True, timeout=PROBE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"namespaces could not be tried: {error}"
    if tried.returncode == 0:
        return ""
    said = tried.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"this system gives a user no namespaces ({said[-1].rpartition(': ')[2] if said else 'it does not say why'})"
