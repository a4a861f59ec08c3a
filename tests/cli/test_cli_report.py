"""`gatekeeper report`, as a matrix's last job calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured
from kit.sample_reports import save
from lxml import etree

from gatekeeper.planning.plan import Plan, PlannedLeg
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.reports._base import REGISTRY, reporter

Command = Callable[..., subprocess.CompletedProcess[str]]
PASS, FAIL, OPEN, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR
LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]


def make(leg: str, verdict: Verdict, manifest: Sequence[str] = LEGS, **more: Any) -> Report:
    known = {PASS: Made(), FAIL: Made(speed=1.5), OPEN: Made(speed=2.0, noise=0.1), ERROR: Made(error="🚀")}
    report = measured(
        leg, {"int8": known[verdict]}, manifest=manifest, on_inconclusive=more.get("on_inconclusive", "fail"),
        pipeline={"sha256": more.get("pipeline", "p" * 64)}, model=more.get("model", "m" * 64),
    )  # fmt: skip
    assert report.verdict is verdict
    return report


def save_legs(folder: Path, *verdicts: Verdict, **more: Any) -> list[Path]:
    return [save(folder / str(i), make(leg, v, **more)) for i, (leg, v) in enumerate(zip(LEGS, verdicts, strict=False))]


def save_plan(path: Path, legs: Sequence[str] = LEGS, pipeline: str = "p" * 64) -> Path:
    planned = [PlannedLeg(id=leg, target="t", hardware="cpu", framework="f", extra="", runs_on="x", variants=[]) for leg in legs]
    path.write_bytes(
        msgspec.json.encode(Plan(schema="gatekeeper/plan/v1", pipeline="p.yaml", pipeline_sha256=pipeline, legs=planned))
    )
    return path


def refused(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert done.returncode == 2, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_legs_are_merged(gatekeeper: Command, tmp_path: Path) -> None:
    done = gatekeeper("report", *save_legs(tmp_path / "r", PASS, PASS))
    assert (done.returncode, done.stderr) == (0, "")
    assert "x86/onnx_runtime/int8" in done.stdout
    assert "arm/onnx_runtime/int8" in done.stdout
    assert "PASS" in done.stdout


def test_a_folder_stands_for_the_reports_in_it(gatekeeper: Command, tmp_path: Path) -> None:
    save_legs(tmp_path / "r", PASS, PASS)
    assert gatekeeper("report", tmp_path / "r").returncode == 0
    assert gatekeeper("report", tmp_path / "r" / "0", tmp_path / "r" / "1" / "report.json").returncode == 0


@pytest.mark.parametrize(
    ("verdicts", "policy", "code"),
    [
        ((PASS, PASS), "fail", 0),
        ((PASS, FAIL), "fail", 1),
        ((PASS, OPEN), "fail", 3),
        ((PASS, OPEN), "warn", 0),
        ((PASS, ERROR), "fail", 4),
        ((PASS, ERROR), "warn", 4),
        ((OPEN, FAIL), "warn", 1),
        ((OPEN, ERROR), "warn", 4),
        ((ERROR, FAIL), "fail", 1),
    ],
)
def test_the_exit_code_is_the_merged_verdict(
    gatekeeper: Command, tmp_path: Path, verdicts: tuple[Verdict, ...], policy: str, code: int
) -> None:
    save_legs(tmp_path / "r", *verdicts, on_inconclusive=policy)
    assert gatekeeper("report", tmp_path / "r").returncode == code


@pytest.mark.parametrize("verdict", [PASS, FAIL, OPEN, ERROR])
def test_a_full_run_alone_keeps_its_verdict(gatekeeper: Command, tmp_path: Path, verdict: Verdict) -> None:
    path = save(tmp_path / "r", make(LEGS[0], verdict, manifest=LEGS[:1]))
    done = gatekeeper("report", path, "--format", "json")
    assert msgspec.json.decode(done.stdout, type=Report) == make(LEGS[0], verdict, manifest=LEGS[:1])
    assert done.stdout == path.read_text("utf-8")


@pytest.mark.parametrize("with_plan", [True, False])
def test_a_leg_that_did_not_come_back_is_an_error(gatekeeper: Command, tmp_path: Path, with_plan: bool) -> None:
    plan = ["--plan", save_plan(tmp_path / "plan.json")] if with_plan else []
    done = gatekeeper("report", *save_legs(tmp_path / "r", PASS), *plan)
    assert done.returncode == 4
    assert "arm/onnx_runtime: no result came back" in done.stdout


def test_a_plan_that_is_held(gatekeeper: Command, tmp_path: Path) -> None:
    plan = save_plan(tmp_path / "plan.json")
    assert gatekeeper("report", *save_legs(tmp_path / "r", PASS, PASS), "--plan", plan).returncode == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "not a plan"),
        (b"{}", "not a plan"),
        (b"\xff", "not a plan"),
        (b'{"schema":"gatekeeper/plan/v1","pipeline":"\xff"}', "not a plan"),
        (b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not a plan"),
        (b'{"schema":"gatekeeper/plan/v9","pipeline":"","pipeline_sha256":"","legs":[]}', "not a plan"),
    ],
    ids=lambda value: repr(value and value[:20]),
)
def test_a_plan_that_is_none(gatekeeper: Command, tmp_path: Path, content: bytes | None, says: str) -> None:
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_bytes(content)
    refused(gatekeeper("report", *save_legs(tmp_path / "r", PASS, PASS), "--plan", plan), says)


def test_a_plan_of_other_legs_or_another_file(gatekeeper: Command, tmp_path: Path) -> None:
    files = save_legs(tmp_path / "r", PASS, PASS)
    refused(gatekeeper("report", *files, "--plan", save_plan(tmp_path / "a", LEGS[:1])), "legs that the plan does not")
    refused(gatekeeper("report", *files, "--plan", save_plan(tmp_path / "b", pipeline="q" * 64)), "another pipeline file")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (make(LEGS[0], PASS), "two results for the leg"),
        (make(LEGS[1], PASS, model="n" * 64), "different models"),
        (make(LEGS[1], PASS, pipeline="q" * 64), "different pipeline files"),
        (make("riscv/onnx_runtime", PASS), "riscv/onnx_runtime"),
    ],
    ids=["duplicate", "model", "pipeline", "unknown leg"],
)
def test_results_that_do_not_belong_together(gatekeeper: Command, tmp_path: Path, other: Report, says: str) -> None:
    refused(gatekeeper("report", save(tmp_path / "a", make(LEGS[0], PASS)), save(tmp_path / "b", other)), says)


def test_the_same_file_twice(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path / "a", make(LEGS[0], FAIL, manifest=LEGS[:1]))
    refused(gatekeeper("report", path, path), "two results for the leg")


WHOLE = reporter("json").render(make(LEGS[0], PASS)).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"", WHOLE[: len(WHOLE) // 2], b"{}", b"[]", b"null", b"\xff\xfe", b'{"verdict":"pass"}', WHOLE.replace(b"/v1", b"/v2"),
        WHOLE.replace(b'"pass"', b'"passed"'), b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        WHOLE.replace(b"smaller", b"\xff"),
    ],
    ids=["empty", "truncated", "object", "list", "null", "binary", "no schema", "version", "verdict", "deep", "not UTF-8"],
)  # fmt: skip
def test_what_is_no_report(gatekeeper: Command, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    refused(gatekeeper("report", path), "not a gatekeeper report")


def test_a_folder_without_reports(gatekeeper: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(gatekeeper("report", tmp_path / "empty"), "no report.json in it")


def test_a_file_that_is_not_there(gatekeeper: Command, tmp_path: Path) -> None:
    refused(gatekeeper("report", tmp_path / "none.json"), "cannot be read")


def test_nothing_named(gatekeeper: Command) -> None:
    refused(gatekeeper("report"), "Missing argument")


def test_an_unknown_format_lists_the_known(gatekeeper: Command, tmp_path: Path) -> None:
    done = gatekeeper("report", *save_legs(tmp_path / "r", PASS, PASS), "--format", "pdf")
    refused(done, "pdf")
    assert all(name in done.stderr for name in REGISTRY.names)


@pytest.mark.parametrize("name", REGISTRY.names)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_every_format_is_printed(gatekeeper: Command, tmp_path: Path, name: str, encoding: str) -> None:
    """Also where standard output cannot hold every character, as on Windows and in bare containers."""
    path = save(tmp_path / "r", make(LEGS[0], FAIL, manifest=LEGS[:1]))
    done = gatekeeper("report", path, "--format", name, env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (1, "")
    if encoding == "utf-8" and name == "json":
        assert json.loads(done.stdout)["verdict"] == "fail"
    if name == "junit":
        assert etree.fromstring(done.stdout.encode()).get("failures") == "1"
    if encoding == "utf-8" and name == "markdown":
        assert done.stdout.startswith("## ❌ gatekeeper: fail\n")


def test_output_gets_every_file(gatekeeper: Command, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "merged"
    done = gatekeeper("report", *save_legs(tmp_path / "r", PASS, FAIL), "--output", folder)
    assert done.returncode == 1
    files = {reporter(name).FILE_NAME for name in REGISTRY.names} - {None}
    assert {p.name for p in folder.iterdir()} - {".lock"} == files
    assert gatekeeper("report", folder).returncode == 1
    assert json.loads((folder / "report.json").read_text("utf-8"))["verdict"] == "fail"


def test_output_that_is_a_file(gatekeeper: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    done = gatekeeper("report", *save_legs(tmp_path / "r", PASS, PASS), "--output", tmp_path / "file")
    assert done.returncode == 2
    assert (tmp_path / "file").read_text() == "kept"


def test_results_are_not_changed(gatekeeper: Command, tmp_path: Path) -> None:
    files = save_legs(tmp_path / "r", PASS, FAIL)
    before = [f.read_bytes() for f in files]
    gatekeeper("report", *files, "--output", tmp_path / "out")
    assert [f.read_bytes() for f in files] == before


def test_a_path_with_odd_characters_can_be_named(gatekeeper: Command, tmp_path: Path) -> None:
    path = save(tmp_path / "ünïcode 🚀 ::x", make(LEGS[0], PASS, manifest=LEGS[:1]))
    assert gatekeeper("report", path).returncode == 0
