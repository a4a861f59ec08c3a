"""Asks a library in a fresh interpreter: what it prints, crashes on or leaves in memory stays out of this process."""

from __future__ import annotations

import json
import subprocess
import sys
from tempfile import TemporaryFile
from typing import Any

from gatekeeper.measure.energy._base import Unreadable

TIMEOUT_S = 60.0


def ask(code: str) -> dict[str, Any]:
    """The object that the code prints as JSON in its last line; anything else is `Unreadable`."""
    command = [sys.executable, "-P", "-c", code]
    try:
        with TemporaryFile() as out, TemporaryFile() as err:  # pipes would wait for what the library has started, too
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=TIMEOUT_S, check=False)
            out.seek(0)
            err.seek(0)
            answer, said = out.read().splitlines(), err.read().decode("utf-8", "backslashreplace").split("\n")
    except subprocess.TimeoutExpired:
        raise Unreadable(f"it did not answer within {TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise Unreadable(f"no process could be started for it ({error.strerror})") from None
    if done.returncode < 0:
        raise Unreadable(f"it crashes here (signal {-done.returncode})")
    if done.returncode:
        last = next((line.strip() for line in reversed(said) if line.strip()), f"exit code {done.returncode}")
        raise Unreadable(f"it fails here ({last[:200]})")
    try:
        parsed = json.loads(answer[-1])
    except (ValueError, IndexError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Unreadable("its answer makes no sense")
    return parsed
