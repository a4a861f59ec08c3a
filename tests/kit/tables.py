"""Tables that benchmarks write into docs/verdicts.md, between `<!-- table: NAME -->` and `<!-- end: NAME -->`.

GATEKEEPER_BENCH_RACES=3 shrinks the benchmarks of real workers for a quick look; only full sizes are written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from kit.support import REPOSITORY

PAGE = REPOSITORY / "docs/verdicts.md"
SIZE = os.environ.get("GATEKEEPER_BENCH_RACES")


def races(full: int) -> int:
    """How many races to run: `full`, or what the environment says."""
    return int(SIZE) if SIZE else full


def render(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_table(name: str, text: str, page: Path = PAGE) -> None:
    """Print a table, and at full size put it between its markers on the page."""
    print(f"\n{text}")
    if SIZE is None:
        page.write_text(replaced(page.read_text(), name, text, page))


def replaced(content: str, name: str, text: str, page: Path = PAGE) -> str:
    """The content with `text` between the markers of `name`."""
    start, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = content.partition(start)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise LookupError(f"{page} has no lines '{start.strip()}' and '{end}', in this order. Add them where the table belongs.")
    return f"{before}{start}\n{text.strip()}\n\n{end}{after}"
