"""A report holds all that its verdicts rest on: numbers of a collapse, every check by name; what is not there is no pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import CHECKED, LIMITS, SIGNS, Limits, Made, measured

from gatekeeper.checks.kinds._base import kind
from gatekeeper.config.policy import limits_file, policy_file
from gatekeeper.gates import _collapse
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.reports._base import reporter
from gatekeeper.reports._read import read_report
from gatekeeper.verdicts.earlier import earlier, whole
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.rules import Rules

PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
LEG = "cpu/onnx_runtime"
TESTED: Limits = {**LIMITS, **CHECKED}
STORED = Path(__file__).resolve().parents[1] / "data/reports-v1"
Edit = Callable[[dict[str, Any]], object]


def of(report: Report, edit: Edit) -> Report:
    data = json.loads(reporter("json").render(report))
    edit(data["targets"][0]["variants"][0])
    return msgspec.convert(data, Report)


def gate(variant: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in variant["gates"] if each["gate"] == name)
    return found


def held(report: Report, rules: Rules, name: str) -> tuple[Verdict, str]:
    """How one gate stands after it was judged again, and why."""
    found = held_report(report, "report.json", rules).targets[0].variants[0]
    return next((each.verdict, each.reason) for each in found.gates if each.gate == name)


def answers(**more: Any) -> Edit:
    return lambda variant: gate(variant, "accuracy")["details"]["answers"].update(more)


COLLAPSED: dict[str, tuple[Edit, Verdict]] = {
    "the flag gone": (lambda v: gate(v, "accuracy")["details"].pop("collapsed"), FAIL),
    "the flag false": (lambda v: gate(v, "accuracy")["details"].update(collapsed=False), FAIL),
    "the numbers gone": (lambda v: gate(v, "accuracy").update(details={"metric": "accuracy", "examples": 1000}), ERROR),
    "no sign": (lambda v: gate(v, "accuracy")["details"].update(collapsed=False, answers={"signs": []}), ERROR),
    "a sign that nobody knows": (
        lambda v: gate(v, "accuracy")["details"].update(collapsed=False, answers={"signs": ["luck"], "luck": 1}), ERROR,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLLAPSED)
def test_a_collapse_is_judged_by_its_numbers(name: str) -> None:
    edit, verdict = COLLAPSED[name]
    report = measured(LEG, {"int8": Made(collapsed="it answers one class")})
    forged = of(report, lambda v: (edit(v), gate(v, "accuracy").update(verdict="pass"), v.update(verdict="pass")))
    assert held(forged, Rules(whole=True), "accuracy")[0] is verdict


@pytest.mark.parametrize("number", SIGNS)
@pytest.mark.parametrize("how", ["gone", "null", "true", "10 to the 400"])
def test_each_number_must_be_there(number: str, how: str) -> None:
    values = {"null": None, "true": True, "10 to the 400": 10**400}
    report = measured(LEG, {"int8": Made()})
    gone: Edit = lambda v: gate(v, "accuracy")["details"]["answers"].pop(number)  # noqa: E731
    forged = of(report, gone if how == "gone" else answers(**{number: values[how]}))
    found, reason = held(forged, Rules(whole=True), "accuracy")
    assert found is ERROR
    assert "does not hold the numbers that it is judged by" in reason


def test_answers_that_were_held_against_labels_were_held_against_guessing() -> None:
    report = measured(LEG, {"int8": Made()})
    fewer = {key: value for key, value in SIGNS.items() if key not in ("score", "guess")}
    unlabelled: Edit = lambda v: gate(v, "accuracy")["details"].update(answers=_collapse.stated(fewer))  # noqa: E731
    assert held(of(report, unlabelled), Rules(whole=True), "accuracy")[0] is ERROR
    assert held(of(report, lambda v: None), Rules(whole=True), "accuracy")[0] is PASS


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ({"not_finite": 1}, FAIL),
        ({"classes": 1}, FAIL),
        ({"often_kept": 5}, FAIL),
        ({"often_kept": 6}, None),
        ({"score": 0.1}, FAIL),
    ],
)
def test_the_numbers_decide(numbers: dict[str, float], verdict: Verdict | None) -> None:
    assert _collapse.again({"answers": _collapse.stated(SIGNS | numbers)}, labels=True) is verdict


def test_of_a_text_its_likeliest_tokens_are_there() -> None:
    text = {"answers": _collapse.stated({}), "kl_mean": 0.01, "same_top": 0.99}
    assert _collapse.again(text, labels=True) is None
    assert _collapse.again({**text, "same_top": None}, labels=True) is ERROR


def policy(folder: Path, testing: str) -> Path:
    file = folder / "base.yaml"
    stages = "gates: {p99_latency: {max_ms: 10}}, stages: [model_validation, optimization, testing]"
    file.write_text(f"edge_ai_pipeline: {{targets: [{{name: cpu, hardware: cpu}}], {stages}, testing: {testing}}}\n")
    return file


def lose(name: str, counted: bool) -> Edit:
    """A leg that leaves a check out, and says how many it has left, or not."""

    def edit(variant: dict[str, Any]) -> None:
        variant["tested"]["checks"] = [each for each in variant["tested"]["checks"] if each["name"] != name]
        if counted:
            gate(variant, "unit_tests")["details"]["checks"] = len(variant["tested"]["checks"])
        gate(variant, "unit_tests").update(verdict="pass", observed=0.0, lower=0.0, upper=0.0)
        variant["verdict"] = "pass"

    return edit


@pytest.mark.parametrize("counted", [True, False])
def test_a_failed_check_cannot_be_left_out(counted: bool, tmp_path: Path) -> None:
    rules = Rules(policy=policy_file(policy(tmp_path, "{unit_tests: basic, load_tests: smoke}")).limits, whole=True)
    report = measured(LEG, {"int8": Made(checks=[PASS, FAIL], late=0)}, limits=TESTED)
    [failed] = [each.name for each in report.targets[0].variants[0].tested.checks if each.verdict is FAIL]  # type: ignore[union-attr]
    found, reason = held(of(report, lose(failed, counted)), rules, "unit_tests")
    assert found is ERROR
    assert f"its report says nothing of {failed}" in reason


def test_where_nothing_says_which_checks_there_are_their_number_does() -> None:
    report = measured(LEG, {"int8": Made(checks=[PASS, FAIL], late=0)}, limits=TESTED)
    failed = report.targets[0].variants[0].tested.checks[1].name  # type: ignore[union-attr]
    found, reason = held(of(report, lose(failed, False)), Rules(whole=True), "unit_tests")
    assert found is ERROR
    assert "checks of" in reason


def test_a_check_that_does_not_apply_is_carried_as_skipped(tmp_path: Path) -> None:
    rules = Rules(policy=policy_file(policy(tmp_path, "{unit_tests: basic, load_tests: smoke}")).limits, whole=True)
    report = measured(LEG, {"int8": Made(checks=[PASS, SKIP], late=0)}, limits=TESTED)
    assert held(report, rules, "unit_tests")[0] is PASS


@pytest.mark.parametrize("name", ["unit_tests", "integration_tests", "security_tests"])
def test_deeper_levels_have_other_names(name: str, tmp_path: Path) -> None:
    """A policy alone asks for what every level from its own on has; the file itself for all of its level."""
    first, last = kind(name).LEVELS
    file = policy(tmp_path, f"{{{name}: {first}, load_tests: smoke}}")
    least = Rules(policy=policy_file(file).limits).checks(name)
    exact = Rules(file=limits_file(file)).checks(name)
    deep = Rules(file=limits_file(policy(tmp_path, f"{{{name}: {last}, load_tests: smoke}}"))).checks(name)
    assert set(least) == set(exact) & set(deep)
    assert len(set(deep) - set(exact)) > 0
    assert len(least) > 3


def test_files_of_ones_own_are_asked_for_by_their_path(tmp_path: Path) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text("def test_it(): pass\n")
    file = policy(tmp_path, "{unit_tests: basic, tests: [./test_a.py, test_b.py], load_tests: smoke}")
    rules = Rules(file=limits_file(file), whole=True)
    assert list(rules.checks("unit_tests"))[-2:] == ["test_a.py", "test_b.py"]
    assert "test_a.py" not in Rules(policy=policy_file(file).limits).checks("unit_tests")
    report = measured(LEG, {"int8": Made(checks=[PASS], late=0)}, limits=TESTED)
    own = [{"kind": "unit_tests", "name": "test_b.py::test_it", "verdict": "pass"}]

    def edit(variant: dict[str, Any]) -> None:
        variant["tested"]["checks"] += own
        gate(variant, "unit_tests")["details"]["checks"] += 1

    assert held(of(report, edit), rules, "unit_tests") == (
        ERROR, "its report says nothing of test_a.py, which every run at this level tests",
    )  # fmt: skip


def test_overload_is_three_checks_over_http(tmp_path: Path) -> None:
    for more, count in (("", 3), (", load: {over: in_process}", 0)):
        rules = Rules(file=limits_file(policy(tmp_path, f"{{load_tests: production_scale{more}}}")))
        assert len(rules.checks("load_tests")) == count


def test_a_report_of_an_earlier_version_is_one_that_has_nothing_of_a_later_one() -> None:
    stored = read_report(STORED / "whole.json")
    new = measured(LEG, {"int8": Made()})
    assert earlier(stored) and not earlier(new)
    assert not whole([stored, stored], ruled=False)
    assert whole([stored], ruled=True)
    assert whole([stored, new], ruled=False)


def test_no_report_becomes_one_of_an_earlier_version_where_something_says_what_is_asked() -> None:
    report = measured(LEG, {"int8": Made(collapsed="it answers one class")})
    data = json.loads(reporter("json").render(report))
    for leg in data["targets"][0]["legs"]:
        leg.update(basis=None, control_rounds=[])
    for each in data["targets"][0]["variants"][0]["gates"]:
        each["verdict"] = "pass"
        for key in ("answers", "checks", "collapsed"):
            each["details"].pop(key, None)
    forged = msgspec.convert(data, Report)
    assert earlier(forged)
    assert held(forged, Rules(whole=whole([forged], ruled=True)), "accuracy")[0] is ERROR
