"""Whether a name that a file gives of another one stays in the model's folder."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

HUB = re.compile(r"[0-9a-f]{40,64}")
"""What the Hugging Face Hub's cache calls a file: its digest. A snapshot there is a folder of links to such files."""


def lies_inside(root: Path, folder: Path, name: str) -> str:
    """Why a file of that name, as it is named in `folder`, is none of the model in `root`; empty where it is one."""
    if not name or "\0" in name or len(name) > 4096:
        return "is no name of a file"
    if Path(name).is_absolute() or PureWindowsPath(name).drive or name.startswith(("/", "\\", "~")) or "://" in name:
        return "is no name beside the model"
    if ".." in re.split(r"[/\\]", name):
        return "leads out of the folder"
    try:
        return leads_out(root, folder / name)
    except (OSError, ValueError, RuntimeError):
        return "is no name of a file"


def leads_out(root: Path, path: Path) -> str:
    """Why a path that is there leads out of the folder through a link; empty where it does not."""
    here, end = root.resolve(), path.resolve()
    if end.is_relative_to(here) or _in_the_hub(root, end):
        return ""
    return f"is a link to {end}"


def _in_the_hub(root: Path, end: Path) -> bool:
    """Whether a link leads from a snapshot to the files of the same repository in the Hub's cache."""
    folders = [root.absolute(), *root.absolute().parents]
    for folder in folders[:8]:
        if folder.parent.name == "snapshots" and HUB.fullmatch(end.name):
            return end.parent == (folder.parent.parent / "blobs").resolve()
    return False
