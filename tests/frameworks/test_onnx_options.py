"""Each option of ONNX Runtime's techniques, by what the artifact's graph then has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from kit.tensor_models import EXAMPLES, Model, distance, gemm, mlp, node, save, skewed, weight
from onnx import numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks._calibration import evenly
from gatekeeper.frameworks._onnx_nodes import unique_names
from gatekeeper.frameworks._onnx_options import OPTIONS, OnnxRuntimeOptions
from gatekeeper.frameworks._onnx_rescale import EQUALIZED
from gatekeeper.frameworks._options import filled, unusual
from gatekeeper.frameworks._patterns import Node, matched
from gatekeeper.frameworks._session import FILE, write_session
from gatekeeper.frameworks.onnx_runtime import TECHNIQUES, open_session, optimize


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., onnx.ModelProto]:
    """`made(technique, **options)`: the artifact's graph, each made once."""
    root = tmp_path_factory.mktemp("options")
    path, calibration = save(skewed(), root)
    kept: dict[str, onnx.ModelProto] = {}

    def make(technique: str = "int8_static", vnni: bool = False, **options: Any) -> onnx.ModelProto:
        key = repr((technique, vnni, sorted(options.items())))
        if key not in kept:
            folder = root / str(len(list(root.iterdir())))
            folder.mkdir()
            asked = msgspec.convert(options, OPTIONS[technique])
            optimize(OptimizeJob(path, folder, technique, "cpu", vnni=vnni, calibration=calibration, options=asked))
            kept[key] = onnx.load(str(folder / "model.onnx"))
        return kept[key]

    return make


Made = Callable[..., onnx.ModelProto]


