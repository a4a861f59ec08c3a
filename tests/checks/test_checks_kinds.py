"""What holds for every kind of check, and for every test that lies in a folder of one."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from gatekeeper.checks.integration import base as integration
from gatekeeper.checks.kinds._base import OFF, in_order, kind
from gatekeeper.checks.levels import First, Leveled, of_level
from gatekeeper.checks.security import base as security
from gatekeeper.checks.unit import base as unit
from gatekeeper.gates._base import gate, names
from gatekeeper.gates._base import tested_by as measured_by

FOLDERS: dict[str, list[Leveled]] = {
    "unit_tests": [unit.OPENS, *unit.all_cases().values()],
    "integration_tests": [integration.READY, *integration.all_cases()],
    "security_tests": [security.SCAN, security.GOOD, *security.all_attacks()],
}


def test_they_run_from_the_cheap_to_the_dear() -> None:
    assert in_order() == ["unit_tests", "integration_tests", "load_tests", "security_tests"]
    assert [name for name in in_order() if not kind(name).SERVER] == ["unit_tests"]


@pytest.mark.parametrize("name", in_order())
def test_a_kind_has_the_documented_shape(name: str) -> None:
    found = kind(name)
    assert found.DESCRIPTION.endswith(".")
    assert found.TITLE
    assert len(found.LEVELS) == len(set(found.LEVELS)) > 1
    assert OFF not in found.LEVELS
    assert callable(found.run)
    for key, (form, default) in getattr(found, "KEYS", {}).items():
        schema = msgspec.json.schema(form)
        assert schema.get("description"), key
        msgspec.convert(msgspec.to_builtins(default), form)


@pytest.mark.parametrize("name", in_order())
def test_each_is_judged_by_a_gate(name: str) -> None:
    judges = [each for each in names() if measured_by(each) == name]
    assert judges
    if kind(name).GATE is not None:
        assert judges == [name]
        assert gate(name) is kind(name).GATE


def test_no_two_kinds_share_a_key() -> None:
    keys = [key for name in in_order() for key in (name, *getattr(kind(name), "KEYS", {}))]
    assert len(keys) == len(set(keys))


def test_asking_the_kinds_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom gatekeeper.gates._base import names, gate\n[gate(name) for name in names()]\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'numpy', 'scipy', 'psutil', 'http', 'pytest', 'asyncio'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", FOLDERS)
def test_every_test_has_a_name_of_its_own_and_a_level_of_its_kind(name: str) -> None:
    found = FOLDERS[name]
    assert len({test.name for test in found}) == len(found)
    assert {test.level for test in found} == set(kind(name).LEVELS)
    assert all(test.models in ("all", "tensors", "text") and test.meaning for test in found)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("text", [False, True])
def test_a_deeper_level_has_all_of_the_one_before(name: str, text: bool) -> None:
    levels = kind(name).LEVELS
    shallow, deep = ([t.name for t in of_level(FOLDERS[name], levels, level, text)] for level in levels)
    assert set(shallow) < set(deep)
    assert shallow == [each for each in deep if each in shallow], "in the same order"


def test_a_test_that_replaces_another_takes_its_place() -> None:
    smoke, whole = ([case.name for case in integration.cases(level, text=False)] for level in integration.LEVELS)
    assert smoke == ["metadata", "answers", "bad_request", "stops"]
    assert whole == ["metadata", "answers", "bad_request", "session_killed", "server_killed", "drained", "two_servers"]
    known = {case.name for case in integration.all_cases()}
    assert {case.replaces for case in integration.all_cases() if case.replaces} < known


def test_models_get_the_tests_that_are_for_them() -> None:
    tests = [First(models, "one", "", models) for models in ("all", "tensors", "text")]  # type: ignore[arg-type]
    assert [test.name for test in of_level(tests, ("one",), "one", text=True)] == ["all", "text"]
    assert [test.name for test in of_level(tests, ("one",), "one", text=False)] == ["all", "tensors"]
