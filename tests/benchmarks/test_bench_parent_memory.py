"""The parent process stays under 200 MB while a 1 GB model is gated."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

SIZE, LAYERS = 4096, 16


def write_model(path: Path) -> None:
    """16 matrices of 64 MiB: 1.07 GB in one file."""
    generator = np.random.default_rng(0)
    nodes, weights, tip = [], [], "x"
    for i in range(LAYERS):
        weight = generator.standard_normal((SIZE, SIZE), dtype=np.float32) / np.float32(SIZE**0.5)
        weights.append(numpy_helper.from_array(weight, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [tip, f"w{i}"], [f"h{i}"]))
        tip = f"h{i}"
    shape = ["n", SIZE]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(tip, onnx.TensorProto.FLOAT, shape)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def test_bench_parent_memory(tmp_path: Path) -> None:
    write_model(tmp_path / "model.onnx")
    np.savez(tmp_path / "eval.npz", x=np.random.default_rng(1).standard_normal((64, SIZE), dtype=np.float32))
    (tmp_path / "pipeline.yaml").write_text("""\
edge_ai_pipeline:
  model: {path: model.onnx, task: embedding}
  dataset: {path: eval.npz}
  optimization: {frameworks: [onnx_runtime], techniques: {onnx_runtime: [int8_dynamic]}}
  gates: {stability: {on_fail: warn}}
  measure: {max_rounds: 8}
""")
    process = subprocess.Popen(
        [sys.executable, "-m", "gatekeeper", "run", "pipeline.yaml", "--cache-dir", "cache", "--quiet"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "160"},
    )
    peak = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.1)
    output, _ = process.communicate()
    size = (tmp_path / "model.onnx").stat().st_size
    print(f"\n{output}\nparent: {peak / 1e6:.0f} MB at most while a model of {size / 1e6:.0f} MB was gated, wanted < 200 MB")
    assert (tmp_path / "gatekeeper-report/report.json").exists()
    assert "speedup" in output
    assert 0 < peak < 200e6
