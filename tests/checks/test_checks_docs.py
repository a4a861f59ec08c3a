"""docs/testing.md says what there is."""

from __future__ import annotations

import re

import pytest
from support import REPOSITORY

from gatekeeper.checks.plugin import OPTIONS
from gatekeeper.checks.security.run import FUZZED
from gatekeeper.checks.security.target import attacks
from gatekeeper.checks.unit.base import all_cases

PAGE = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]
LEVELS = {name: row.split("|")[2].strip() for row in ROWS for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("name", all_cases())
def test_every_contract_test_is_explained(name: str) -> None:
    assert LEVELS[name] == all_cases()[name].level


@pytest.mark.parametrize("attack", attacks("comprehensive", text=True), ids=lambda attack: attack.name)
def test_every_attack_is_explained(attack: object) -> None:
    assert LEVELS[attack.name] == attack.level  # type: ignore[attr-defined]


def test_the_rest_is_explained() -> None:
    assert {LEVELS[name] for name in FUZZED.values()} == {"comprehensive"}
    assert {"artifact", "baseline", "framework", "inputs", "threads", "device"} <= {
        n for n in OPTIONS if f"--gatekeeper-{n}" in PAGE
    }
