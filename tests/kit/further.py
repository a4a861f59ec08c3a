"""A model that is asked two sets, and variants that keep all of the main one and lose some of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

CLASSES, FEATURES = 4, 16
GATES = "speedup: disabled, memory: disabled, stability: disabled"


def save(path: Path, spoilt: float = 0.0, how: str = "") -> None:
    """A classifier, which answers wrongly where the last feature is on, in a share of the cases that the feature before says."""
    r = np.random.default_rng(0)
    weights = {"w": r.standard_normal((FEATURES, CLASSES)).astype(np.float32)}
    weights["w"][-2:] = 0
    weights["turn"] = np.roll(np.eye(CLASSES, dtype=np.float32), 1, axis=1)
    weights["from"], weights["to"] = np.array([FEATURES - 1]), np.array([FEATURES])
    weights["second"], weights["axis"] = np.array([FEATURES - 2]), np.array([1])
    weights["half"], weights["share"] = np.array([0.5], np.float32), np.array([spoilt], np.float32)
    weights["bad"] = np.array([np.nan if how == "nan" else 0.0], np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["right"]),
        helper.make_node("MatMul", ["right", "turn"], ["turned"]),
        helper.make_node("Mul", ["right", "bad"], ["none"]),
        helper.make_node("Slice", ["x", "from", "to", "axis"], ["maths"]),
        helper.make_node("Slice", ["x", "second", "from", "axis"], ["number"]),
        helper.make_node("Greater", ["maths", "half"], ["of maths"]),
        helper.make_node("Less", ["number", "share"], ["of these"]),
        helper.make_node("And", ["of maths", "of these"], ["spoilt"]),
        helper.make_node("Where", ["spoilt", "none" if how else "turned", "right"], ["logits"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])] for name, width in (("x", FEATURES), ("logits", 4))
    ]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(array, name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def answers(path: Path, x: Any) -> Any:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.array([session.run(None, {"x": row[None]})[0][0].argmax() for row in x])


def fill(folder: Path) -> None:
    """The model, its sets, and variants: of maths they keep all, nine tenths, nothing but one class, and no numbers."""
    variants: dict[str, tuple[float, str]] = {"kept": (-1, ""), "tenth": (0.1, ""), "constant": (2, "zero"), "nan": (2, "nan")}
    save(folder / "model.onnx")
    for name, (share, how) in variants.items():
        save(folder / f"{name}.onnx", share, how)
    r = np.random.default_rng(1)
    for name, maths in (("main", 0.0), ("maths", 1.0)):
        x = r.standard_normal((600, FEATURES)).astype(np.float32)
        x[:, -1], x[:, -2] = maths, np.linspace(0, 1, 600, endpoint=False)
        y = answers(folder / "model.onnx", x)
        y[::50] = (y[::50] + 1) % CLASSES
        np.savez(folder / f"{name}.npz", x=x, y=y)


def written(folder: Path, also: str, names: str, gates: str = "", name: str = "p.yaml") -> Path:
    file = folder / name
    variants = ", ".join(f"{{name: {each}, path: {each}.onnx}}" for each in names.split())
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: model.onnx, task: tabular_classification}}
  dataset:
    path: main.npz
    also:
      - {also}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [], variants: [{variants}]}}
  gates: {{{GATES}{gates}}}
""")
    return file


MATHS = "{name: maths, path: maths.npz, retention: 0.98}"


def tenth_lost(folder: Path) -> Path:
    """A run whose variant loses a tenth of the further set and nothing of the main one."""
    fill(folder)
    return written(folder, MATHS, "tenth")
