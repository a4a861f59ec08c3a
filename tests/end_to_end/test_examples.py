"""Every example through the front door, measured for real."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from kit.certified import TRUST, write_key
from kit.command import call
from kit.support import EXAMPLES, REPOSITORY

TRAIN_LONG = ("digits-vit", "tiny-llm")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough if name in TRAIN_LONG else ()) for name in EXAMPLES]
)
def test_every_example_is_valid_and_plans(name: str, example: Callable[[str], Path], gatekeeper: Any) -> None:
    file = example(name) / "edge_ai_pipeline.yaml"
    assert gatekeeper("validate", file).returncode == 0
    planned = gatekeeper("plan", file, "--format", "github")
    assert planned.returncode == 0
    matrix = json.loads(planned.stdout)
    assert matrix["include"] and {"target", "framework", "runs_on"} <= matrix["include"][0].keys()


@pytest.mark.serial
def test_digits_mlp_passes_everything_is_rendered_merged_certified_and_verified(
    example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path
) -> None:
    """One of its three frameworks: accuracy, speed, memory, tests, scan, licences and card."""
    file = example("digits-mlp") / "edge_ai_pipeline.one.yaml"
    lines = (example("digits-mlp") / "edge_ai_pipeline.testing.yaml").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.strip().startswith(("openvino:", "microsoft_olive:")))
    for before, after in {
        "[onnx_runtime, openvino, microsoft_olive]": "[onnx_runtime]",
        "{duration: 20s}": "{duration: 8s, target_qps: 100, p99_ms: 2000}",  # which a busy machine bears, and enough soon
        "[int8_dynamic, int8_static]": "[int8_dynamic]",
        "security_tests: comprehensive": "security_tests: basic",
        # some seconds beside other work show no less
        "  gates:\n": "  gates:\n    endurance: {max_slowdown: 1.0, max_drift: 0.5}\n",
    }.items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    run = gatekeeper("run", file, "--output", tmp_path / "report")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "report/report.json").read_text())
    schema = json.loads((REPOSITORY / "schemas/report.schema.json").read_text())
    Draft202012Validator(schema).validate(report)

    assert report["schema"] == "gatekeeper/report/v1"
    assert report["verdict"] == "pass"
    target = report["targets"][0]
    selected = next(v for v in target["variants"] if v["id"] == target["selected"])
    gates = {g["gate"]: g for g in selected["gates"]}
    for name in ("accuracy", "speedup", "memory"):
        gate = gates[name]
        assert gate["verdict"] == "pass"
        assert gate["limit"] <= gate["lower"] <= gate["observed"] <= gate["upper"]
        assert re.fullmatch(r".*edge_ai_pipeline\.one\.yaml:\d+", gate["where"])

    limited = {"unit_tests", "integration_tests", "security_tests", "p99_latency", "error_rate", "overload", "endurance"}
    assert limited <= gates.keys() and {gates[name]["verdict"] for name in limited} == {"pass"}
    tested, original = selected["tested"], target["legs"][0]["tested"]
    assert [line["scenario"] for line in tested["load"]] == ["single_stream", "offline", "server", "stress"]
    assert [line["scenario"] for line in original["load"]] == ["single_stream", "offline", "server"]
    assert tested["load"][-1]["shed"] > 0 and tested["load"][-1]["errors"] == 0
    rates = [point["target_qps"] for point in tested["curve"]]
    assert rates == sorted(rates) and len(rates) == 6
    assert tested["peak_qps"] in [point["target_qps"] for point in tested["curve"] if point["meets"]]
    kinds = {check["kind"] for check in tested["checks"]}
    assert kinds == {"unit_tests", "integration_tests", "load_tests", "security_tests"}

    artifact = tmp_path / "report" / selected["artifact"]["path"]
    assert artifact.stat().st_size == selected["artifact"]["bytes"]
    from gatekeeper.models.files import assess, digest

    assert digest(artifact) == selected["artifact"]["sha256"]
    assert assess(artifact).quantized, "the passing variant is really quantized"

    samples = json.loads((tmp_path / "report/samples.json").read_text())
    leg = samples[target["legs"][0]["id"]]
    assert {"baseline", "control", selected["id"]} <= leg.keys()
    rounds = selected["performance"]["rounds"]
    assert len(rounds) >= 8
    for measured, raw in zip(rounds, leg[selected["id"]], strict=True):
        assert measured["count"] == len(raw)
        assert measured["median_ns"] == pytest.approx(sorted(raw)[len(raw) // 2], rel=0.05)

    suites = JUnitXml.fromfile(str(tmp_path / "report/junit.xml"))
    assert selected["id"] in {suite.name for suite in suites}
    assert (tmp_path / "report/report.md").read_text().startswith("## ✅ gatekeeper: pass")

    again = gatekeeper("report", tmp_path / "report", "--format", "markdown")
    assert again.returncode == 0
    assert again.stdout == (tmp_path / "report/report.md").read_text(), "rendering again changes nothing"
    stages = {stage["stage"]: stage for stage in report["stages"]}
    assert {name: stage["verdict"] for name, stage in stages.items()} == dict.fromkeys(
        ("model_validation", "compliance", "optimization", "testing"), "pass"
    )
    assert stages["compliance"]["compliance"]["card"] == "MODEL_CARD.md"
    assert [each["point"] for each in report["evidence"] if each["shown"] != "not shown"]
    released(gatekeeper, tmp_path, artifact)


RELEASED = (
    TRUST
    + """\
