"""docs/testing.md says what there is."""

from __future__ import annotations

import re
from typing import get_type_hints

import pytest
from kit.support import REPOSITORY

from gatekeeper.checks.plugin import OPTIONS
from gatekeeper.checks.security.run import FUZZED
from gatekeeper.checks.security.target import attacks
from gatekeeper.checks.unit.base import all_cases, cases
from gatekeeper.config.types import Testing

TESTING = get_type_hints(Testing, include_extras=True)
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


def levels_of(kind: str) -> dict[str, set[str]]:
    """The words that the pipeline reference has for each level of a kind of tests."""
    said = TESTING[kind].__metadata__[0].description
    parts = re.split(r"`(\w+)`: ", said.partition(" Both: ")[0])
    return {level: set(re.findall(r"[a-z]+(?:_[a-z]+)*", words)) for level, words in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize("text", [False, True])
def test_the_reference_names_every_contract_test_at_its_level(text: bool) -> None:
    said = levels_of("unit_tests")
    basic = {case.name for case in cases("basic", text)}
    assert basic <= said["basic"]
    assert {case.name for case in cases("comprehensive", text)} - basic <= said["comprehensive"]
    assert not said["comprehensive"] & {case.name for case in all_cases().values() if case.level == "basic"}
    assert not said["basic"] & {case.name for case in all_cases().values() if case.level == "comprehensive"}


def test_the_reference_names_every_attack_that_only_the_deeper_level_has() -> None:
    basic = {attack.name for attack in attacks("basic", text=True)}
    more = {attack.name for attack in attacks("comprehensive", text=True)} - basic
    assert more | {*FUZZED.values()} <= levels_of("security_tests")["comprehensive"]


def test_the_reference_names_every_integration_test() -> None:
    """Those of the table in docs/testing.md, which test_checks_integration.py runs."""
    said, own = levels_of("integration_tests"), {"smoke", "full_pipeline"}
    named = {name: level for name, level in LEVELS.items() if level in own}
    assert len(named) > 8
    for name, level in named.items():
        assert name in said[level], name
