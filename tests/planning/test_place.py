"""Where a leg runs on this machine: the target's own device, the CPU where the file allows it, or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.support import write_model

from gatekeeper.config.load import load
from gatekeeper.errors import ConfigError
from gatekeeper.hardware.machine import this_machine
from gatekeeper.planning.place import Place, place
from gatekeeper.planning.plan import PlannedLeg, make_plan, model_of


def planned(folder: Path, target: str, framework: str = "onnx_runtime") -> tuple[Place, PlannedLeg]:
    write_model(folder / "model.onnx")
    file = folder / "p.yaml"
    file.write_text(
        "edge_ai_pipeline:\n  model: {path: model.onnx}\n"
        f"  optimization: {{frameworks: [{framework}]}}\n  targets: [{{name: t, {target}}}]\n"
    )
    loaded = load(file)
    _, assessment = model_of(loaded)
    [leg] = make_plan(loaded, assessment).legs
    return place(leg, loaded.targets[0], loaded.pipeline.measure, assessment.format), leg


def test_a_leg_runs_on_the_targets_device_with_its_threads(tmp_path: Path) -> None:
    assert planned(tmp_path, "hardware: cpu, threads: 3")[0] == Place("cpu", 3)


no_gpu = pytest.mark.skipif(this_machine().nvidia, reason="this machine has an NVIDIA GPU")


@no_gpu
def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found, leg = planned(tmp_path, "hardware: nvidia_gpu")
    assert leg.skip is None, "another machine may have one"
    assert "no NVIDIA" in found.error


@no_gpu
def test_the_cpu_stands_in_only_where_the_file_says_so(tmp_path: Path) -> None:
    found, _ = planned(tmp_path, "hardware: nvidia_gpu, fallback: cpu")
    assert (found.device, found.error) == ("cpu", "")
    assert "ran on the CPU instead, because of `fallback: cpu`" in found.note


def test_a_fallback_is_for_hardware_that_is_missing_not_for_frameworks_that_never_had_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no listed framework supports apple_silicon"):
        planned(tmp_path, "hardware: apple_silicon, fallback: cpu")


@pytest.mark.parametrize(("framework", "device"), [("openvino", "cpu:throughput"), ("onnx_runtime", "cpu")])
def test_a_hint_reaches_the_framework_that_has_it(tmp_path: Path, framework: str, device: str) -> None:
    assert planned(tmp_path, "hardware: cpu, hint: throughput", framework)[0].device == device


@pytest.mark.parametrize("there", [True, False])
def test_an_accelerator_that_nothing_drives_is_replaced_only_where_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Whether or not the machine has it: no framework opens a session on it."""
    if there:
        monkeypatch.setattr("gatekeeper.hardware.targets.other.absent", lambda machine: None)
    found, leg = planned(tmp_path, "hardware: other, fallback: cpu")
    assert (found.device, found.error, leg.skip, leg.error) == ("cpu", "", None, None)
    assert found.note.endswith("it ran on the CPU instead, because of `fallback: cpu`. This says nothing of other")
    assert ("not on other" in found.note) is there
    with pytest.raises(ConfigError, match=r"no listed framework supports other: .* Say `fallback: cpu`"):
        planned(tmp_path, "hardware: other")
