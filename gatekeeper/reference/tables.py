"""Tables inside pages that are written by hand.

One stands between `<!-- NAME: made by make schemas -->` and `<!-- end -->`; what lies around is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_MARKED = re.compile(r"(<!-- (\w+): made by make schemas -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: Path, tables: Mapping[str, Callable[[], str]]) -> str:
    """The text of a page, with its tables as they must be; `ValueError` where one has no place in it."""
    text = page.read_text(encoding="utf-8")
    if lost := tables.keys() - {match[2] for match in _MARKED.finditer(text)}:
        raise ValueError(f"{page}: has no place for {', '.join(sorted(lost))}")
    return _MARKED.sub(lambda match: f"{match[1]}\n{tables[match[2]]()}\n\n{match[3]}", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Text of one line in a table."""
    return text.replace("|", "\\|")
