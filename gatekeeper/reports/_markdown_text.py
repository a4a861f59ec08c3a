"""Strings of a report as Markdown in which nothing of them is live; and the sizes that GitHub allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from gatekeeper.reports._plain import plain

JOINER = "\u2060"
"""Takes no room and is no letter: what it stands in is no mention, reference or address any more."""

_LIVE = re.compile(r"(?i)@|\$|#(?=\w)|gh-(?=\d)|:(?=//)|(?:www|mailto|xmpp)(?=[.:])")
_BLOCK = re.compile(r"^(?=[-+=](?:[-+=\s]|$)|\d+[.)](?:\s|$))")
_MARKUP = re.compile(r"[\\`*_\[\]#|~]")
_ANYTHING = re.compile(f"[&<>]|{_MARKUP.pattern}|{_BLOCK.pattern}|(?:{_LIVE.pattern.removeprefix('(?i)')})", re.IGNORECASE)
"""Whether anything in a text is Markdown at all."""


def row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], rows: Iterable[str]) -> list[str]:
    """The lines of a table."""
    return [row(head), row(["---"] * len(head)), *rows]


@lru_cache(maxsize=4096)
def code(text: str, limit: int = 120) -> str:
    """A code span: nothing in it is live. Backticks and pipes cannot leave it, nor can it pose as a hidden marker."""
    shown = _in_code(plain(text, limit)).replace("|", "\\|")
    return f"`{shown or ' '}`"


@lru_cache(maxsize=4096)
def text(text: str, limit: int = 600) -> str:
    """Prose in which no markup, link, image, mention, formula or HTML of the text itself is live."""
    shown = plain(text, limit)
    if not _ANYTHING.search(shown):  # as in most numbers, and plain words
        return shown
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _LIVE.sub(f"\\g<0>{JOINER}", _BLOCK.sub(JOINER, shown)).replace("$", f"{JOINER}$")
    return _MARKUP.sub(r"\\\g<0>", shown)


def fence(content: str, language: str = "") -> str:
    """A block of code, of one line or many, that its content cannot leave."""
    return f"```{language}\n{_in_code(content)}\n```"


def _in_code(content: str) -> str:
    return content.replace("`", "'").replace("<!", f"<{JOINER}!")


def folded(title: str, lines: Iterable[str]) -> str:
    """A part that opens on a click; `title` is Markdown."""
    return "\n".join([f"<details><summary>{title}</summary>\n", *lines, "\n</details>"])


def size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode())


def some(lines: Sequence[str], room: int) -> tuple[list[str], int]:
    """The first lines that fit into so many bytes, and how many that leaves out."""
    kept = 0
    for line in lines:
        room -= size(line) + 1
        if room < 0:
            break
        kept += 1
    return list(lines[:kept]), len(lines) - kept
