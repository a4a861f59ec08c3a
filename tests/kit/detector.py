"""A small detector, trained here on drawn shapes: filled squares, rings and crosses, and an output as YOLOv8 has it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, STRIDE, KINDS, STEPS = 64, 8, 3, 300
CELLS = SIDE // STRIDE
WIDTHS = (3, 8, 24, 32, 32)


def draw(generator: np.random.Generator, count: int, most: int = 3) -> tuple[Any, list[Any]]:
    """Images [count, 3, SIDE, SIDE] of up to `most` shapes, some of none, and boxes [k, 5] of each."""
    images = generator.normal(0.3, 0.08, (count, 3, SIDE, SIDE)).astype(np.float32)
    boxes: list[Any] = []
    for image in images:
        own: list[list[float]] = []
        for _ in range(generator.integers(0, most + 1)):
            size = int(generator.integers(12, 25))
            x, y = (int(v) for v in generator.integers(0, SIDE - size, 2))
            if any(x < b[2] + 2 and b[0] - 2 < x + size and y < b[3] + 2 and b[1] - 2 < y + size for b in own):
                continue
            kind = int(generator.integers(KINDS))
            image[:, y : y + size, x : x + size][:, _shape(kind, size)] += generator.uniform(0.4, 0.8, (3, 1)).astype(np.float32)
            own.append([x, y, x + size, y + size, kind])
        boxes.append(np.asarray(own, float).reshape(-1, 5))
    return images, boxes


def _shape(kind: int, size: int) -> Any:
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    if kind == 0:
        return np.ones((size, size), bool)
    if kind == 1:
        far = np.hypot(rows, columns)
        return (far <= size / 2) & (far >= size / 2 - 4)
    return (np.abs(rows) <= 2) | (np.abs(columns) <= 2)


def padded(boxes: list[Any]) -> Any:
    """As an .npz holds them, [examples, most, 5]."""
    array = np.zeros((len(boxes), max(map(len, boxes)), 5))
    array[:, :, 4] = -1
    for i, own in enumerate(boxes):
        array[i, : len(own)] = own
    return array


def trained() -> dict[str, Any]:
    """Of the trained convolutions."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    torch.set_num_threads(1)
    layers = torch.nn.ModuleList(
        [torch.nn.Conv2d(a, b, 3, 2 if i < 3 else 1, 1) for i, (a, b) in enumerate(pairwise(WIDTHS))]
        + [torch.nn.Conv2d(WIDTHS[-1], 4 + KINDS, 1)]
    )
    optimizer = torch.optim.Adam(layers.parameters(), 4e-3)
    generator = np.random.default_rng(0)
    images, boxes = draw(generator, 1000)
    there, what, where = (torch.from_numpy(each) for each in _targets(boxes))
    x = torch.from_numpy(images)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.2e-2, total_steps=STEPS)
    for _ in range(STEPS):
        rows = torch.from_numpy(generator.integers(0, len(x), 40))
        found = x[rows]
        for i, layer in enumerate(layers):
            found = layer(found) if i == len(layers) - 1 else functional.relu(layer(found))
        flat = found.flatten(2)
        loss = 4 * functional.binary_cross_entropy_with_logits(flat[:, 4:], what[rows])
        own = there[rows]
        loss = loss + functional.l1_loss(torch.sigmoid(flat[:, :4]).transpose(1, 2)[own], where[rows].transpose(1, 2)[own])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return {name.replace(".", "_"): value.detach().numpy() for name, value in layers.state_dict().items()}


def _targets(boxes: list[Any]) -> tuple[Any, Any, Any]:
    """Cells that hold a centre, which class each holds, and where in the cell the centre is and how large the shape."""
    there = np.zeros((len(boxes), CELLS * CELLS), bool)
    what = np.zeros((len(boxes), KINDS, CELLS * CELLS), np.float32)
    where = np.zeros((len(boxes), 4, CELLS * CELLS), np.float32)
    for i, own in enumerate(boxes):
        for x1, y1, x2, y2, kind in own:
            cx, cy = (x1 + x2) / 2 / STRIDE, (y1 + y2) / 2 / STRIDE
            cell = int(cy) * CELLS + int(cx)
            there[i, cell] = True
            what[i, int(kind), cell] = 1
            where[i, :, cell] = cx % 1, cy % 1, (x2 - x1) / SIDE, (y2 - y1) / SIDE
    return there, what, where


def write(path: Path, own: dict[str, Any]) -> None:
    """The model as ONNX."""
    nodes, last = [], "x"
    for i in range(len(WIDTHS)):
        final = i == len(WIDTHS) - 1
        made = "raw" if final else f"c{i}"
        attributes = (
            {"kernel_shape": [1, 1]} if final else {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2 if i < 3 else 1] * 2}
        )
        nodes.append(helper.make_node("Conv", [last, f"{i}_weight", f"{i}_bias"], [made], **attributes))
        if not final:
            nodes.append(helper.make_node("Relu", [made], [f"r{i}"]))
            last = f"r{i}"
    rows, columns = np.indices((CELLS, CELLS)).reshape(2, -1).astype(np.float32)
    origin = np.stack([columns, rows, 0 * rows, 0 * rows])[None] * STRIDE
    scale = np.asarray([STRIDE, STRIDE, SIDE, SIDE], np.float32).reshape(1, 4, 1)
    constants = {
        "shape": np.asarray([0, 4 + KINDS, -1], np.int64),
        "origin": origin,
        "scale": scale,
        "parts": np.asarray([4, KINDS], np.int64),
    }
    nodes += [
        helper.make_node("Reshape", ["raw", "shape"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["shares"]),
        helper.make_node("Split", ["shares", "parts"], ["box", "score"], axis=1),
        helper.make_node("Mul", ["box", "scale"], ["sized"]),
        helper.make_node("Add", ["sized", "origin"], ["placed"]),
        helper.make_node("Concat", ["placed", "score"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 4 + KINDS, CELLS * CELLS])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (own | constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