require: {gates: [worst_class, unit_tests, security_tests, error_rate], min_examples: 800, scan: clean, bom: true}
limits: {accuracy: {retention: 0.95}, speedup: {min: 2.0}, memory: {reduction: 0.5}}
"""
)


def released(gatekeeper: Any, folder: Path, artifact: Path) -> None:
    """Certified with a key, and verified by a trust file that asks for all there is; another model is not."""
    key, trust = write_key(folder), folder / "trust.yaml"
    trust.write_text(RELEASED)
    done = gatekeeper("certify", folder / "report", "--key", key)
    assert done.returncode == 0, done.stderr
    certificate = folder / "report/certificate.json"
    done = gatekeeper("verify", certificate, "--model", artifact, "--trust", trust)
    assert done.returncode == 0, done.stderr
    assert "passes the limits here" in done.stdout and "the BOM is the one that was certified" in done.stdout
    artifact.write_bytes(artifact.read_bytes() + b"\0")
    done = gatekeeper("verify", certificate, "--model", artifact, "--trust", trust)
    assert done.returncode == 1
    assert "is not the file that was certified" in done.stderr


@pytest.mark.thorough
def test_digits_mlp_is_the_same_model_in_three_frameworks(
    example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path
) -> None:
    target = quick(example("digits-mlp"), gatekeeper, tmp_path, "{max_rounds: 3}", {})
    assert [leg["framework"] for leg in target["legs"]] == ["onnx_runtime", "openvino", "microsoft_olive"]
    assert not [leg["error"] for leg in target["legs"] if leg["error"]]
    for variant in target["variants"]:
        gates = {gate["gate"]: gate["verdict"] for gate in variant["gates"]}
        assert gates["accuracy"] == "pass" and variant["performance"]["p50_ns"] > 0, variant["id"]
    assert sum(name.endswith("/baseline") for name in target["agreement"]["names"]) == 3
    assert min(map(min, target["agreement"]["matrix"])) >= 0.97


@dataclass(frozen=True)
class Ran:
    """A run of an example, and where it left what."""

    file: Path
    cache: Path
    done: subprocess.CompletedProcess[str]

    def made(self) -> dict[str, int]:
        """The artifacts in the cache, and when each was made."""
        return {path.name: path.stat().st_mtime_ns for path in (self.cache / "artifacts").iterdir()}


@pytest.fixture(scope="module")
def cnn(example: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The example that fails, with an empty cache."""
    file, folder = example("digits-cnn") / "edge_ai_pipeline.yaml", tmp_path_factory.mktemp("cnn")
    words = ("run", file, "--cache-dir", folder / "cache", "--output", folder / "report")
    return Ran(file, folder / "cache", call(words, folder, {}))


