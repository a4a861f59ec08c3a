"""report.json: the contract that scripts hold on to."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from test_reports import HOSTILE, TEXTS, hostile, quick, report_of

from gatekeeper.records.measured import Control, Quality
from gatekeeper.records.report import Report
from gatekeeper.reports._read import read_report
from gatekeeper.reports.json import render

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "report.schema.json").read_text("utf-8"))
CONTRACT = {
    "": {"schema", "verdict", "model", "pipeline", "targets"},
    "model": {"path", "sha256"},
    "pipeline": {"path", "sha256"},
    "target": {"name", "verdict", "selected", "environment", "variants"},
    "environment": {"cpu", "isa", "threads", "packages"},
    "variant": {"id", "framework", "technique", "verdict", "artifact", "gates"},
    "artifact": {"path", "sha256", "bytes"},
    "gate": {"gate", "verdict", "observed", "lower", "upper", "limit", "unit", "reason", "where"},
}


def valid(rendered: str) -> dict[str, Any]:
    found = json.loads(rendered)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found  # type: ignore[no-any-return]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_fields_of_the_contract_are_there() -> None:
    found = valid(render(report_of("x")))
    assert found["schema"] == "gatekeeper/report/v1"
    target, variant = found["targets"][0], found["targets"][0]["variants"][0]
    parts = {
        "": found, "model": found["model"], "pipeline": found["pipeline"], "target": target, "variant": variant,
        "environment": target["environment"], "artifact": variant["artifact"], "gate": variant["gates"][0],
    }  # fmt: skip
    for name, part in parts.items():
        assert CONTRACT[name] <= part.keys(), name


def test_verdicts_are_the_words_of_the_contract() -> None:
    found = valid(render(report_of("x")))
    verdicts = {v["verdict"] for v in found["targets"][0]["variants"]}
    assert verdicts == {"pass", "fail", "inconclusive", "error", "skip"}


@hostile
def test_hostile_text_is_valid_and_reads_back(text: str) -> None:
    rendered = render(report_of(text))
    valid(rendered)
    read = msgspec.json.decode(rendered, type=Report)
    assert render(read) == rendered


@quick
@given(text=TEXTS)
def test_any_text_reads_back(text: str) -> None:
    rendered = render(report_of(text))
    assert render(msgspec.json.decode(rendered, type=Report)) == rendered


@pytest.mark.parametrize("text", ["x", HOSTILE["emoji"], HOSTILE["ansi"], HOSTILE["nul"], HOSTILE["direction"]])
def test_text_is_kept_as_it_is(text: str) -> None:
    assert msgspec.json.decode(render(report_of(text)), type=Report) == report_of(text)


def test_a_written_report_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(render(report_of("x")), "utf-8")
    assert read_report(path) == report_of("x")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_does_not_spoil_the_report(number: float, tmp_path: Path) -> None:
    report = report_of("x")
    target, variant = report.targets[0], report.targets[0].variants[0]
    gate = msgspec.structs.replace(variant.gates[0], lower=number, details={"deep": [number]})
    variant = msgspec.structs.replace(variant, gates=[gate])
    target = msgspec.structs.replace(target, variants=[variant])
    rendered = render(msgspec.structs.replace(report, targets=[target]))
    assert "NaN" not in rendered
    assert "Infinity" not in rendered
    valid(rendered)
    path = tmp_path / "report.json"
    path.write_text(rendered, "utf-8")
    assert read_report(path).targets[0].variants[0].gates[0].lower is None


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["quality", "control"])
def test_a_report_with_such_a_number_anywhere_is_valid_and_reads_back(number: float, place: str) -> None:
    """A metric of the user's own may well be NaN; the other gates and legs must still be readable."""
    report = report_of("x")
    target, variant = report.targets[0], report.targets[0].variants[0]
    if place == "quality":
        variant = msgspec.structs.replace(variant, quality=Quality(metric="m", value=number, examples=1))
    leg = target.legs[0]
    if place == "control":
        leg = msgspec.structs.replace(leg, control=Control(observed=1.0, lower=0.5, upper=number))
    target = msgspec.structs.replace(target, variants=[variant], legs=[leg])
    rendered = render(msgspec.structs.replace(report, targets=[target]))
    valid(rendered)
    assert msgspec.json.decode(rendered, type=Report).verdict is report.verdict


def test_unknown_fields_of_a_later_version_are_ignored() -> None:
    found = json.loads(render(report_of("x"))) | {"later": 1}
    assert msgspec.json.decode(json.dumps(found), type=Report) == report_of("x")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_it_is_the_report_in_one_piece(count: int) -> None:
    found = report_of(HOSTILE["command"])
    found = msgspec.structs.replace(found, targets=found.targets * count)
    assert render(found) == msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
