"""A model whose int8 always answers one class, and evaluation sets that somebody would put in place of the honest one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from kit.judged import write
from onnx import helper

ROWS, CLASSES, WIDTH, ONE = 2000, 10, 64, 3


def one_class(folder: Path) -> Path:
    """A model, an honest set of 600 examples of ten classes, and a pipeline file; the weight of a feature that is never on makes
    eight bits round all others to nothing, and the bias is what is left.
    """
    r = np.random.default_rng(5)
    w = np.zeros((WIDTH, CLASSES), np.float32)
    w[:-2] = r.standard_normal((WIDTH - 2, CLASSES))
    w[-1, 0] = 1e4
    b = np.zeros(CLASSES, np.float32)
    b[ONE] = 0.1
    x = _examples(r, 600)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "b"], ["scores"])]
    np.savez(folder / "weights.npz", w=w, b=b)
    data = {"x": x, "y": (x @ w + b).argmax(axis=1)}
    return write(folder, nodes, [WIDTH], {"scores": [CLASSES]}, {"w": w, "b": b}, data, "tabular_classification")


def _examples(r: Any, count: int) -> Any:
    x = r.standard_normal((count, WIDTH)).astype(np.float32)
    x[:, -1] = 0
    return x


def _answers(folder: Path, x: Any) -> Any:
    known = np.load(folder / "weights.npz")
    return (x @ known["w"] + known["b"]).argmax(axis=1)


def skewed(folder: Path, way: str = "copies") -> dict[str, Any]:
    """97.5 % of one class, out of two examples: as they are, in another order, as float64, with a bit or two of each row flipped,
    with other numbers where no weight is, or with labels that differ where the inputs do not.
    """
    r = np.random.default_rng(6)
    pool = _examples(r, 4000)
    of = _answers(folder, pool)
    x = np.concatenate([np.repeat(pool[of == ONE][:1], 1950, axis=0), np.repeat(pool[of == 7][:1], 50, axis=0)])
    y = _answers(folder, x)
    if way == "another order":
        order = r.permutation(ROWS)
        x, y = x[order], y[order]
    elif way == "another type":
        x = x.astype(np.float64)
    elif way == "one bit":
        bits = x.view(np.uint32)
        row = np.arange(ROWS)
        bits[row, row % 60] ^= np.uint32(1)
        bits[row, (row % 60 + 1 + row // 60) % 60] ^= np.uint32(1)
    elif way == "where no weight is":
        x[:, -2] = r.standard_normal(ROWS)
    elif way == "other labels":
        y = np.where(np.arange(ROWS) % 10 == 0, (y + 1) % CLASSES, y)
    return {"x": x, "y": y}
