"""docs/testing.md says what there is; that its tables are up to date is for tests/test_docs.py."""

from __future__ import annotations

import re

import pytest
from kit.support import REPOSITORY

from gatekeeper.checks.integration.base import READY
from gatekeeper.checks.integration.base import all_cases as integration_cases
from gatekeeper.checks.kinds._base import in_order, kind
from gatekeeper.checks.levels import Leveled
from gatekeeper.checks.plugin import OPTIONS
from gatekeeper.checks.security.attacks import texts
from gatekeeper.checks.security.base import GOOD, SCAN, Attack, all_attacks
from gatekeeper.checks.security.victim import Victim
from gatekeeper.checks.unit.base import OPENS, all_cases
from gatekeeper.reference.testing import TABLES, page

TEXT = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
TESTS: dict[str, list[Leveled]] = {
    "unit_tests": [OPENS, *all_cases().values()],
    "integration_tests": [READY, *integration_cases()],
    "security_tests": [SCAN, GOOD, *all_attacks()],
}


def table(name: str) -> str:
    (found,) = re.findall(rf"<!-- {name}: made by make schemas -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_once_on_the_page(name: str) -> None:
    assert table(name).strip()


@pytest.mark.parametrize("name", TESTS)
def test_every_test_is_explained_at_its_level(name: str) -> None:
    rows = {cells[1].strip(" `"): cells for row in table(name).splitlines() if len(cells := row.split("|")) == 6}
    for test in TESTS[name]:
        assert test.name in rows
        assert [cell.strip() for cell in rows[test.name][2:4]] == [test.level, test.models]
        assert len(rows[test.name][4].split()) > 3


def test_a_new_test_is_on_the_page_without_another_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def gibberish(victim: Victim) -> int:
        """Texts | without end."""
        return 1

    assert "gibberish" not in page()
    monkeypatch.setattr(texts, "ATTACKS", (*texts.ATTACKS, Attack("gibberish", "basic", gibberish, models="text")))
    assert "| `gibberish` | basic | text | Texts \\| without end |\n" in page()


def test_every_kind_of_check_is_listed() -> None:
    for name in in_order():
        assert f"| `{name}` | `off`, {', '.join(f'`{level}`' for level in kind(name).LEVELS)} |" in table("kinds")


@pytest.mark.parametrize("name", TESTS)
def test_the_reference_points_at_the_page_and_lists_no_test(name: str) -> None:
    """A list there could not have what a plugin adds."""
    said = kind(name).DESCRIPTION
    assert said.endswith("docs/testing.md.")
    assert not {test.name for test in TESTS[name] if "_" in test.name} & set(re.findall(r"\w+", said))
    assert {f"`{level}`: " for level in kind(name).LEVELS} <= set(re.findall(r"`\w+`: ", said))


def test_the_options_of_the_pytest_plugin_are_explained() -> None:
    assert {"artifact", "baseline", "framework", "inputs", "threads", "device"} <= {
        n for n in OPTIONS if f"--gatekeeper-{n}" in TEXT
    }