def constants(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def dequantized(model: onnx.ModelProto) -> list[tuple[Any, Any, Any]]:
    """(weight, scale, zero point) of every weight in integers: what DequantizeLinear reads of constants, but no bias."""
    held = constants(model)
    found = [[held.get(name) for name in n.input] for n in model.graph.node if n.op_type == "DequantizeLinear"]
    return [tuple(each) for each in found if each[0] is not None and each[0].dtype in (np.int8, np.uint8)]


def pairs(model: onnx.ModelProto) -> int:
    return sum(n.op_type == "QuantizeLinear" for n in model.graph.node)


def activations(model: onnx.ModelProto) -> list[Any]:
    held = constants(model)
    return [held[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"]


def test_every_options_are_those_of_a_technique() -> None:
    assert set(OPTIONS) <= set(TECHNIQUES)


@pytest.mark.parametrize("technique", ["int8_static", "int8_dynamic", "int4_weight_only", "fp16"])
def test_options_at_their_defaults_change_nothing(tmp_path: Path, technique: str) -> None:
    path, calibration = save(mlp(), tmp_path)
    found = []
    for options in (None, OPTIONS[technique]()):
        folder = tmp_path / str(options is None)
        folder.mkdir()
        optimize(OptimizeJob(path, folder, technique, "cpu", vnni=False, calibration=calibration, options=options))
        found.append((folder / "model.onnx").read_bytes())
    assert found[0] == found[1]


def test_per_channel_or_one_scale(made: Made) -> None:
    assert {np.size(scale) for _, scale, _ in dequantized(made())} == {8, 6, 10}
    assert {np.size(scale) for _, scale, _ in dequantized(made(per_channel=False))} == {1}


def test_unsigned_weights(made: Made) -> None:
    assert {w.dtype for w, _, _ in dequantized(made())} == {np.dtype(np.int8)}
    assert {w.dtype for w, _, _ in dequantized(made(weights="uint8"))} == {np.dtype(np.uint8)}


@pytest.mark.parametrize(
    ("vnni", "wanted", "most"), [(False, "auto", 64), (True, "auto", 127), (False, False, 127), (True, True, 64)]
)
def test_reduced_range(made: Made, vnni: bool, wanted: Any, most: int) -> None:
    largest = max(int(np.abs(w.astype(int)).max()) for w, _, _ in dequantized(made(vnni=vnni, reduce_range=wanted)))
    assert (most == 64) == (largest <= 64) and largest <= 127


def test_activations_of_16_bits(made: Made) -> None:
    assert {zero.dtype for zero in activations(made())} == {np.dtype(np.uint8)}
    assert {zero.dtype for zero in activations(made(activations=16))} == {np.dtype(np.uint16)}


def test_symmetric_activations(made: Made) -> None:
    assert {int(zero) for zero in activations(made())} != {int(zero) for zero in activations(made(symmetric=True))}
    assert {int(zero) for zero in activations(made(symmetric=True))} <= {127, 128}


def scales(model: onnx.ModelProto) -> list[float]:
    held = constants(model)
    return [float(held[n.input[1]]) for n in model.graph.node if n.op_type == "QuantizeLinear"]


@pytest.mark.parametrize("method", ["entropy", "percentile", "distribution"])
def test_calibration_that_leaves_outliers_out(made: Made, method: str) -> None:
    options = {"calibration": method} | ({"percentile": 90.0} if method == "percentile" else {})
    clipped, whole = scales(made(**options)), scales(made())
    assert len(clipped) == len(whole) and clipped != whole
    assert all(a <= b * 1.001 for a, b in zip(clipped, whole, strict=True)) or method == "distribution"


def test_a_percentile_is_the_one_that_is_asked_for(made: Made) -> None:
    few, many = (scales(made(calibration="percentile", percentile=share)) for share in (80.0, 99.0))
    assert all(a < b for a, b in zip(few, many, strict=True))


def test_ranges_after_a_relu_begin_at_0_however_they_are_calibrated(made: Made) -> None:
    for method in ("minmax", "entropy", "percentile"):
        assert {0} < {int(zero) for zero in activations(made(calibration=method))}, method


def test_fewer_examples_are_drawn_from_all_parts(made: Made) -> None:
    assert evenly(16, 1, 4) == [0, 4, 8, 12] and evenly(16, 1, None) == list(range(16)) and evenly(4, 4, 6) == [0, 2]
    assert scales(made(examples=2)) != scales(made())
    with pytest.raises(NotMeasured, match=f"has {EXAMPLES} examples, and {EXAMPLES + 1} are asked for"):
        made(examples=EXAMPLES + 1)


FLOATS = {"Conv", "Gemm"}


def quantized_weights(model: onnx.ModelProto) -> Counter[str]:
    """Operators by type whose weight comes out of a DequantizeLinear."""
    made_by = {output: n.op_type for n in model.graph.node for output in n.output}
    reads = [(n.op_type, made_by.get(n.input[1])) for n in model.graph.node if n.op_type in FLOATS]
    return Counter(kind for kind, source in reads if source == "DequantizeLinear")


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["stem"], {"Conv": 1, "Gemm": 1}),
        (["b"], {"Conv": 1, "Gemm": 1}),  # a node without a name goes by its output
        (["Conv"], {"Gemm": 1}),
        (["st?m", "h*"], {"Conv": 1}),
        (["Gemm", "stem"], {"Conv": 1}),
    ],
)
def test_what_is_excluded_stays_in_floating_point(made: Made, exclude: list[str], left: dict[str, int]) -> None:
    assert quantized_weights(made()) == {"Conv": 2, "Gemm": 1}
    assert quantized_weights(made(exclude=exclude)) == left


@pytest.mark.parametrize("technique", ["int8_static", "int8_dynamic", "int4_weight_only", "fp16"])
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("stm", r"exclude 'stm' matches no node; did you mean 'stem'\? The model has Conv, .*nodes are called stem, "),
        ("Cnv", r"did you mean 'Conv'\?"),
        ("*nothing*", "matches no node"),
    ],
)
def test_what_matches_nothing_is_an_error(made: Made, technique: str, pattern: str, words: str) -> None:
    with pytest.raises(NotMeasured, match=words):
        made(technique, exclude=[pattern])


def test_excluding_what_is_not_changed_anyway_is_an_error(made: Made) -> None:
    with pytest.raises(NotMeasured, match="exclude 'Flatten' means Flatten, which are not changed"):
        made(exclude=["Flatten"])


