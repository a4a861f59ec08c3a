"""Detectors that look up what they answer by the number that stands in an image's corner: a baseline as detectors are, variants
of it that nobody would tell from it, and broken ones, many of which keep most of its mean average precision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGES, SIDE, KINDS, ROWS = 600, 64, 8, 40
X1, Y1, X2, Y2, SCORE, CLASS = range(6)
RARE, OTHER, NOWHERE = 6, 7, 20
SITE = "cellar"


def write(path: Path, rows: Any, **more: Any) -> None:
    """The model that answers image i with row i: boxes `dets`, and other outputs."""
    tables = {"dets": rows, **more}
    constants = {"zero": [0, 0], "one": [1, 1], "axes": [2, 3], "flat": [-1]}
    weights = {name: np.asarray(array, np.int64) for name, array in constants.items()}
    weights |= {f"table_{name}": np.ascontiguousarray(table, np.float32) for name, table in tables.items()}
    nodes = [
        helper.make_node("Slice", ["x", "zero", "one", "axes"], ["corner"]),
        helper.make_node("Reshape", ["corner", "flat"], ["number"]),
        helper.make_node("Cast", ["number"], ["i"], to=TensorProto.INT64),
        *(helper.make_node("Gather", [f"table_{name}", "i"], [name], axis=0) for name in tables),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *table.shape[1:]]) for name, table in tables.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def images() -> Any:
    drawn = np.random.default_rng(1).random((IMAGES, 1, SIDE, SIDE)).astype(np.float32)
    drawn[:, 0, 0, 0] = np.arange(IMAGES)
    return drawn


def world() -> tuple[Any, Any, Any, Any]:
    """True boxes [images, most, 5], the baseline's [images, ROWS, 6], which true one each of those is (-1: none), and sites."""
    rng = np.random.default_rng(0)
    truth = np.zeros((IMAGES, 6, 5))
    truth[:, :, 4] = -1
    found, of = np.zeros((IMAGES, ROWS, 6), np.float32), np.full((IMAGES, ROWS), -1)
    common = np.array([0.2] * 4 + [0.06, 0.06, 0.04, 0.04])
    for i in range(IMAGES):
        count = 0 if i % 12 == 0 else int(rng.integers(1, 7))
        for k in range(count):
            sides = rng.uniform(6, 28, 2)
            corner = rng.uniform(0, SIDE - sides)
            truth[i, k] = [*corner, *(corner + sides), rng.choice(KINDS, p=common)]
        row = 0
        for k in range(count):
            if rng.random() < 0.95:
                found[i, row] = [*(truth[i, k, :4] + rng.normal(0, 0.4, 4)), rng.uniform(0.6, 0.98), truth[i, k, 4]]
                of[i, row], row = k, row + 1
        for _ in range(int(rng.poisson(0.4))):
            corner = rng.uniform(0, SIDE - 12, 2)
            found[i, row], row = [*corner, *(corner + 12), rng.uniform(0.02, 0.55), rng.integers(KINDS)], row + 1
    sites = np.where(np.arange(IMAGES) % 25 == 7, SITE, np.where(np.arange(IMAGES) % 2 == 0, "hall", "yard"))
    return truth, found, of, sites


def fine(base: Any) -> dict[str, Any]:
    """What rounding does, and what makes no difference."""
    rng = np.random.default_rng(2)
    near, shuffled = base.copy(), base.copy()
    near[:, :, :4] += rng.normal(0, 0.05, near[:, :, :4].shape).astype(np.float32)
    near[:, :, SCORE] = np.where(
        base[:, :, SCORE] > 0, np.clip(base[:, :, SCORE] + rng.normal(0, 0.005, base.shape[:2]), 0, 1), 0
    )
    for rows in shuffled:
        rng.shuffle(rows)
    longer = np.concatenate([base, np.zeros((IMAGES, 25, 6), np.float32)], axis=1)
    return {"near": near, "half_precision": base.astype(np.float16), "shuffled": shuffled, "more_rows": longer}


def broken(base: Any, truth: Any, of: Any, sites: Any) -> dict[str, Any]:
    """What a user would call broken, each in its way."""
    rng = np.random.default_rng(3)
    right, there = of >= 0, base[:, :, SCORE] > 0
    area = (base[:, :, X2] - base[:, :, X1]) * (base[:, :, Y2] - base[:, :, Y1])
    rare = there & (base[:, :, CLASS] == RARE)
    lowest = float(base[:, :, SCORE][right].min())
    empty = (truth[:, :, 4] < 0).all(axis=1)
    made: dict[str, Any] = {}

    def variant(name: str) -> Any:
        made[name] = base.copy()
        return made[name]

    def add(to: Any, which: Any, count: int, score: Any, kind: Any = None, size: float = 10) -> None:
        for i in np.flatnonzero(which):
            free = np.flatnonzero(to[i, :, SCORE] == 0)[:count]
            corner = rng.uniform(0, SIDE - size, (len(free), 2))
            to[i, free, :4] = np.concatenate([corner, corner + size], axis=1)
            to[i, free, SCORE] = score
            to[i, free, CLASS] = rng.integers(0, KINDS, len(free)) if kind is None else kind

    every = np.ones(IMAGES, bool)
    add(variant("ghosts"), every, 8, lowest - 0.005)
    add(variant("another_class"), every, 8, 0.99, NOWHERE)
    add(variant("ghosts_where_nothing_is"), empty, 1, lowest - 0.005)
    turned = variant("turned")
    add(turned, every, 8, lowest - 0.005)
    added = (turned[:, :, SCORE] > 0) & ~there
    turned[:, :, X1][added] += 20
    halved = variant("half_of_a_class")
    halved[:, :, SCORE][rare & (rng.random(rare.shape) < 0.5)] = 0
    shrunk = variant("shrunk_class")
    shrunk[:, :, X2][rare] -= 0.35 * (base[:, :, X2] - base[:, :, X1])[rare]
    doubled = variant("doubled")
    for i in range(IMAGES):
        own, free = np.flatnonzero(right[i]), np.flatnonzero(~there[i])
        doubled[i, free[: len(own)]] = base[i, own]
        doubled[i, free[: len(own)], SCORE] = lowest - 0.01
    variant("one_score")[:, :, SCORE] = np.where(there, 0.9, 0)
    small = right & (area <= np.quantile(area[right], 0.04))
    variant("small_shifted")[:, :, :4][small] += 4
    swapped = variant("swapped")
    swapped[:, :, CLASS] = np.where(rare, OTHER, np.where(base[:, :, CLASS] == OTHER, RARE, base[:, :, CLASS]))
    variant("site_lost")[:, :, SCORE][sites == SITE] = 0
    variant("site_of_ghosts")
    add(made["site_of_ghosts"], sites == SITE, 6, lowest - 0.005)
    variant("shy_class")[:, :, SCORE][rare] *= 0.02
    variant("not_a_number")[3, 0, X1] = np.nan
    variant("infinite")[5, 0, Y2] = np.inf
    variant("surer_than_sure")[:, :, SCORE] *= 2
    variant("nothing")[:, :, SCORE] = 0
    return made
