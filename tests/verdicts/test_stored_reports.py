"""Reports of version 1 that an earlier gatekeeper wrote: they merge, are waived, compared and shown as they were then.

What lies in tests/data/reports-v1 was written by commit 7b63865, whose reports say in sentences alone what has fields by
now; `became.json` holds what it made of them, `shown.json` what it showed, but for the order in which kinds of tests stand.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatekeeper.config.waivers import GateWaiver
from gatekeeper.planning.plan import Plan, read_plan
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Waiver
from gatekeeper.records.report import LegReport, Report, StageReport
from gatekeeper.reports._base import reporter
from gatekeeper.reports._read import read_report
from gatekeeper.verdicts.compare import compared
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.waivers import waive

STORED = Path(__file__).resolve().parents[1] / "data/reports-v1"
PARTS = ("part-cpu-onnx_runtime", "part-cpu-openvino", "part-pi-onnx_runtime")
DAY = datetime.date(2026, 6, 1)
BECAME: dict[str, Any] = msgspec.json.decode((STORED / "became.json").read_bytes())
SHOWN: dict[str, dict[str, str]] = msgspec.json.decode((STORED / "shown.json").read_bytes())


def stored(name: str) -> Report:
    return read_report(STORED / f"{name}.json")


def waiver(target: str, ceiling: float, expires: str, owner: str) -> GateWaiver:
    place = "gatekeeper-waivers.yml:3"
    stated = Waiver(ceiling=ceiling, reason="until the driver is repaired", owner=owner, expires=expires, issue="#7", where=place)
    return GateWaiver(
        gate="speedup", target=target, variant=None, until=datetime.date.fromisoformat(expires), waiver=stated
    )  # fmt: skip


HOLDING = [waiver("cpu", 1.5, "2026-06-10", "edge team"), waiver("pi", 1.2, "2026-05-01", "A. Owner")]
RENEWED = [waiver("pi", 1.2, "2027-05-01", "A. Owner")]


def plan(legs: int = 3) -> Plan:
    whole = read_plan(STORED / "plan.json")
    return msgspec.structs.replace(whole, legs=whole.legs[:legs])


def parts() -> Report:
    return merge([stored(name) for name in PARTS], plan())


MADE = {
    "merged": parts,
    "merged without a plan": lambda: merge([stored(name) for name in PARTS]),
    "merged alone": lambda: merge([stored("whole")]),
    "a part alone": lambda: merge([stored(PARTS[0])], plan(1)),
    "waived": lambda: waive(parts(), HOLDING, DAY),
    "waived again": lambda: waive(stored("whole"), RENEWED, DAY),
    "compared": lambda: compared(parts(), stored("base")),
    "compared again": lambda: compared(stored("whole"), stored("base")),
    "ended": lambda: compared(stored("ended"), stored(PARTS[0])),
    "blocked": lambda: merge([stored("blocked")]),
}


RULED = ("verdict", "selected", "reason")
"""What of a target an earlier gatekeeper gave by one variant looked at alone."""


def only_added(now: Any, then: Any, where: str = "") -> None:
    """The same, but for fields that are new."""
    if isinstance(then, dict):
        assert isinstance(now, dict), where
        for key, value in then.items():
            only_added(now[key], value, f"{where}.{key}")
    elif isinstance(then, list):
        assert isinstance(now, list) and len(now) == len(then), where
        for index, value in enumerate(then):
            only_added(now[index], value, f"{where}[{index}]")
    else:
        assert now == then, where


def as_json(report: Report) -> Any:
    return msgspec.json.decode(msgspec.json.encode(report))


@pytest.mark.parametrize("name", MADE)
def test_what_becomes_of_them_is_what_became_of_them(name: str) -> None:
    assert MADE.keys() == BECAME.keys()
    then = BECAME[name]
    if name == "waived":  # with their speed waived all three pass at 97 % of their level, and so none by itself
        now = as_json(MADE[name]())["targets"][0]
        assert (now["verdict"], now["selected"], then["targets"][0]["verdict"]) == ("inconclusive", None, "pass")
        assert now["reason"].startswith("each of 3 variants (onnx_runtime/fp16, openvino/int4, openvino/int8) passes only if")
        then = {**then, "targets": [{**then["targets"][0], **{key: now[key] for key in RULED}}, *then["targets"][1:]]}
    only_added(as_json(MADE[name]()), then)


@pytest.mark.parametrize("name", [*PARTS, "whole", "base", "other", "blocked", "ended"])
def test_they_are_written_again_as_they_were(name: str, tmp_path: Path) -> None:
    report = stored(name)
    (tmp_path / "report.json").write_text(reporter("json").render(report))
    only_added(as_json(report), msgspec.json.decode((STORED / f"{name}.json").read_bytes()))
    assert read_report(tmp_path / "report.json") == report


@pytest.mark.parametrize("form", ["sarif", "markdown", "terminal"])
@pytest.mark.parametrize("name", ["whole", "blocked", "part", "ended"])
def test_they_are_shown_as_they_were(name: str, form: str) -> None:
    assert reporter(form).render(stored(PARTS[0] if name == "part" else name)) == SHOWN[name][form]


def test_what_their_sentences_say_has_fields() -> None:
    whole, part, blocked = stored("whole"), stored(PARTS[0]), stored("blocked")
    assert [(remark.kind, remark.text.split(" ")[0]) for remark in whole.remarks or []] == [
        ("plan", "the"), ("waiver", "waiver"), ("waiver", "waiver"), ("base", "base"),
    ]  # fmt: skip
    assert [(stage.stage, stage.blocked_by) for stage in blocked.stages] == [
        ("model_validation", ""), ("optimization", "model_validation"), ("testing", "model_validation"),
    ]  # fmt: skip
    assert [(stage.stage, stage.deferred) for stage in part.stages] == [("model_validation", []), ("optimization", ["cpu"])]
    gates = {(v.id, g.gate): g for t in whole.targets for v in t.variants for g in v.gates}
    expired = gates["pi/onnx_runtime/int8", "speedup"].expired
    assert expired is not None
    assert (expired.owner, expired.expires) == ("A. Owner", "2026-05-01")
    assert gates["cpu/onnx_runtime/int8", "accuracy"].brief == "keeps 99.0%, at least 95.0%"
    assert gates["cpu/onnx_runtime/int8", "p99_latency"].measured_limit
    assert gates["cpu/openvino/int4", "speedup"].settled
    control = gates["cpu/onnx_runtime/fp16", "speedup"].control
    assert control is not None
    assert (control.lower, control.upper) == (1.1, 4 / 3)


def test_a_waiver_must_still_clear_its_ceiling_on_a_noisy_runner() -> None:
    """2.112 less what two copies of the baseline differ by is 1.58."""
    assert waive(parts(), [waiver("cpu", 1.6, "2027-01-01", "x")], DAY).targets[0].variants[1].verdict is Verdict.INCONCLUSIVE
    assert waive(parts(), [waiver("cpu", 1.5, "2027-01-01", "x")], DAY).targets[0].variants[1].verdict is Verdict.PASS


def test_what_a_report_says_by_its_fields_is_not_read_out_of_its_words(tmp_path: Path) -> None:
    report = msgspec.structs.replace(
        stored("base"), remarks=[], notes=["waiver of fees"],
        stages=[StageReport(stage="s", verdict=Verdict.ERROR, reason="not run, because t did not pass")],
    )  # fmt: skip
    (tmp_path / "report.json").write_text(reporter("json").render(report))
    read = read_report(tmp_path / "report.json")
    assert (read.remarks, read.stages[0].blocked_by) == ([], "")
    assert merge([read]).notes == ["waiver of fees"]


def renamed(part: bytes, target: str, manifest: list[str]) -> Report:
    """A stored leg as if it had come from another target."""
    data = msgspec.json.decode(part.replace(b"pi/onnx_runtime", f"{target}/onnx_runtime".encode()))
    data["pipeline"]["legs"] = manifest
    data["targets"][0]["name"] = target
    return msgspec.convert(data, Report)


def test_a_thousand_of_them_merge(tmp_path: Path) -> None:
    names = [f"target{i:04}" for i in range(1000)]
    manifest = [f"{name}/onnx_runtime" for name in names]
    part = (STORED / f"{PARTS[2]}.json").read_bytes()
    reports = []
    for name in names[:-1]:
        (tmp_path / name).write_bytes(msgspec.json.encode(renamed(part, name, manifest)))
        reports.append(read_report(tmp_path / name))
    found = merge(reports)
    assert [t.name for t in found.targets] == names
    assert [len(t.variants) for t in found.targets] == [2] * 999 + [0]
    assert found.targets[-1].legs == [
        LegReport(id=manifest[-1], framework="onnx_runtime", error="no result came back for this leg")
    ]
    assert found.verdict is Verdict.FAIL
    assert found.stages[1].deferred == []
