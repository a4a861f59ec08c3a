"""Git submodules that are not checked out: what lies in them is not there, though nobody has forgotten it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_PATH = re.compile(r"""\s*path\s*=\s*"?(.+?)"?\s*""")


def left_out(path: Path) -> str | None:
    """What to say of a path in a submodule that is not checked out; None of every other path."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  links stay: a folder in the repository may be one
    for folder in (whole, *whole.parents):
        for name in _paths(folder / ".gitmodules"):
            if whole.is_relative_to(folder / name) and _empty(folder / name):
                return (
                    f"{path} lies in the git submodule {name}, which is not checked out. Run `git submodule update --init "
                    "--recursive`, or in a workflow pass `submodules: recursive` (to gate.yml, or to actions/checkout)."
                )
        if _there(folder / ".git"):
            return None
    return None


def _paths(modules: Path) -> list[str]:
    try:
        lines = modules.read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return []
    return [found[1] for line in lines if (found := _PATH.fullmatch(line))]


def _empty(folder: Path) -> bool:
    """Whether git has left nothing there but the folder, or not even that."""
    try:
        return not any(folder.iterdir())
    except (OSError, ValueError):
        return not _there(folder)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
