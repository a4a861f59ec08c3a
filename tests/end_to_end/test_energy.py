"""Gates on energy through the command line, on trees of files as Linux shows its counters: 10 W, whatever runs.

A machine that draws the same whatever it does uses as much less for an inference as that takes less time, so that what each value
must be is known without a counter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from kit.command import called
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.measure.energy import codecarbon, jetson, rapl
from gatekeeper.measure.energy._base import Absent

WATTS = 10
COUNTER = """
import os, sys, time
file, watts = os.open(sys.argv[1], os.O_WRONLY), float(sys.argv[2])
start = time.perf_counter()
while os.getppid() == int(sys.argv[3]):
    os.pwrite(file, b"%020d" % int(1e6 * (5 + watts * (time.perf_counter() - start))), 0)
    time.sleep(0.0005)
"""


def save(path: Path, wide: int, scale: float = 1.0) -> None:
    """A classifier that computes, where it is wide, much of which nothing is used."""
    r = np.random.default_rng(0)
    weights = {"w": r.standard_normal((16, 4)), "in": r.standard_normal((16, 800)), "mid": 0.02 * r.standard_normal((800, 800))}
    weights |= {"out": r.standard_normal((800, 4)), "zero": np.zeros(()), "scale": np.array(scale)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["kept"])]
    used = ["w", "scale"]
    last = "kept"
    if wide:
        nodes += [helper.make_node("MatMul", ["x", "in"], ["h0"])]
        for i in range(wide):
            nodes += [helper.make_node("MatMul", [f"h{i}", "mid"], [f"m{i}"]), helper.make_node("Tanh", [f"m{i}"], [f"h{i + 1}"])]
        nodes += [
            helper.make_node("MatMul", [f"h{wide}", "out"], ["spare"]),
            helper.make_node("Mul", ["spare", "zero"], ["nothing"]),
            helper.make_node("Add", ["kept", "nothing"], ["sum"]),
        ]
        used, last = list(weights), "sum"
    nodes += [helper.make_node("Mul", [last, "scale"], ["logits"])]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])] for name, size in (("x", 16), ("logits", 4))]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(weights[n].astype(np.float32), n) for n in used])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some milliseconds, a variant that leaves out what is not used, and one that leaves nothing out."""
    place = tmp_path_factory.mktemp("energy")
    save(place / "model.onnx", 12)
    save(place / "small.onnx", 0)
    save(place / "alike.onnx", 12, 1.001)
    x = np.random.default_rng(1).standard_normal((400, 16)).astype(np.float32)
    [logits] = ort.InferenceSession(str(place / "model.onnx"), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    np.savez(place / "eval.npz", x=x, y=logits.argmax(axis=1))
    return place


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """RAPL's tree, whose counter another process turns."""
    package = tmp_path / "powercap/intel-rapl:0"
    package.mkdir(parents=True)
    (package / "name").write_text("package-0\n")
    (package / "max_energy_range_uj").write_text("262143328850\n")
    (package / "energy_uj").write_text(f"{5_000_000:020d}")
    words = [sys.executable, "-c", COUNTER, str(package / "energy_uj"), str(WATTS), str(os.getpid())]
    turning = subprocess.Popen(words)
    monkeypatch.setattr(rapl, "ROOT", tmp_path / "powercap")
    yield package
    turning.kill()
    turning.wait()


def ran(folder: Path, tmp_path: Path, gates: str, names: str, measure: str, command: str = "run") -> tuple[int, Any, str]:
    variants = ", ".join(f"{{name: {name}, path: {folder / name}.onnx}}" for name in names.split())
    file = tmp_path / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: {folder / "model.onnx"}, task: tabular_classification}}
  dataset: {{path: {folder / "eval.npz"}}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [], variants: [{variants}]}}
  gates: {{speedup: disabled, memory: disabled, stability: disabled, require: all, {gates}}}
  measure: {measure}
