"""Programs of gatekeeper's own that run beside a test."""

from __future__ import annotations

import contextlib

import psutil

LAUNCH = "launch.py"
"""What holds a program has its command line, too."""


def programs(module: str, pid: int | None = None) -> list[psutil.Process]:
    """Those of that module that this process, or another one, has started; what holds them is left out."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            words = child.cmdline()
            if module in " ".join(words) and not any(word.endswith(LAUNCH) for word in words):
                found.append(child)
    return found
