"""What explaining costs and finds: layers ranked beside quantizing anew for each, and where dynamic int8 spends its time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from kit.support import spec

from gatekeeper.data.feeds import write_feeds
from gatekeeper.data.prepared import write_prepared
from gatekeeper.explain.ceiling import Move
from gatekeeper.explain.profiling import Look, Looked, profile_of
from gatekeeper.explain.sensitivity.rank import Begin, Begun, One
from gatekeeper.frameworks import onnx_runtime
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.hardware.machine import this_machine
from gatekeeper.process.messages import Held

FIFTH, MATRICES, MOST_LOADED = 0.2, 18, 0.6


def job(folder: Path, example: Path, technique: str) -> OptimizeJob:
    """One artifact of an example, into a folder that holds its calibration set too."""
    name = onnx.load(example / "model.onnx").graph.input[0].name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("calib", "made"):
        (folder / part).mkdir(parents=True)
    with np.load(example / "calib.npz") as data:
        write_prepared(folder / "calib", {name: data["x"]}, None)
        write_feeds(folder / "feeds.npz", [{name: data["x"][i : i + 1]} for i in range(32)])
    return OptimizeJob(
        source=example / "model.onnx",
        destination=folder / "made",
        technique=technique,
        device="cpu",
        vnni=this_machine().vnni,
        calibration=folder / "calib",
    )


def test_ranking_beside_requantizing(example: Callable[[str], Path], tmp_path: Path) -> None:
    """A requantization is timed once: 18 of them would be as many times that, and leave out what asking them takes."""
    made = job(tmp_path, example("digits-vit"), "int8_static")
    start = time.perf_counter()
    onnx_runtime.optimize(made)
    once = time.perf_counter() - start
    start, held = time.perf_counter(), Held()
    begun = Begin(
        model=str(made.source), technique="int8_static", calibration=str(made.calibration), folder=str(tmp_path), vnni=made.vnni
    ).answer(held)
    assert isinstance(begun, Begun)
    for index in range(len(begun.layers)):
        One(index=index).answer(held)
    ranked = time.perf_counter() - start
    matrices = sum(layer.weights > 0 for layer in begun.layers)
    print(f"\n{len(begun.layers)} layers ranked in {ranked:.1f} s, one quantization included; one alone takes {once:.1f} s:")
    print(f"{ranked / (MATRICES * once):.2f} of {MATRICES} requantizations")
    assert matrices == MATRICES
    assert ranked <= FIFTH * MATRICES * once


def test_where_dynamic_int8_spends_its_time(example: Callable[[str], Path], tmp_path: Path) -> None:
    made = job(tmp_path, example("digits-cnn"), "int8_dynamic")
    onnx_runtime.optimize(made)
    asked = Look(spec=spec(made.destination), inputs=str(tmp_path / "feeds.npz"), folder=str(tmp_path))
    found = asked.answer(Held())
    assert isinstance(found, Looked)
    operators = profile_of("onnx_runtime", found).operators
    print("\n" + ", ".join(f"{each.operator} {each.share:.0%}" for each in operators[:4]))
    assert operators[0].operator == "ConvInteger"
    assert operators[0].share >= MOST_LOADED


def test_what_only_moves_is_near_the_ceiling(tmp_path: Path) -> None:
    """Adding large arrays is a STREAM kernel by itself; a product of matrices moves a small part of that."""
    from onnx import TensorProto, helper, numpy_helper

    def used(nodes: list[onnx.NodeProto], shape: list[int], constant: list[int]) -> float:
        r = np.random.default_rng(0)
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
        held = numpy_helper.from_array(r.standard_normal(constant).astype(np.float32), "w")
        graph = helper.make_graph(nodes, "g", [x], [y], [held])
        path = tmp_path / "m.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        write_feeds(tmp_path / "feeds.npz", [{"x": r.standard_normal(shape).astype(np.float32)}])
        looked = Look(spec=spec(path), inputs=str(tmp_path / "feeds.npz"), folder=str(tmp_path), seconds=1).answer(Held())
        moved = sum(node.moved or 0 for node in looked.times.nodes)
        ways = Move(bytes=moved, threads=1).answer(Held()).rounds
        return moved * 1e9 / looked.latency_ns / max(max(each["copy"], each["triad"]) for each in ways)

    adding = used([helper.make_node("Add", ["x", "w"], ["y"])], [1, 1 << 24], [1, 1 << 24])
    product = used([helper.make_node("MatMul", ["x", "w"], ["y"])], [512, 1024], [1024, 1024])
    print(f"\nadding moves {adding:.0%} of the ceiling, a product of matrices {product:.0%}")
    assert adding > 5 * product
