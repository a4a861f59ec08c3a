"""From `file:line`, as a report has it, to a place inside a repository."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from pathlib import PurePosixPath

_PLACE = re.compile(r"(?P<file>.*?)(?::(?P<line>[0-9]{1,7}))?(?::[0-9]{1,7})?", re.ASCII | re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
DEFAULT_FILE = "edge_ai_pipeline.yaml"


@lru_cache(maxsize=4096)  # thousands of gates stand on a few lines
def place(where: str, pipeline: str, under: str = "") -> tuple[str, int | None]:
    """File, relative to the repository, and line; what has no place of its own is in the pipeline file.

    Paths are seen from the folder `under` of the repository. One that is absolute, or climbs out with `..`, says nothing of it:
    only its last part is kept.
    """
    match = _PLACE.fullmatch(where)
    file = _relative(match["file"], under) if match else ""
    line = int(match["line"]) if match and file and match["line"] else None
    return file or _relative(pipeline, under) or DEFAULT_FILE, line or None


def _relative(path: str, under: str) -> str:
    clean = _UNSEEN.sub("", path.replace("\\", "/"))
    clean = clean.strip()[:1000]
    if clean and under and not (clean.startswith("/") or _DRIVE.match(clean) or "://" in clean):
        clean = posixpath.normpath(f"{_relative(under, '')}/{clean}")
    parts = [part for part in clean.split("/") if part not in ("", ".")]
    if clean.startswith("/") or ".." in parts or _DRIVE.match(clean) or "://" in clean:
        parts = [part for part in parts[-1:] if part != ".."]
    return str(PurePosixPath(*parts)) if parts else ""