@pytest.mark.serial
def test_digits_cnn_fails_and_names_the_gate(cnn: Ran) -> None:
    assert cnn.done.returncode == 1, cnn.done.stdout + cnn.done.stderr
    assert "FAIL" in cnn.done.stdout
    assert "int8_dynamic: speedup" in cnn.done.stdout
    assert "slower than the baseline" in cnn.done.stdout
    assert "Traceback" not in cnn.done.stderr


@pytest.mark.serial
def test_a_rerun_takes_the_artifacts_from_the_cache_and_may_leave_the_verdict_to_the_merge(
    cnn: Ran, gatekeeper: Any, tmp_path: Path
) -> None:
    plan = gatekeeper("plan", cnn.file, "--format", "json")
    (tmp_path / "plan.json").write_text(plan.stdout)
    made = cnn.made()
    words = ("--cache-dir", cnn.cache, "--output", tmp_path / "leg", "--defer-verdict", "--quiet")
    run = gatekeeper("run", cnn.file, *words)
    assert made and cnn.made() == made
    assert run.returncode == 0
    assert run.stderr == ""
    merged = gatekeeper("report", tmp_path / "leg", "--plan", tmp_path / "plan.json", "--output", tmp_path / "merged")
    assert merged.returncode == 1
    assert json.loads((tmp_path / "merged/report.json").read_text())["verdict"] == "fail"


def quick(folder: Path, gatekeeper: Any, out: Path, measure: str, edits: dict[str, str]) -> dict[str, Any]:
    """The report of an example measured in few rounds, too few to decide every gate."""
    text = (folder / "edge_ai_pipeline.yaml").read_text() + f"\n  measure: {measure}\n"
    for before, after in edits.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "quick.yaml").write_text(text)
    run = gatekeeper("run", folder / "quick.yaml", "--output", out)
    assert run.returncode in (0, 1, 3), run.stdout + run.stderr
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found["targets"][0]


@pytest.mark.thorough
def test_digits_vit_is_the_same_model_in_both_frameworks(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    target = quick(example("digits-vit"), gatekeeper, tmp_path / "one", "{max_rounds: 3}", {})
    assert [leg["framework"] for leg in target["legs"]] == ["onnx_runtime", "openvino"]
    for leg in target["legs"]:
        assert not leg["error"] and not leg["skip"], leg
        assert leg["quality"]["value"] >= 0.95 and leg["quality"]["examples"] == 900
    techniques = ["fp16", "int8_dynamic", "int8_static", "int8_static", "int8_weight_only"]
    assert [v["technique"] for v in target["variants"]] == techniques
    for variant in target["variants"]:
        assert variant["performance"]["throughput_per_s"] > 0, variant["reason"]
        gates = {gate["gate"]: gate["verdict"] for gate in variant["gates"]}
        assert gates["accuracy"] == "pass", variant["id"]
        half_precision = variant["technique"] == "fp16"
        assert gates["package_size"] == ("fail" if half_precision else "pass"), "only 8 bits fit"

    agreement = target["agreement"]
    assert agreement["examples"] == 900 and not agreement["findings"]
    first, second = (i for i, name in enumerate(agreement["names"]) if name.endswith("/baseline"))
    assert agreement["matrix"][first][second] >= 0.998, "no example or one that hangs in the balance"
    assert min(map(min, agreement["matrix"])) >= 0.98


@pytest.mark.thorough
def test_digits_vit_answers_the_same_in_batches(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    folder = example("digits-vit")
    fewer = {"[fp16, int8_dynamic, int8_static]": "[int8_static]", "[int8_static, int8_weight_only]": "[int8_weight_only]"}
    one = quick(folder, gatekeeper, tmp_path / "one", "{max_rounds: 2}", fewer)
    four = quick(folder, gatekeeper, tmp_path / "four", "{max_rounds: 2, batch_size: 4}", fewer)
    for single, batched in zip([*one["legs"], *one["variants"]], [*four["legs"], *four["variants"]], strict=True):
        assert batched["quality"]["value"] == pytest.approx(single["quality"]["value"], abs=0.003), batched["id"]
        measured = batched.get("performance") or batched["baseline"]
        assert measured["throughput_per_s"] == pytest.approx(4e9 / measured["mean_ns"]), "examples, not batches"
