"""More than ten thousand hostile strings in every place of a report, through everything that renders one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import jsonschema
import kit.gfm as gfm
import kit.hostile as hostile
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.runner import COMMANDS, parse, read_outputs
from kit.sample_reports import RUN, WAIVER, before
from lxml import etree
from test_reports import check_characters, check_commands, report_of

from gatekeeper.errors import UsageError
from gatekeeper.github.annotations import annotations
from gatekeeper.github.outputs import entry
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Base, Basis, Report
from gatekeeper.reports._base import REGISTRY, reporter
from gatekeeper.reports.markdown import COMMENT_BYTES, fit

DATA = Path(__file__).resolve().parents[1] / "data"
JUNIT = etree.XMLSchema(etree.parse(str(DATA / "junit-10.xsd")))
SARIF = jsonschema.Draft7Validator(json.loads((DATA / "sarif-2.1.0.json").read_text("utf-8")))
CHARTED = ("speedup", "accuracy", "memory")
MARKER = "<!-- gatekeeper: x -->"
MERMAID = re.compile(r'(    (x-axis|y-axis|quadrant-[1-4]|"[a-l]")[ :]|quadrantChart$|%%\{)[ -~]*')


def everything() -> Report:
    """A report with something in every field there is."""
    found = report_of("x")
    (target,) = found.targets
    best, failed, *others = target.variants
    names = ["speedup", "accuracy", "memory"]
    gates = [
        msgspec.structs.replace(g, gate=n, before=before(Verdict.PASS, 9.0))
        for n, g in zip(names, [*best.gates, best.gates[0]], strict=True)
    ]
    gates = [msgspec.structs.replace(g, observed=1.5 + i, verdict=Verdict.PASS) for i, g in enumerate(gates)]
    best = msgspec.structs.replace(best, gates=gates)
    second = msgspec.structs.replace(best, id="x86x/onnx/secondx")
    kept = [msgspec.structs.replace(g, waiver=WAIVER, blocking=False, before=before(Verdict.PASS)) for g in failed.gates]
    target = msgspec.structs.replace(
        target, variants=[best, second, msgspec.structs.replace(failed, gates=kept + failed.gates), *others]
    )
    base = Base(verdict=Verdict.PASS, commit="x", created="x", gone=["x"] * 3, new=["x"] * 3, loosened=["x"] * 3)
    pipeline = msgspec.structs.replace(found.pipeline, policy="x", policy_sha256="x", loosened=["x"] * 3)
    basis = Basis(
        metric="x", output="x", outputs=["x"] * 9, examples=59, copies=3, classes=2, groups=1, timed=4, not_judged={"x": "x"}
    )
    target = msgspec.structs.replace(target, legs=[msgspec.structs.replace(leg, basis=basis) for leg in target.legs])
    return msgspec.structs.replace(found, targets=[target], base=base, pipeline=pipeline, commit="x")


def check(of: Report, possible: bool = True) -> None:
    """Every format, with the eyes of those who read it; a report of impossible numbers is shown, and none that is read back."""
    for limit in (COMMENT_BYTES, 12_000, 1_200):
        shown = fit(of, limit, RUN, MARKER)
        assert len(shown.encode()) <= limit
        assert shown.startswith("## ")
        check_characters(shown)
        gfm.check(shown, RUN, MARKER)
        for chart in re.findall(r"^```mermaid\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL):
            assert all(MERMAID.fullmatch(line) for line in chart.splitlines())
    gfm.check(reporter("markdown").render(of))
    printed = reporter("terminal").render(of)
    check_characters(printed)
    check_commands(printed)
    assert not COMMANDS.search(printed)
    JUNIT.assertValid(etree.fromstring(reporter("junit").render(of).encode()))
    SARIF.validate(json.loads(reporter("sarif").render(of).encode()))
    with nullcontext() if possible else pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(reporter("json").render(of).encode(), type=Report)
    lines = annotations(of)
    assert lines
    for line in lines:
        kind, properties, _ = parse(line)
        assert kind in ("error", "warning", "notice")
        assert set(properties) <= {"file", "line", "title"}
        check_characters(line)


def test_every_format_is_looked_at() -> None:
    assert set(REGISTRY.builtin) == {"json", "junit", "markdown", "sarif", "terminal"}


def test_the_report_of_this_test_shows_everything() -> None:
    shown = fit(everything(), COMMENT_BYTES, RUN, MARKER)
    parts = ["mermaid", "waived until", "since base", "gone since base", "loosens a limit", "Agreement", "Stages", "rests on"]
    for part in [*parts, "not judged"]:
        assert part in shown
    check(everything())


@pytest.mark.parametrize("text", hostile.FRAGMENTS, ids=lambda text: ascii(text[:20]))
def test_one_string_in_every_place(text: str) -> None:
    check(hostile.filled(everything(), lambda _: text))
    check(hostile.filled(everything(), lambda old: old if old in CHARTED else text))


def other_strings(seed: int) -> None:
    drawn, count = hostile.strings(seed), 0
    same: dict[str, str] = {}
    old_chart = seed % 2 == 0  # with other names of gates there is no chart

    def put(text: str) -> str:
        nonlocal count
        count += 1
        if old_chart and text in CHARTED:
            return text
        return same.setdefault(text, next(drawn)) if "/" in text else next(drawn)  # ids refer to one another

    found = hostile.filled(everything(), put)
    assert count > 200, "60 reports of so many strings are more than ten thousand"
    check(found)


@pytest.mark.parametrize("seed", range(12))
def test_other_strings_in_every_place(seed: int) -> None:
    other_strings(seed)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_strings_in_every_place(seed: int) -> None:
    other_strings(seed)


def test_no_output_breaks_out_of_its_place() -> None:
    for value, _ in zip(_all_strings(), range(10_000), strict=False):
        try:
            written = entry("before", "1") + entry("x", value) + entry("after", "2")
        except UsageError:
            assert re.search("[\0\ud800-\udfff]", value)
            continue
        assert read_outputs(written) == {"before": "1", "x": value, "after": "2"}


def _all_strings() -> Iterator[str]:
    yield from hostile.FRAGMENTS
    yield from hostile.strings(1)


@pytest.mark.parametrize("number", [10**400, -1, 2**64])
def test_a_strangers_numbers_are_shown_whatever_they_are(number: int) -> None:
    found = everything()
    model = msgspec.structs.replace(found.model, bytes=number)
    (target,) = found.targets
    legs = [msgspec.structs.replace(leg, rounds=number, seed=number, attempt=number) for leg in target.legs]
    for leg in legs:
        for data in leg.baseline.rounds if leg.baseline else ():
            msgspec.structs.force_setattr(data, "overhead_ns", number)
    target = msgspec.structs.replace(target, legs=legs)
    check(msgspec.structs.replace(found, model=model, targets=[target]), possible=False)
