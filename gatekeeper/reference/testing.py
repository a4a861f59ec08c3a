"""docs/testing.md: its tables are made of the tests there are; what stands around them is written there by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekeeper.checks.integration import base as integration
from gatekeeper.checks.kinds._base import OFF, in_order, kind
from gatekeeper.checks.levels import Leveled
from gatekeeper.checks.security import base as security
from gatekeeper.checks.unit import base as unit
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(REPOSITORY / "docs" / "testing.md", TABLES)


def _kinds() -> str:
    rows = []
    for name in in_order():
        levels = ", ".join(f"`{level}`" for level in (OFF, *kind(name).LEVELS))
        gates = ", ".join(f"`{gate}`" for gate in gate_names() if tested_by(gate) == name)
        rows.append((f"`{name}`", levels, gates))
    return table(("key", "levels", "judged by"), rows)


def _unit_tests() -> str:
    return _tests("what it asks", unit.LEVELS, [unit.OPENS, *unit.all_cases().values()])


def _integration_tests() -> str:
    return _tests("what it asks", integration.LEVELS, [integration.READY, *integration.all_cases()])


def _security_tests() -> str:
    return _tests("what is sent", security.LEVELS, [security.SCAN, security.GOOD, *security.all_attacks()])


TABLES: dict[str, Callable[[], str]] = {
    "kinds": _kinds,
    "unit_tests": _unit_tests,
    "integration_tests": _integration_tests,
    "security_tests": _security_tests,
}


def _tests(asks: str, levels: Sequence[str], tests: Sequence[Leveled]) -> str:
    """Level by level, in the order in which they run."""
    ordered = sorted(tests, key=lambda test: levels.index(test.level))
    return table(("test", "level", "models", asks), [(f"`{t.name}`", t.level, t.models, _sentence(t.meaning)) for t in ordered])


def _sentence(meaning: str) -> str:
    return cell(meaning[:1].upper() + meaning[1:].removesuffix("."))