def test_every_node_gets_a_name_of_its_own() -> None:
    """ONNX Runtime opens no model in which two nodes share a name; other tools write them, and make bodies of functions one."""
    nodes = [node("Relu", ["x"], ["a"], name="act"), node("Relu", ["a"], ["b"], name="act"), node("Relu", ["b"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", [], [])
    unique_names(graph)
    assert [n.name for n in graph.node] == ["act", "act_", "Relu_of_y"]


def test_a_pattern_means_operators_names_and_what_is_left_open() -> None:
    plain, bracketed, unnamed = Node("conv[1]", "Conv", ("t",)), Node("a*", "Relu", ("u",)), Node("", "Gemm", ("v", "w"))
    nodes = [plain, bracketed, unnamed]
    for pattern, meant in {
        "Conv": [plain],
        "conv[1]": [plain],
        "conv[*": [plain],
        "a*": [bracketed],
        "w": [unnamed],
        "t": [],
    }.items():
        assert [each for each in nodes if matched(pattern, each)] == meant, pattern
    assert matched("*", plain) and not matched("conv", plain) and not matched("conv?", plain)


def test_a_node_that_is_fused_is_excluded_by_its_old_name(tmp_path: Path) -> None:
    """MatMul and Add become one Gemm, under a name of its own."""
    model = mlp()
    model.proto.graph.node[0].name = "first"
    path, calibration = save(model, tmp_path)
    for exclude, count in (((), 2), (("first",), 1)):
        folder = tmp_path / str(count)
        folder.mkdir()
        asked = msgspec.convert({"exclude": exclude}, OPTIONS["int8_static"])
        optimize(OptimizeJob(path, folder, "int8_static", "cpu", vnni=False, calibration=calibration, options=asked))
        assert len(dequantized(onnx.load(str(folder / "model.onnx")))) == count


def test_operators_that_are_asked_for_are_those_that_change(made: Made) -> None:
    assert quantized_weights(made(operators=["Conv"])) == {"Conv": 2}
    with pytest.raises(
        NotMeasured, match=r"operators 'Con' matches no node; did you mean 'Conv'\? The technique quantizes .*Conv"
    ):
        made(operators=["Con"])


def test_dynamic_options(made: Made) -> None:
    plain, channels = made("int8_dynamic"), made("int8_dynamic", per_channel=True)
    assert max(np.size(a) for name, a in constants(plain).items() if name.endswith("scale")) == 1
    assert max(np.size(a) for name, a in constants(channels).items() if name.endswith("scale")) > 1
    unsigned = {a.dtype for name, a in constants(made("int8_dynamic", weights="uint8")).items() if name.endswith("_quantized")}
    assert unsigned == {np.dtype(np.uint8)}
    reduced = constants(made("int8_dynamic", reduce_range=True))
    assert max(int(np.abs(a.astype(int)).max()) for name, a in reduced.items() if name.endswith("_quantized")) <= 64
    assert sum(n.op_type == "ConvInteger" for n in made("int8_dynamic", exclude=["stem"]).graph.node) == 1


@pytest.mark.parametrize("of", [gemm, mlp])
def test_a_gemm_that_is_excluded_is_not_quantized_as_a_matmul(of: Callable[[], Model], tmp_path: Path) -> None:
    """The dynamic quantizer takes it apart before it reads names; what is multiplied and added becomes one before that."""
    path, calibration = save(of(), tmp_path)
    first = next(iter(onnx.load(str(path)).graph.node))

    def products(*exclude: str) -> int:
        folder = tmp_path / f"made{len(exclude)}"
        folder.mkdir()
        asked = msgspec.convert({"exclude": exclude}, OPTIONS["int8_dynamic"])
        optimize(OptimizeJob(path, folder, "int8_dynamic", "cpu", vnni=False, calibration=calibration, options=asked))
        return sum(n.op_type == "MatMulInteger" for n in onnx.load(str(folder / "model.onnx")).graph.node)

    assert products() == 2
    assert products(first.name or first.output[0]) == 1
    with pytest.raises(NotMeasured, match="it changed nothing"):
        products("*", first.op_type)


def test_weight_only_options(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)

    def matrices(**options: Any) -> list[dict[str, Any]]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        asked = msgspec.convert(options, OPTIONS["int4_weight_only"])
        optimize(OptimizeJob(path, folder, "int4_weight_only", "cpu", vnni=False, calibration=None, options=asked))
        graph = onnx.load(str(folder / "model.onnx")).graph
        nodes = [n for n in graph.node if n.op_type == "MatMulNBits"]
        return [{a.name: a.i for a in n.attribute} | {"inputs": len([i for i in n.input if i])} for n in nodes]

    assert [(m["block_size"], m["accuracy_level"], m["inputs"]) for m in matrices()] == [(32, 4, 3)] * 2
    assert [m["block_size"] for m in matrices(block_size=64)] == [64, 64]
    assert [m["accuracy_level"] for m in matrices(accuracy_level=1)] == [1, 1]
    assert [m["inputs"] for m in matrices(symmetric=False)] == [4, 4]
    assert len(matrices(exclude=["y"])) == 1


def test_half_precision_leaves_out_what_is_excluded(made: Made) -> None:
    def halves(model: onnx.ModelProto) -> set[str]:
        return {name for name, array in constants(model).items() if array.dtype == np.float16}

    assert any("k0" in name for name in halves(made("fp16")))
    assert not any("k0" in name for name in halves(made("fp16", exclude=["stem"])))


def test_equalized_is_said_in_the_artifact_and_keeps_more(made: Made, tmp_path: Path) -> None:
    plain, better = made(per_channel=False), made(per_channel=False, equalize=True)
    said = {entry.key: entry.value for entry in better.metadata_props}[EQUALIZED]
    assert "stem -> " in said and "(8 channels, ranges " in said
    model = skewed()
    path, _ = save(model, tmp_path)

    def answer(proto: onnx.ModelProto | None) -> Any:
        place = path
        if proto is not None:
            place = tmp_path / "one.onnx"
            onnx.save(proto, str(place))
        session = open_session(place, 1, "cpu")
        return session.run({"x": model.examples})[0]

    right = answer(None)
    assert distance(answer(better), right) < distance(answer(plain), right) / 3
    assert pairs(better) == pairs(plain)


def test_equalizing_what_cannot_be_is_refused(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "k"], ["a"], kernel_shape=[3, 3]), node("Sigmoid", ["a"], ["s"]), node("Conv", ["s", "j"], ["y"])]
    path, calibration = save(Model(nodes, (3, 8, 8), {"k": weight(4, 3, 3, 3), "j": weight(2, 4, 3, 3)}), tmp_path)
    (tmp_path / "made").mkdir()
    asked = msgspec.convert({"equalize": True}, OPTIONS["int8_static"])
    job = OptimizeJob(path, tmp_path / "made", "int8_static", "cpu", vnni=False, calibration=calibration, options=asked)
    with pytest.raises(NotMeasured, match="equalize found no two layers"):
        optimize(job)


def test_a_session_is_opened_as_its_artifact_says(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(path.read_bytes())
    plain = open_session(folder, 1, "cpu")
    write_session(folder, {"arena": False, "prepacking": False})
    opened = open_session(folder, 1, "cpu")
    settings = [each._session.get_session_options() for each in (plain, opened)]  # type: ignore[union-attr]
    assert [each.enable_cpu_mem_arena for each in settings] == [True, False]
    assert settings[1].get_session_config_entry("session.disable_prepacking") == "1"
    (folder / FILE).write_text('{"arean": false}')
    with pytest.raises(NotMeasured, match="does not say how the model is opened"):
        open_session(folder, 1, "cpu")


def test_every_field_of_options_is_described_and_has_a_default() -> None:
    for kind in {*OPTIONS.values(), OnnxRuntimeOptions}:
        assert not unusual(kind())
        assert filled(kind()) == filled(msgspec.convert(filled(kind()), kind))
