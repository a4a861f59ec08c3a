"""What every format shows of the testing stage: a line a scenario, a case a check, and no more than a reviewer has time for."""

from __future__ import annotations

import re
from typing import Any, get_args, get_type_hints

import junitparser
import kit.gfm as gfm
import msgspec
import pytest
from kit.sample_reports import (
    ERROR,
    FAIL,
    LOAD_GATES,
    OPEN,
    PASS,
    RUN,
    SKIP,
    Check,
    Report,
    checks,
    gate,
    gates_with_tests,
    report_with_tests,
    run,
    three,
    waived,
)
from test_report_junit import outcome, parse, read
from test_reports import check_characters, check_commands, hostile

from gatekeeper.gates._base import decides, of_testing
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by as measured_by
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import LoadRun, Tested
from gatekeeper.reports import markdown, terminal
from gatekeeper.reports._base import REGISTRY, reporter
from gatekeeper.reports._numbers import interval
from gatekeeper.reports._testing import cells, counted, judged, peak
from gatekeeper.reports._verdict import headline
from gatekeeper.reports.markdown import COMMENT_BYTES, SUMMARY_BYTES, fit


def with_gates(report: Report, **changes: Any) -> Report:
    """The report with changes to its first variant."""
    (target,) = report.targets
    first = msgspec.structs.replace(target.variants[0], **changes)
    target = msgspec.structs.replace(target, variants=[first, *target.variants[1:]])
    return msgspec.structs.replace(report, targets=[target])


def rows(report: Report, name: str) -> dict[str, list[str]]:
    """The cells of a model's scenarios in the Markdown report."""
    folded = markdown.render(report).partition("<summary>Tests on")[2]
    lines = [line for line in folded.splitlines() if line.startswith(f"| `{name}` |")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[2:-1]] for line in lines]
    return {each[0].replace("\\", "").split(" ")[0]: each[1:] for each in split}


# --- a line a scenario ---------------------------------------------------------------------------------------------------


def test_a_row_for_each_scenario_of_baseline_and_variant() -> None:
    report = report_with_tests()
    assert list(rows(report, "baseline")) == ["single_stream", "server"]
    found = rows(report, "onnx_runtime/int8")
    assert found["server"] == ["50/s", "50/s", "2 ms", "3.6 ms", "4 ms", "0 of 3000", "0", "❔ p99\\_latency, ✅ error\\_rate"]
    assert found["offline"][:2] == ["all at once", "480/s"]
    assert found["stress"] == [
        "more than it bears", "100/s", "45 ms", "81 ms", "90 ms", "0 of 9000", "6000", "✅ overload",
    ]  # fmt: skip
    assert found["soak"][-1] == "✅ endurance"
    assert found["single_stream"][0] == "one at a time"
    assert found["single_stream"][-1] == "", "nothing is judged on it"


def test_the_server_scenario_is_the_soak_where_there_is_no_other() -> None:
    report = report_with_tests(load=[run("server")])
    assert rows(report, "onnx_runtime/int8")["server"][-1] == "❔ p99\\_latency, ✅ error\\_rate, ✅ endurance"


def test_a_gate_that_was_not_judged_says_nothing_in_a_row() -> None:
    report = report_with_tests(gates_with_tests(error_rate=SKIP))
    assert rows(report, "onnx_runtime/int8")["server"][-1] == "✅ p99\\_latency"


def test_a_scenario_without_answers_has_no_latencies() -> None:
    dead = run("server", p99_ms=None, requests=500, errors=500)
    found = rows(report_with_tests(load=[dead]), "onnx_runtime/int8")["server"]
    assert found[1:6] == ["0/s", "", "", "", "500 of 500"]
    line = next(line for line in terminal.render(report_with_tests(load=[dead])).splitlines() if "server, 50/s" in line)
    assert "answered 0/s, errors 500 of 500" in line
    assert "p99 " not in line


def test_the_terminal_has_a_line_for_each_scenario_under_the_variant() -> None:
    lines = terminal.render(report_with_tests()).splitlines()
    assert "  cpu/onnx_runtime/int8:" in lines
    server = "    server, 50/s: answered 50/s, p50 2 ms, p95 3.6 ms, p99 4 ms, errors 0 of 3000; p99_latency inconclusive"
    assert server in lines
    assert any(line.startswith("    stress, more than it bears: ") and line.endswith("shed 6000; pass") for line in lines)
    assert "    peak 100/s within p99 10 ms, baseline 50/s (2.00x)" in lines
    assert "    unit_tests: 1 of 2 checks pass, 1 does not apply" in lines
    assert max(map(len, lines)) <= 120


def test_requests_in_process_are_told_from_those_over_http() -> None:
    here = run("server", over="in_process")
    assert rows(report_with_tests(load=[here]), "onnx_runtime/int8").keys() == {"server"}
    assert "server (in process)" in markdown.render(report_with_tests(load=[here]))
    assert "    server in process, 50/s: " in terminal.render(report_with_tests(load=[here]))


