"""docs/testing.md: its tables are made of the tests there are; what stands around them is written there by hand.

A table stands between `<!-- NAME: made by make schemas -->` and `<!-- end -->`; its name is one of TABLES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gatekeeper.checks.integration import base as integration
from gatekeeper.checks.kinds._base import OFF, in_order, kind
from gatekeeper.checks.levels import Leveled
from gatekeeper.checks.security import base as security
from gatekeeper.checks.unit import base as unit
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
_MARKED = re.compile(r"(<!-- (\w+): made by make schemas -->\n\n).*?(\n<!-- end -->)", re.DOTALL)


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return _MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", PAGE.read_text(encoding="utf-8"))


def _kinds() -> str:
    rows = []
    for name in in_order():
        levels = ", ".join(f"`{level}`" for level in (OFF, *kind(name).LEVELS))
        gates = ", ".join(f"`{gate}`" for gate in gate_names() if tested_by(gate) == name)
        rows.append((f"`{name}`", levels, gates))
    return _table(("key", "levels", "judged by"), rows)


def _unit_tests() -> str:
    return _tests("what it asks", unit.LEVELS, [unit.OPENS, *unit.all_cases().values()])


def _integration_tests() -> str:
    return _tests("what it asks", integration.LEVELS, [integration.READY, *integration.all_cases()])


def _security_tests() -> str:
    return _tests("what is sent", security.LEVELS, [security.GOOD, *security.all_attacks()])


TABLES: dict[str, Callable[[], str]] = {
    "kinds": _kinds,
    "unit_tests": _unit_tests,
    "integration_tests": _integration_tests,
    "security_tests": _security_tests,
}


def _tests(asks: str, levels: Sequence[str], tests: Sequence[Leveled]) -> str:
    """Level by level, in the order in which they run."""
    ordered = sorted(tests, key=lambda test: levels.index(test.level))
    return _table(("test", "level", "models", asks), [(f"`{t.name}`", t.level, t.models, _cell(t.meaning)) for t in ordered])


def _cell(meaning: str) -> str:
    return (meaning[:1].upper() + meaning[1:].removesuffix(".")).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
