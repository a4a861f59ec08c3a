"""Techniques with options, from the pipeline file to what is certified: a model that fails in 8 bits, and passes equalized."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from kit.command import Command
from kit.skewed import skew

from gatekeeper.frameworks._onnx_rescale import EQUALIZED

PIPELINE = """\
edge_ai_pipeline:
  model: {path: skewed.onnx, task: image_classification}
  dataset: {path: eval.npz, calibration: calib.npz}
  optimization:
    frameworks: [onnx_runtime, openvino]
    techniques:
      onnx_runtime:
        - int8_static
        - int8_static: {equalize: true}
        - int8_static: {equalize: true, session: {arena: false}, name: lean}
      openvino: [{int8_static: {equalize: true}}]
  model_validation: {security_scan: enabled}
  gates: {speedup: disabled, memory: disabled, stability: disabled}
"""


@pytest.fixture(scope="module")
def ran(example: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    from kit.command import started

    folder, digits = tmp_path_factory.mktemp("skewed"), example("digits-cnn")
    for name in ("eval.npz", "calib.npz"):
        shutil.copyfile(digits / name, folder / name)
    skew(digits / "model.onnx", folder / "skewed.onnx")
    (folder / "p.yaml").write_text(PIPELINE)
    done = started(["run", "p.yaml", "--output", "out"], folder, {})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def variants(folder: Path, framework: str = "onnx_runtime") -> dict[str, Any]:
    report = json.loads((folder / "out/report.json").read_text())
    return {each["technique"]: each for each in report["targets"][0]["variants"] if each["framework"] == framework}


def test_plain_8_bits_fail_and_equalized_ones_pass(ran: Path) -> None:
    found = variants(ran)
    assert list(found) == ["int8_static", "int8_static-equalize", "int8_static-lean"]
    gates = {name: {gate["gate"]: gate for gate in each["gates"]} for name, each in found.items()}
    assert found["int8_static"]["verdict"] == "fail" and gates["int8_static"]["accuracy"]["upper"] < 0.95
    assert found["int8_static-equalize"]["verdict"] == "pass" and gates["int8_static-equalize"]["accuracy"]["lower"] > 0.97
    assert variants(ran, "openvino")["int8_static-equalize"]["verdict"] == "pass"
    model = onnx.load(str(ran / "out" / found["int8_static-equalize"]["artifact"]["path"]))
    assert EQUALIZED in {entry.key for entry in model.metadata_props}


def test_options_are_in_the_report(ran: Path) -> None:
    found = variants(ran)
    assert found["int8_static"]["options"] == {} and found["int8_static"]["applied"] == ""
    lean = found["int8_static-lean"]
    assert lean["applied"] == "int8_static" and lean["options"]["equalize"] is True
    assert lean["options"]["session"] == {"arena": False, "prepacking": True} and lean["options"]["calibration"] == "minmax"


def test_a_session_is_shipped_with_what_was_measured(ran: Path, gatekeeper: Command) -> None:
    found = variants(ran)
    lean, plain = found["int8_static-lean"]["artifact"], found["int8_static-equalize"]["artifact"]
    place = ran / "out" / lean["path"]
    assert json.loads((place / "session.json").read_text()) == {"arena": False, "prepacking": True}
    assert (place / "model.onnx").read_bytes() == (ran / "out" / plain["path"]).read_bytes()
    assert lean["sha256"] != plain["sha256"]
    assert found["int8_static-lean"]["verdict"] == "pass", "the scan finds nothing in how it is opened"


def test_a_report_of_other_options_is_refused(ran: Path, gatekeeper: Command, tmp_path: Path) -> None:
    """What the plan asks for was made, or nothing was judged."""
    out = tmp_path / "out"
    shutil.copytree(ran / "out", out)
    whole = gatekeeper("report", out, cwd=ran)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    report = json.loads((out / "report.json").read_text())
    report["targets"][0]["variants"][1]["options"]["equalize"] = False
    (out / "report.json").write_text(json.dumps(report))
    edited = gatekeeper("report", out, cwd=ran)
    assert edited.returncode != 0 and "its options are not those of the plan" in edited.stdout + edited.stderr
