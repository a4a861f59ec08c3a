"""GGUF files: a header that is true of the file, and chat templates that end."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.models.formats.gguf import templates
from gatekeeper.scans import _template
from gatekeeper.scans._base import Saw, Seen, Unscanned

DESCRIPTION = "`.gguf`: counts, sizes and places in the header, and chat templates."
ORDER = 10
RULES = _template.RULES


def takes(seen: Seen) -> bool:
    """By its mark, or its name."""
    return seen.content == "gguf" or seen.suffix == ".gguf"


def scan(seen: Seen) -> Iterator[Saw]:
    """The header, read whole; its lies are what reading it raises."""
    if seen.content != "gguf":
        raise Unscanned("it does not begin with GGUF: no model, or not a whole one")
    with seen.opened() as file:
        found = templates(file, seen.size)
    unread = [f"{key} has more than {_template.MAX_TEMPLATE >> 20} MB" for key, text in found.items() if not text]
    yield from _template.all_judged(((key, text) for key, text in found.items() if text), unread)
    if unread:
        raise Unscanned("; ".join(unread)[:400])
