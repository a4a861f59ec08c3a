"""Size limits of packages: of which variants, of how many bytes, and in a merge too."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.command import Command
from kit.once import Once
from kit.support import write_project

from gatekeeper.config.limits import limits
from gatekeeper.config.load import load
from gatekeeper.gates import apk_size, bundle_size
from gatekeeper.making.zipped import zipped_bytes
from gatekeeper.planning.plan import make_plan, model_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.verdicts.gates import judge_gate
from gatekeeper.verdicts.idle import idle_limits

LIMIT = """\
  packaging:
    mobile_deployment:
      android: {framework: onnx_runtime, quantization: int8, packaging: {format: onnx, apk_size: 10kB}}
"""


def judge(gate: Any, size: int, zipped: int | None = None, **config: str) -> Decision:
    artifact = Artifact(path="m", sha256="0" * 64, bytes=size, zipped_bytes=zipped)
    found: Decision = gate.judge(msgspec.convert(config, gate.Config), Evidence(artifact=artifact))
    return found


def test_a_bundle_counts_files_as_they_are_and_an_apk_deflated() -> None:
    assert judge(bundle_size, 1000, 10, max="999B").verdict is Verdict.FAIL
    assert judge(apk_size, 1000, 10, max="999B").verdict is Verdict.PASS
    assert judge(apk_size, 1000, 10, max="10B").verdict is Verdict.PASS
    assert judge(apk_size, 1000, 10, max="9B").verdict is Verdict.FAIL


def test_what_the_app_takes_counts() -> None:
    assert judge(bundle_size, 1000, max="1500B", app_size="500B").verdict is Verdict.PASS
    found = judge(bundle_size, 1000, max="1500B", app_size="501B")
    assert found.verdict is Verdict.FAIL and found.observed == 1501
    assert found.reason == "1 kB and 501 B of the app, 1 B over 1.5 kB"


def test_a_size_that_nobody_measured_is_an_error() -> None:
    assert judge(apk_size, 1000, None, max="1MB").verdict is Verdict.ERROR
    assert judge(bundle_size, 0, None, max="1MB").verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("a/llama_cpp/q4_k_m", True),
        ("a/llama_cpp/q4_k_m_kv_q8_0", True),
        ("a/llama_cpp/q4_k_mx", False),
        ("a/llama_cpp/q8_0", False),
        ("a/onnx_runtime/q4_k_m", False),
    ],
)
def test_only_what_a_package_is_made_of_is_held_to_it(tmp_path: Path, name: str, held: bool) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("edge_ai_pipeline:\n  packaging:\n    mobile_deployment:\n      android: {packaging: {apk_size: <1kB}}\n")
    loaded = load(file)
    (limit,) = (each for each in limits(loaded, loaded.targets[0]) if each.name == "apk_size")
    assert limit.where == f"{file}:4"
    artifact = Artifact(path="m", sha256="0" * 64, bytes=5000, zipped_bytes=4000)
    found = judge_gate(limit, Evidence(artifact=artifact, name=name))
    assert found.verdict is (Verdict.FAIL if held else Verdict.SKIP)
    assert found.blocking is held
    if not held:
        assert found.reason == "only of llama_cpp q4_k_m, of which the package is made"


def test_a_limit_under_gates_is_of_every_variant(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("edge_ai_pipeline:\n  gates: {bundle_size: {max: 1kB}}\n")
    loaded = load(file)
    (limit,) = (each for each in limits(loaded, loaded.targets[0]) if each.name == "bundle_size")
    found = judge_gate(limit, Evidence(artifact=Artifact(path="m", sha256="0" * 64, bytes=5000), name="a/b/c"))
    assert found.verdict is Verdict.FAIL and found.blocking


def test_sizes_of_archives_are_those_of_archives(tmp_path: Path) -> None:
    for name, content in (("a.onnx", bytes(100_000)), ("b.bin", bytes(range(256)) * 40), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    files = {path.name: path for path in tmp_path.iterdir()}
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            archive.write(path, name)
    size = (tmp_path / "x.zip").stat().st_size
    assert 0 <= zipped_bytes(files) - size <= 24 * len(files), "a sink that cannot go back has its sizes behind the data"
    assert zipped_bytes(files) < 3000 < 100_000


@pytest.fixture(scope="module")
def measured(once: Once) -> Path:
    """A run of two variants, int8 among them, whose apk may have ten kilobytes."""

    def run(folder: Path) -> None:
        from kit.command import call

        file = write_project(folder, "int8_dynamic, fp16", "onnx_runtime", LIMIT, timed=False)
        done = call(["run", file, "--output", folder / "out"], folder, {})
        assert done.returncode == 0, done.stdout + done.stderr

    return once("packed", run)


def gates_of(report: dict[str, Any]) -> dict[str, Any]:
    variants = report["targets"][0]["variants"]
    return {v["technique"]: next(g for g in v["gates"] if g["gate"] == "apk_size") for v in variants}


def test_a_run_judges_it_of_what_the_package_is_made(measured: Path) -> None:
    report = json.loads((measured / "out/report.json").read_text())
    found = gates_of(report)
    assert found["int8_dynamic"]["verdict"] == "pass" and found["int8_dynamic"]["blocking"]
    assert found["fp16"]["verdict"] == "skip" and not found["fp16"]["blocking"]
    artifacts = {v["technique"]: v["artifact"] for v in report["targets"][0]["variants"]}
    place = measured / "out" / artifacts["int8_dynamic"]["path"]
    assert artifacts["int8_dynamic"]["zipped_bytes"] == zipped_bytes({"model.onnx": place})
    assert artifacts["fp16"]["zipped_bytes"] is None, "nobody asked"


def _larger(report: dict[str, Any]) -> None:
    _variant(report)["artifact"]["zipped_bytes"] = 10_001


def _tiny(report: dict[str, Any]) -> None:
    _variant(report)["artifact"].update(zipped_bytes=1, bytes=10_000_000)


def _unknown(report: dict[str, Any]) -> None:
    _variant(report)["artifact"]["zipped_bytes"] = None


def _skipped(report: dict[str, Any]) -> None:
    gates_of(report)["int8_dynamic"].update(verdict="skip", blocking=False, observed=None, lower=None, upper=None)


def _of_others(report: dict[str, Any]) -> None:
    _skipped(report)
    gates_of(report)["int8_dynamic"]["details"] = {"framework": "llama_cpp", "quantization": "q4_k_m"}


def _variant(report: dict[str, Any]) -> dict[str, Any]:
    return next(v for v in report["targets"][0]["variants"] if v["technique"] == "int8_dynamic")


@pytest.mark.parametrize("there", [True, False], ids=["with its file", "alone"])
@pytest.mark.parametrize("change", [_larger, _tiny, _unknown, _skipped, _of_others])
def test_a_merge_judges_it_again(measured: Path, tmp_path: Path, gatekeeper: Command, change: Any, there: bool) -> None:
    """An edited report does not pass by it, whether or not its pipeline file is at hand."""
    report = json.loads((measured / "out/report.json").read_text())
    change(report)
    (tmp_path / "report.json").write_text(json.dumps(report))
    if there:
        for name in ("pipeline.yaml", "model.onnx"):
            (tmp_path / name).write_bytes((measured / name).read_bytes())
    done = gatekeeper("report", tmp_path / "report.json", "--format", "json")
    if done.returncode == 2:
        assert "apk_size" in done.stderr or "in a zip archive" in done.stderr, done.stderr
        return
    again = json.loads(done.stdout)
    found = next(v for v in again["targets"][0]["variants"] if v["technique"] == "int8_dynamic")
    assert found["verdict"] != "pass", (done.returncode, done.stderr)


def test_a_limit_that_holds_nothing_is_said(measured: Path, tmp_path: Path) -> None:
    """Nothing fails by it, and nobody should think that something was held to it."""
    for name in ("model.onnx", "eval.npz"):
        (tmp_path / name).write_bytes((measured / name).read_bytes())
    text = (measured / "pipeline.yaml").read_text()
    found = {}
    for quantization in ("int8", "int4"):
        file = tmp_path / f"{quantization}.yaml"
        file.write_text(text.replace("quantization: int8", f"quantization: {quantization}"))
        loaded = load(file)
        found[quantization] = idle_limits(loaded, make_plan(loaded, model_of(loaded)[1]))
    where = f"{tmp_path}/int4.yaml:10"
    assert found == {"int8": [], "int4": [f"apk_size ({where}) limits nothing here: no variant is onnx_runtime int4"]}