def test_every_gate_on_load_belongs_to_a_scenario() -> None:
    scenarios = get_args(get_type_hints(LoadRun)["scenario"])
    judging = {name for name in gate_names() if decides(name, scenarios)}
    assert judging == {name for name in gate_names() if measured_by(name) == "load_tests"} == {*LOAD_GATES}
    assert not decides("a_stranger's", scenarios)


SERVER = ["p99_latency", "error_rate"]


@pytest.mark.parametrize(("soak", "server"), [(True, SERVER), (False, [*SERVER, "endurance"])])
def test_without_a_soak_of_its_own_the_server_scenario_was_long_enough(soak: bool, server: list[str]) -> None:
    runs = [run("server"), *([run("soak")] if soak else [])]
    variant = report_with_tests(gates_with_tests(), load=runs).targets[0].variants[0]
    assert [[g.gate for g in judged(variant, each)] for each in runs] == [server, ["endurance"]][: len(runs)]


# --- the highest rate, and counts of checks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "baseline", "says"),
    [
        (Tested(peak_qps=100, bound_ms=10), None, "peak 100/s within p99 10 ms"),
        (Tested(peak_qps=100, bound_ms=10), Tested(peak_qps=40), "peak 100/s within p99 10 ms, baseline 40/s (2.50x)"),
        (Tested(peak_qps=2000), None, "peak 2,000/s"),
        (Tested(), Tested(peak_qps=40), ""),
        (
            Tested(bound_ms=5, curve=[run("server", 12.5, meets=False), run("server", 50.0, meets=False)]), None,
            "no rate within p99 5 ms, down to 12.5/s",
        ),
    ],
)  # fmt: skip
def test_the_highest_rate_is_said_also_where_there_is_none(own: Tested, baseline: Tested | None, says: str) -> None:
    assert peak(own, baseline) == says


def test_checks_are_counted_by_kind() -> None:
    assert list(counted(Tested(checks=checks()))) == [
        "unit_tests: 1 of 2 checks pass, 1 does not apply",
        "integration_tests: 1 of 2 checks pass",
        "security_tests: 1 of 1 checks pass",
        "load_tests: 1 of 1 checks pass",
    ]


# --- the overview stays narrow -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gate_names())
def test_the_gates_of_the_stage_are_known(name: str) -> None:
    assert of_testing(name) == bool(measured_by(name))
    assert not of_testing("a_stranger's")


def test_the_gates_of_the_stage_share_a_column() -> None:
    table = [line for line in markdown.render(report_with_tests()).splitlines() if line.startswith("|")]
    assert table[0].endswith("| speedup ≥ 2.00x | tests |")
    (row,) = [line for line in table if "`onnx_runtime/int8` a" in line]
    assert row.endswith("| ❌ unit\\_tests, 🚫 integration\\_tests, ❔ p99\\_latency; 5 of 8 pass |")
    (other,) = [line for line in table if "`onnx_runtime/fp16` b" in line]
    assert other.endswith("|  |"), "it was not tested"


def test_a_variant_that_passes_its_tests_says_how_many() -> None:
    report = report_with_tests(gates_with_tests())
    assert "| ✅ 8 of 8 |" in markdown.render(report)
    assert "│ 8 of 8 │" in terminal.render(report)
    assert headline(report).endswith("8 of 8 gates on its tests pass")


def test_gates_that_were_left_out_are_no_passes() -> None:
    names = ("unit_tests", "integration_tests", "security_tests", *LOAD_GATES)
    report = report_with_tests(gates_with_tests(**dict.fromkeys(names, SKIP)))
    assert "| ➖ |" in markdown.render(report)
    assert "of 8" not in terminal.render(report)
    report = report_with_tests(gates_with_tests(**dict.fromkeys(names[1:], SKIP)))
    assert "| ✅ 1 of 1 |" in markdown.render(report)


def test_a_warning_is_told_from_a_failure_in_the_shared_column() -> None:
    own = [*three("cpu"), gate("p99_latency", FAIL, 9.0, blocking=False), msgspec.structs.replace(waived(), gate="error_rate")]
    assert "⚠️ p99\\_latency, ⏳ error\\_rate; 0 of 2 pass" in markdown.render(report_with_tests(own))
    assert "error_rate waived" in " ".join(terminal.render(report_with_tests(own)).split())


def test_without_tests_there_is_no_column() -> None:
    assert "tests" not in markdown.render(with_gates(report_with_tests(three("cpu")), tested=None)).split("###")[0]


def test_what_was_not_measured_is_told_from_a_pass_in_the_terminal() -> None:
    assert "not measured" in terminal.render(report_with_tests())


def test_a_unit_is_written_once() -> None:
    assert interval(gate("p99_latency", PASS, 4.0, unit="ms")) == "4 ms (3.84–4.16)"
    assert interval(gate("throughput", PASS, 200.0, unit="per s")) == "200 per s (192–208)"


# --- the checks ----------------------------------------------------------------------------------------------------------


