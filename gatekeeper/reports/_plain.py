"""Strings of a report as one line of visible characters. They may come from anywhere: file names, a stranger's pull request."""

from __future__ import annotations

import re
from functools import lru_cache

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\u061c\ufeff\ufffe\uffff\ud800-\udfff]"
    "|\x1b\\[[0-?]*[ -/]*[@-~]"
)
_ESCAPE = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")
_COMMAND = re.compile(r"(?<!\w):(?=:|$)|:(?=:(?!\w))|#(?=#\[)")
"""What a GitHub runner takes for a command: `::` at the start of a line, and the older `##[` anywhere in one. A name like
`std::string` is none."""
_LONG = re.compile(r"\S{61,}")
"""A word that a narrow terminal breaks, so that a line may start inside it."""
_ANYWHERE = re.compile(r":(?=:)")


def as_written(line: str) -> str:
    """A line of a file as it may be shown: its blanks stay where they are, and what cannot be seen does not stay unseen."""
    return _INVISIBLE.sub("\ufffd", line.rstrip("\r\n"))


@lru_cache(maxsize=4096)
def plain(text: str, limit: int = 600) -> str:
    """One line of visible characters: no control, direction or escape sequences, no lone surrogates."""
    if text.isprintable():  # as nearly every string is: none of its characters is invisible
        shown = " ".join(text.split())
    else:
        shown = _INVISIBLE.sub("\ufffd", " ".join(_ESCAPE.sub("", text).split()))
    if ":" in shown or "##[" in shown:
        shown = _COMMAND.sub("\\g<0>\u2060", shown)
        shown = _LONG.sub(lambda word: _ANYWHERE.sub(":\u2060", word[0]), shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
