"""Layers ranked: against onnxruntime's own quantizer asked for one layer at a time, and where the worst layer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.explain.sensitivity._models import models, readable
from gatekeeper.explain.sensitivity.divergence import divergence
from gatekeeper.explain.sensitivity.rank import Asked, Begin, Lab, rank
from gatekeeper.making.cache import Cache
from gatekeeper.making.workspace import workspace
from gatekeeper.progress import Silent


def network(folder: Path, names: tuple[str, ...] = ("", "", "", ""), scales: float = 1.0) -> Path:
    """Four layers of 16; the first's channels rescaled by 1 to `scales`, which the second undoes. Writes calib/ beside it."""
    r = np.random.default_rng(3)
    factors = np.exp(np.linspace(0, np.log(scales), 16)) if scales > 1 else np.ones(16)
    weights = [r.standard_normal((16, 16)) / 4 for _ in range(3)] + [r.standard_normal((16, 5)) / 2]
    weights[0], weights[1] = weights[0] * factors[None, :], weights[1] / factors[:, None]
    nodes, at = [], "x"
    for i, name in enumerate(names):
        last = i == len(names) - 1
        nodes.append(helper.make_node("MatMul", [at, f"w{i}"], ["y" if last else f"m{i}"], name=name))
        if not last:
            nodes.append(helper.make_node("Relu", [f"m{i}"], [f"r{i}"]))
            at = f"r{i}"
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(w.astype(np.float32), f"w{i}") for i, w in enumerate(weights)],
    )
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    (folder / "calib").mkdir()
    write_prepared(folder / "calib", {"x": r.standard_normal((96, 16)).astype(np.float32)}, None)
    return path


def lab(folder: Path, technique: str, **changes: Any) -> Lab:
    asked = Begin(
        model=str(folder / "model.onnx"), technique=technique, calibration=str(folder / "calib"), folder=str(folder), **changes
    )
    original, quantized = models(asked)
    from gatekeeper.explain.sensitivity._graph import Pair

    return Lab(Pair(onnx.load(original), onnx.load(quantized)), readable(asked), 1, True)


def test_one_layer_alone_is_what_the_quantizer_makes_of_one_layer(tmp_path: Path) -> None:
    """The oracle quantizes anew for each layer, by the names of nodes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = network(tmp_path, ("a", "b", "c", "d"), scales=50)
    found = lab(tmp_path, "int8_dynamic")
    assert [part.operator for part in found.parts] == ["MatMul"] * 4
    for i, part in enumerate(found.parts):
        alone = tmp_path / f"{i}.onnx"
        quantize_dynamic(path, alone, weight_type=QuantType.QInt8, nodes_to_quantize=["abcd"[i]])
        assert found.alone(i) == pytest.approx(found._of(onnx.load(alone)), rel=1e-3, abs=1e-12), part.output


@pytest.mark.parametrize("technique", ["int8_static", "int8_dynamic", "int4_weight_only"])
def test_layers_are_told_by_their_outputs(tmp_path: Path, technique: str) -> None:
    """No node has a name here; then all have the same, which the runtime itself would refuse."""
    network(tmp_path)
    found = lab(tmp_path, technique)
    alone = [found.alone(i) for i in range(4)]
    assert len({part.output for part in found.parts}) == len(found.parts) == 4
    assert min(alone) > 0, "a layer that is quantized moves the answers"
    for model in (found.pair.original.model, found.pair.quantized.model):
        for node in model.graph.node:
            node.name = "same"
    assert [found.alone(i) for i in range(4)] == alone


def test_the_rescaled_layers_come_first(tmp_path: Path) -> None:
    """In a worker, as users have it; the answers of the original are the same with and without rescaling."""
    (healthy := tmp_path / "healthy").mkdir()
    (skewed := tmp_path / "skewed").mkdir()
    network(healthy), network(skewed, scales=1000)
    told = [lab(folder, "int8_static")._told[0] for folder in (healthy, skewed)]
    np.testing.assert_allclose(told[0], told[1], rtol=1e-3, atol=1e-3)

    from gatekeeper.config.sections.measure import Measure

    with workspace(Cache(tmp_path / "cache"), Measure()) as space:
        asked = Asked(model=skewed / "model.onnx", technique="int8_static", calibration=skewed / "calib")
        ranking = rank(space, asked, Silent())
        with pytest.raises(NotMeasured, match="not of fp16"):
            rank(space, Asked(model=asked.model, technique="fp16", calibration=asked.calibration), Silent())
        first = rank(space, asked, Silent(), budget_s=0)
    assert {layer.output for layer in ranking.layers[:2]} == {"r0", "r1"}
    assert ranking.layers[1].divergence > 10 * ranking.layers[2].divergence
    assert ranking.left == 0
    assert ranking.examples == 64
    assert (len(first.layers), first.left) == (1, 3), "what there was no time for is counted"


@pytest.mark.parametrize("classes", [True, False])
def test_divergence(classes: bool) -> None:
    from scipy.special import softmax
    from scipy.stats import entropy

    r = np.random.default_rng(0)
    a, b = r.standard_normal((50, 7)).astype(np.float32), r.standard_normal((50, 7)).astype(np.float32)
    assert divergence([a], [a], classes) == pytest.approx(0, abs=1e-12)
    if classes:
        assert divergence([a], [b], True) == pytest.approx(
            entropy(softmax(a, axis=1), softmax(b, axis=1), axis=1).mean(), rel=1e-5
        )
        p, q = softmax(a, axis=1), softmax(b, axis=1)
        assert divergence([p], [q], True) == pytest.approx(divergence([a], [b], True), rel=1e-4), "probabilities are not squashed"
    else:
        assert divergence([a], [a + a.std(axis=0)], False) == pytest.approx(0.5, rel=1e-5), "one standard deviation is half a nat"
    assert divergence([a], [np.full_like(b, np.nan)], classes) > 1e5
    assert divergence([np.arange(3)], [np.arange(3)[::-1]], classes) == 0, "integers are no scores"