def test_the_report_has_a_line_for_each_check_the_failed_ones_first() -> None:
    lines = [line for line in markdown.render(report_with_tests()).splitlines() if line.startswith("  - ")]
    assert [re.findall(r"`(\w+)`", line)[0] for line in lines[:2]] == ["zeros", "drained"]
    assert len(lines) == len(checks())
    assert lines[0] == "  - ❌ `zeros`: NaN in the output \\| probs"
    assert lines[-1] == "  - ➖ `odd_shapes`: no size may change"


def many_checks(count: int, failed: int) -> list[Check]:
    return [
        Check(kind="unit_tests", name=f"c{i}", verdict=FAIL if i < failed else PASS, reason="why " * 20) for i in range(count)
    ]


def test_the_comment_stays_short_and_says_where_the_rest_is() -> None:
    report = report_with_tests(checks=many_checks(200, 40))
    whole, comment = markdown.render(report), fit(report, COMMENT_BYTES, RUN)
    assert whole.count("\n  - ") == 200
    assert comment.count("\n  - ") == 11
    assert "  - 30 more are in report.json" in comment
    assert "`c0`" in comment
    assert "`c50`" not in comment
    assert f"Of the checks, only those that did not pass are listed. See [the whole report]({RUN})." in comment
    assert len(comment) < len(whole) / 2
    assert fit(report, SUMMARY_BYTES, RUN).count("\n  - ") == 200
    gfm.check(comment, RUN)


@pytest.mark.parametrize("limit", [1300, 2500, 4000, 8000, COMMENT_BYTES, SUMMARY_BYTES])
def test_a_tested_report_fits_wherever_it_is_shown(limit: int) -> None:
    shown = fit(report_with_tests(), limit, RUN)
    assert len(shown.encode()) <= limit
    gfm.check(shown, RUN)


def test_a_thousand_checks_do_not_make_an_endless_report() -> None:
    shown = markdown.render(report_with_tests(checks=many_checks(1000, 0)))
    assert "  - 700 more are in report.json" in shown


def test_the_baseline_s_notes_are_shown_beside_its_load() -> None:
    assert "- `baseline`: 50 requests/s are declared; it answers at most 40/s" in markdown.render(report_with_tests())


# --- junit ---------------------------------------------------------------------------------------------------------------


def cases(report: Report) -> dict[str, junitparser.TestCase]:
    return {f"{case.classname}/{case.name}": case for suite in read(report) for case in suite}


def test_each_check_is_a_case_of_its_kind_with_its_time() -> None:
    report = report_with_tests()
    parse(report)
    found = cases(report)
    suite = "cpu/onnx_runtime/int8"
    assert {f"{suite}/{check.kind}/{check.name}" for check in checks()} <= found.keys()
    assert [kind for kind, _ in outcome(found[f"{suite}/unit_tests/zeros"])] == [junitparser.Failure]
    assert found[f"{suite}/unit_tests/zeros"].result[0].message == "NaN in the output | probs"
    assert [kind for kind, _ in outcome(found[f"{suite}/integration_tests/drained"])] == [junitparser.Error]
    assert [kind for kind, _ in outcome(found[f"{suite}/unit_tests/odd_shapes"])] == [junitparser.Skipped]
    assert outcome(found[f"{suite}/unit_tests/opens"]) == []
    assert found[f"{suite}/integration_tests/answers"].time == 2.5
    assert found[f"{suite}/integration_tests/answers"].system_out == "360 of 360 answers are equal"


@pytest.mark.parametrize(("kind", "name"), [("unit_tests", "unit_tests"), ("load_tests", "overload")])
@pytest.mark.parametrize(
    ("verdict", "blocking", "expected"),
    [
        (FAIL, True, junitparser.Failure),
        (FAIL, False, junitparser.Skipped),  # the gate only warns
        (PASS, True, junitparser.Skipped),  # as many as this may fail
        (ERROR, True, junitparser.Failure),
    ],
)
def test_a_failed_check_fails_where_its_gate_does(kind: Any, name: str, verdict: Verdict, blocking: bool, expected: type) -> None:
    own = [*three("cpu"), gate(name, verdict, 1.0, blocking=blocking)]
    report = report_with_tests(own, checks=[Check(kind=kind, name="one", verdict=FAIL, reason="why")])
    assert [k for k, _ in outcome(cases(report)[f"cpu/onnx_runtime/int8/{kind}/one"])] == [expected]


# --- whatever the text ---------------------------------------------------------------------------------------------------


@hostile
@pytest.mark.parametrize("name", REGISTRY.names)
def test_hostile_words_of_a_test_are_only_words(name: str, text: str) -> None:
    said = [Check(kind="unit_tests", name=text, verdict=v, reason=text) for v in (PASS, FAIL, ERROR, OPEN, SKIP)]
    report = report_with_tests(checks=said, notes=[text])
    rendered = reporter(name).render(report)
    if name == "junit":
        parse(report)
    if name not in ("json", "junit"):
        check_characters(rendered)
        check_commands(rendered)
    if name == "markdown":
        gfm.check(rendered)
        gfm.check(fit(report, COMMENT_BYTES, RUN), RUN)


def test_cells_are_one_for_each_column() -> None:
    for each in (run("server"), run("offline", None, None), run("probe", None)):
        assert len(cells(each)) == 8