""")
    words = [command, str(file)] + (["--output", str(tmp_path / "report")] if command == "run" else [])
    done = called(words, tmp_path, {})
    assert "Traceback" not in done.stderr, done.stderr
    if command != "run":
        return done.returncode, None, done.stderr
    [target] = json.loads((tmp_path / "report/report.json").read_text())["targets"]
    found = {each["technique"]: {gate["gate"]: gate for gate in each["gates"]} for each in target["variants"]}
    return done.returncode, found | {"leg": target["legs"][0], "rounds": target["variants"]}, done.stdout


QUICK = "{max_rounds: 4, blocks: 4, block_ms: 50}"


def saved(found: Any, name: str) -> float:
    """How much less time an inference takes, over the rounds: at one power, how much less energy."""
    own = next(each for each in found["rounds"] if each["technique"] == name)["performance"]["rounds"]
    before = found["leg"]["baseline"]["rounds"]
    times = [[each["timed_ns"] / each["count"] for each in arm] for arm in (own, before)]
    return float(1 - np.exp(np.mean(np.log(times[0]) - np.log(times[1]))))


def test_less_energy_passes_and_nothing_forged_does(folder: Path, tmp_path: Path, counter: Path) -> None:
    code, found, said = ran(folder, tmp_path, "energy: {reduction: 0.3}, power_w: {max: 15}", "small", QUICK)
    assert code == 0, said
    own = found["small"]
    assert own["energy"]["verdict"] == own["power_w"]["verdict"] == "pass"
    assert own["energy"]["observed"] == pytest.approx(saved(found, "small"), abs=0.05)
    assert own["power_w"]["observed"] == pytest.approx(WATTS, rel=0.1)
    assert found["leg"]["energy"]["method"] == "rapl" and found["leg"]["energy"]["lag_s"] == 0.001
    told = json.loads((tmp_path / "report/report.json").read_text())
    assert merged(told, tmp_path) == 0
    for name, change in FORGED.items():
        forged = json.loads(json.dumps(told))
        change(forged["targets"][0])
        assert merged(forged, tmp_path) in (2, 3, 4), name


def merged(told: Any, folder: Path) -> int:
    """What a merge of one report ends in."""
    (folder / "told.json").write_text(json.dumps(told))
    return int(called(["report", str(folder / "told.json"), "--output", str(folder / "m")], folder, {}).returncode)


def _rounds(target: Any) -> Any:
    return target["variants"][0]["performance"]["rounds"]


def _set(**values: Any) -> Any:
    return lambda target: _rounds(target)[1].update(values)


FORGED = {
    "one lost": _set(joules=None),
    "none": _set(joules=0.0),
    "less than none": _set(joules=-1.0),
    "too much": _set(joules=1e300),
    "too little": _set(joules=1e-15),
    "no time": _set(timed_ns=None),
    "too short a time": _set(timed_ns=1.0),
    "no meter": lambda target: target["legs"][0].update(energy=None),
    "an estimate": lambda target: target["legs"][0]["energy"].update(kind="estimate"),
    "an estimate that is called measured": lambda target: target["legs"][0]["energy"].update(method="codecarbon"),
    "a meter that nobody knows": lambda target: target["legs"][0]["energy"].update(method="x"),
    "no age": lambda target: target["legs"][0]["energy"].update(lag_s=None),
    "a bound": lambda target: next(g for g in target["variants"][0]["gates"] if g["gate"] == "energy").update(lower=0.9999),
}
"""What is changed of a report that passes."""


@pytest.mark.thorough
def test_what_is_at_its_limit_is_undecided_and_what_misses_it_fails(folder: Path, tmp_path: Path, counter: Path) -> None:
    code, found, said = ran(folder, tmp_path, "energy: {reduction: 0.0001}, power_w: {max: 10}", "alike", QUICK)
    assert code == 3, said
    assert {found["alike"][name]["verdict"] for name in ("energy", "power_w")} == {"inconclusive"}
    assert "measure.block_ms: 200" in found["alike"]["power_w"]["reason"]
    code, found, said = ran(folder, tmp_path, "energy: {reduction: 0.3}, power_w: {max: 5}", "alike", QUICK)
    assert code == 1, said
    assert {found["alike"][name]["verdict"] for name in ("energy", "power_w")} == {"fail"}
    assert found["alike"]["energy"]["observed"] == pytest.approx(saved(found, "alike"), abs=0.05)


@pytest.mark.parametrize("estimated", [True, False])
def test_where_nothing_measures_it_is_an_error(
    estimated: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rapl, "ROOT", tmp_path)
    if not estimated:
        monkeypatch.setattr(codecarbon, "find", lambda device, cache=None: Absent("it is not installed"))
    gates, measure = "energy: {reduction: 0.3}, power_w: {max: 15}", "{max_rounds: 2, blocks: 1, block_ms: 5}"
    code, _, said = ran(folder, tmp_path, gates, "small", measure, "validate")
    assert code == 0 and f"warning: {tmp_path / 'p.yaml'}:6: target here: energy, power_w: not measurable here:" in said
    code, found, _ = ran(folder, tmp_path, gates, "small", measure)
    assert code == 4
    for name in ("energy", "power_w"):
        assert found["small"][name]["verdict"] == "error"
        assert ("an estimate decides nothing" in found["small"][name]["reason"]) == estimated
        assert ("nothing measures energy here" in found["small"][name]["reason"]) != estimated


def test_a_counter_that_is_far_behind_is_told_with_what_would_do(folder: Path, tmp_path: Path, counter: Path) -> None:
    code, found, _ = ran(folder, tmp_path, "power_w: {max: 15}", "small", "{max_rounds: 2, blocks: 1, block_ms: 5}")
    assert code == 4 and "Set `measure.block_ms` to 100" in found["small"]["power_w"]["reason"]


@pytest.mark.thorough
def test_jetsons_rails(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = tmp_path / "hwmon/hwmon3"
    chip.mkdir(parents=True)
    files = {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "2000", "update_interval": "2"}
    for name, content in files.items():
        (chip / name).write_text(content + "\n")
    monkeypatch.setattr(jetson, "ROOT", tmp_path / "hwmon")
    measure = "{max_rounds: 3, blocks: 2, block_ms: 500}"
    code, found, said = ran(folder, tmp_path, "energy: {reduction: 0.3}, power_w: {max: 15}", "small", measure)
    assert code == 0, said
    assert found["small"]["power_w"]["observed"] == pytest.approx(WATTS, rel=0.02)
    assert found["small"]["energy"]["observed"] == pytest.approx(saved(found, "small"), abs=0.01)
    assert found["leg"]["energy"]["note"].startswith("VDD_IN, the whole module, idle and everything running on it")
