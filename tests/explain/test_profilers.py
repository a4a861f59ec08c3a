"""Each framework's profiler on a model of which it is known what takes the time, and where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from kit.support import spec
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.data.feeds import write_feeds
from gatekeeper.errors import NotMeasured
from gatekeeper.explain.ceiling import Move, MovedBytes
from gatekeeper.explain.profilers._base import REGISTRY, Node, Times, profiler
from gatekeeper.explain.profiling import Look, Looked, kernels, profile_of, shares
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.process.messages import Held


def heavy(folder: Path) -> Path:
    """One product of large matrices among additions; no node has a name."""
    size = 512
    r = np.random.default_rng(0)
    nodes = [
        helper.make_node("Add", ["x", "one"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Mul", ["b", "one"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [16, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [16, size])],
        [
            numpy_helper.from_array(r.standard_normal((size, size)).astype(np.float32), "w"),
            numpy_helper.from_array(np.full((1,), 2, np.float32), "one"),
        ],
    )
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    write_feeds(folder / "feeds.npz", [{"x": r.standard_normal((16, size)).astype(np.float32)} for _ in range(2)])
    return path


def looked(folder: Path, path: Path, framework: str) -> Looked:
    request = Look(spec=spec(path, framework), inputs=str(folder / "feeds.npz"), folder=str(folder), seconds=0.1)
    return request.answer(Held())


def test_onnx_runtime(tmp_path: Path) -> None:
    found = looked(tmp_path, heavy(tmp_path), "onnx_runtime")
    profile = profile_of("onnx_runtime", found)
    assert profile.operators[0].operator == "FusedMatMul", "with the multiplication behind it"
    assert sum(each.share for each in profile.operators) == pytest.approx(1)
    assert profile.inside
    by_node = shares(found.times)
    assert set(by_node) == {0, 1}, "numbers of the artifact's nodes, which have no names; of fused ones, of one of them"
    assert max(by_node, key=lambda each: by_node[each]) == 1
    [product] = [node for node in found.times.nodes if node.index == 1]
    assert product.moved == 512 * 512 * 4 + 2 * 16 * 512 * 4, "its matrix too, which the runtime holds packed"


def test_openvino(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    found = looked(tmp_path, heavy(tmp_path), "openvino")
    profile = profile_of("openvino", found)
    assert found.times.runs >= 400
    assert profile.operators[0].operator in ("FullyConnected", "MatMul"), profile.operators
    assert all(node.index is None and node.moved is None for node in found.times.nodes)


@pytest.mark.parametrize("name", FRAMEWORKS.builtin)
def test_every_framework_has_a_profiler_or_says_that_it_has_none(name: str) -> None:
    assert profiler(name).DESCRIPTION
    assert name in REGISTRY.builtin


def test_none() -> None:
    with pytest.raises(NotMeasured, match="there is no profiler of somebody_elses"):
        profiler("somebody_elses")
    with pytest.raises(NotMeasured, match="MLX has no profiler"):
        profiler("apple_mlx").profile(spec("x", "apple_mlx"), [], Path(), 0.1)


def test_phases_are_no_operators() -> None:
    """What is outside of llama.cpp's own phases is not known."""
    times = Times(nodes=[Node(operator="prompt token", ns=1e6), Node(operator="further token", ns=3e6)], runs=3, phases=True)
    profile = profile_of("llama_cpp", Looked(latency_ns=1e5, times=times))
    assert [(each.operator, each.share) for each in profile.operators] == [("further token", 0.75), ("prompt token", 0.25)]
    assert profile.inside is None


def test_a_short_or_small_kernel_says_nothing_of_the_ceiling() -> None:
    nodes = [
        Node(operator="Conv", ns=90_000, moved=1 << 20),
        Node(operator="Relu", ns=1_000, moved=1 << 20),
        Node(operator="Add", ns=30_000, moved=100),
    ]
    found = kernels(Looked(latency_ns=121_000, times=Times(nodes=nodes, runs=9)), 121_000)
    assert found == {"Conv": pytest.approx((1 << 20) / 90e-6)}


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_machine_moves(threads: int) -> None:
    answer = Move(bytes=1 << 21, threads=threads, rounds=2, seconds=0.005).answer(Held())
    assert answer.sensible(1e9)
    assert [set(each) for each in answer.rounds] == [{"copy", "triad", "read"}] * 2
    assert not MovedBytes(rounds=[{"copy": 0.0}]).sensible(1e9)
    assert not MovedBytes(rounds=[]).sensible(1e9)


def test_llama_cpp(tmp_path: Path) -> None:
    """Its own clock, which it keeps for nobody else: further tokens of a long answer take more than a prompt of a few."""
    pytest.importorskip("llama_cpp")
    from kit.tiny_llm import VOCABULARY, write_llama

    from gatekeeper.frameworks import llama_cpp
    from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob

    source = write_llama(tmp_path / "model", "llama")
    made = tmp_path / "made"
    made.mkdir()
    llama_cpp.optimize(
        OptimizeJob(source=source, destination=made, technique=ORIGINAL, device="cpu", vnni=False, calibration=None)
    )
    r = np.random.default_rng(0)
    feeds = [{"tokens": r.integers(0, VOCABULARY, 8), "new_tokens": np.int64(24)}]
    found = profiler("llama_cpp").profile(spec(made, "llama_cpp"), feeds, tmp_path, 0.1)
    spent = {node.operator: node.ns for node in found.nodes}
    assert set(spent) == {"prompt token", "further token"}
    assert found.phases
    assert 0 < spent["prompt token"] < spent["further token"]
    plain = llama_cpp.open_session(made, 1, "cpu")
    list(plain.generate(feeds[0]))
    assert plain.timings()["further token"][0] == 0.0, "not where it is not asked"
