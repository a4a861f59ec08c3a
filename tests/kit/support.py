"""What several tests need: paths of the repository, a small project to run, a package to install."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.records.measured import RoundData

REPOSITORY = Path(__file__).resolve().parents[2]
MISSION = """\
edge_ai_pipeline:
  stages:
    - model_validation
    - optimization
    - testing
    - staging_deployment
    - production_deployment
    - monitoring
  model_validation:
    accuracy_threshold: 0.95
    performance_baseline: required
    security_scan: enabled
  optimization:
    frameworks:
      - llama_cpp
      - openvino
      - microsoft_olive
    validation:
      cross_validation: enabled
      performance_comparison: required
  testing:
    unit_tests: comprehensive
    integration_tests: full_pipeline
    load_tests: production_scale
    security_tests: comprehensive
  deployment:
    strategy: blue_green
    traffic_ramping: gradual
    rollback: automatic
    monitoring: real_time
"""
"""The pipeline file of the source workflow: it must be accepted as it stands."""

EXAMPLES = sorted(p.parent.name for p in REPOSITORY.glob("examples/*/make_model.py"))


def round_data(index: int, median_ns: float, **changes: Any) -> RoundData:
    """A round whose latencies all follow from its median; `changes` names what differs."""
    values: dict[str, Any] = {
        "count": 200,
        "p10_ns": 0.95 * median_ns,
        "mean_ns": median_ns,
        "p95_ns": 1.1 * median_ns,
        "p99_ns": 1.2 * median_ns,
        "load_ns": 1000,
        "cpu_utilisation": 0.9,
    }
    return RoundData(round=index, median_ns=median_ns, **(values | changes))


def spec(artifact: Path | str, framework: str = "onnx_runtime", **changes: Any) -> ModelSpec:
    """A model on one thread of the processor."""
    values: dict[str, Any] = {"framework": framework, "artifact": str(artifact), "threads": 1, "device": "cpu"}
    return ModelSpec(**(values | changes))


def install_plugin(folder: Path, modules: dict[str, str], entry_points: str) -> dict[str, str]:
    """Put modules and a distribution's metadata into a folder; the environment that makes them installed."""
    folder.mkdir(exist_ok=True)
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    info = folder / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def install_framework(folder: Path, name: str) -> dict[str, str]:
    """Put the framework tests/plugins/<name>.py into a folder; the environment that makes it installed."""
    code = (REPOSITORY / f"tests/plugins/{name}.py").read_text()
    return install_plugin(folder, {name: code}, f"[gatekeeper.frameworks]\n{name} = {name}\n")


def write_model(path: Path, seed: int = 0, features: int = 16, classes: int = 4) -> np.random.Generator:
    """A linear classifier in ONNX."""
    generator = np.random.default_rng(seed)
    weight = generator.standard_normal((features, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    np.savez(path.parent / "weight.npz", w=weight)
    return generator


def write_project(
    folder: Path,
    techniques: str = "fine",
    framework: str = "hostile",
    extra: str = "",
    timeout: str = "60s",
    timed: bool = True,
    **arrays: Any,
) -> Path:
    """A model, an evaluation set it answers perfectly, and a pipeline file; unless something is timed, no gate is on rounds."""
    generator = write_model(folder / "model.onnx")
    x = generator.standard_normal((600, 16)).astype(np.float32)
    y = (x @ np.load(folder / "weight.npz")["w"]).argmax(axis=1)
    np.savez(folder / "eval.npz", **({"x": x, "y": y} | arrays))
    file = folder / "pipeline.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: model.onnx, task: tabular_classification}}
  dataset: {{path: eval.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [{framework}], techniques: {{{framework}: [{techniques}]}}}}
  gates: {{memory: disabled, stability: disabled, speedup: {"{min: 0.01}" if timed else "disabled"}}}
  measure: {{max_rounds: 3, blocks: 2, block_ms: 5, timeout: {timeout}, memory_limit: 900MB}}
{extra}""")
    return file


def eventually(holds: Callable[[], object], seconds: float = 120.0) -> bool:
    """Whether something comes to hold. The time is for a machine that is busy; where all is well it takes a moment."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def start(file: Path, plugins: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A run in the background, that Ctrl-C reaches even where the tests themselves were started to ignore it."""
    return subprocess.Popen(
        [sys.executable, "-m", "gatekeeper", "run", str(file), *words],
        cwd=file.parent,
        env=os.environ | plugins,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,
    )
