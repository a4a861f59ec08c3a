"""Each option of Olive's techniques, by what the artifact's graph then has."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from kit.tensor_models import Model, gemm, node, save, weight
from onnx import numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks._session import write_session
from gatekeeper.frameworks.microsoft_olive import OPTIONS, TECHNIQUES, named, open_session, optimize

pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Olive leaves temporary folders to the garbage collector, and what it finds later counts as of other tests."""
    yield
    gc.collect()


def layers() -> Model:
    """Two convolutions and three matrices; one node has no name."""
    nodes = [
        node("Conv", ["x", "k0", "b0"], ["a"], name="stem", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["a"], ["ra"], name="act"),
        node("Flatten", ["ra"], ["f"], name="flat"),
        node("MatMul", ["f", "w0"], ["m0"], name="first"),
        node("Relu", ["m0"], ["r0"]),
        node("MatMul", ["r0", "w1"], ["m1"]),
        node("Relu", ["m1"], ["r1"]),
        node("MatMul", ["r1", "w2"], ["y"], name="last"),
    ]
    weights = {
        "k0": weight(4, 3, 3, 3, scale=0.3), "b0": weight(4), "w0": weight(4 * 16, 64), "w1": weight(64, 64), "w2": weight(64, 10)
    }  # fmt: skip
    return Model(nodes, (3, 4, 4), weights)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model and its calibration set."""
    return save(layers(), tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, source: tuple[Path, Path]) -> Callable[..., onnx.ModelProto]:
    """`made(technique, **options)`: the artifact's graph, each made once."""
    root = tmp_path_factory.mktemp("options")
    kept: dict[str, onnx.ModelProto] = {}

    def make(technique: str, vnni: bool = False, **options: Any) -> onnx.ModelProto:
        key = repr((technique, vnni, sorted(options.items())))
        if key not in kept:
            folder = root / str(len(list(root.iterdir())))
            folder.mkdir()
            asked = msgspec.convert(options, OPTIONS[technique])
            optimize(OptimizeJob(source[0], folder, technique, "cpu", vnni=vnni, calibration=source[1], options=asked))
            kept[key] = onnx.load(str(folder / "model.onnx"))
        return kept[key]

    return make


Made = Callable[..., onnx.ModelProto]


def constants(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def weights_of(model: onnx.ModelProto) -> list[tuple[Any, Any]]:
    """(weight, scale) of every weight in 8 bits that is read by DequantizeLinear, but no bias."""
    held = constants(model)
    found = [[held.get(name) for name in n.input] for n in model.graph.node if n.op_type == "DequantizeLinear"]
    return [(each[0], each[1]) for each in found if each[0] is not None and each[0].dtype in (np.int8, np.uint8)]


def activations(model: onnx.ModelProto) -> list[tuple[Any, Any]]:
    held = constants(model)
    return [(held[n.input[1]], held[n.input[2]]) for n in model.graph.node if n.op_type == "QuantizeLinear"]


def blocks(model: onnx.ModelProto) -> dict[str, dict[str, int]]:
    """Attributes of each matrix in blocks, by the name of its weight, and how many inputs it has."""
    found = {}
    for each in model.graph.node:
        if each.op_type == "MatMulNBits":
            kept = {a.name: a.i for a in each.attribute if a.name in ("bits", "block_size", "accuracy_level")}
            found[each.name] = kept | {"inputs": sum(bool(name) for name in each.input)}
    return found


def test_every_options_are_those_of_a_technique() -> None:
    assert set(OPTIONS) == set(TECHNIQUES) - {"hqq"}


def test_options_at_their_defaults_change_nothing(made: Made, source: tuple[Path, Path], tmp_path: Path) -> None:
    optimize(OptimizeJob(source[0], tmp_path, "int8_static", "cpu", vnni=False, calibration=source[1]))
    assert onnx.load(str(tmp_path / "model.onnx")).SerializeToString() == made("int8_static").SerializeToString()


def test_static_scales_and_types(made: Made) -> None:
    plain, other = made("int8_static"), made("int8_static", per_channel=False, weights="uint8", activations=16)
    assert {np.size(scale) for _, scale in weights_of(plain)} == {4, 64, 10}
    assert {np.size(scale) for _, scale in weights_of(other)} == {1}
    assert {w.dtype for w, _ in weights_of(plain)} == {np.dtype(np.int8)}
    assert {w.dtype for w, _ in weights_of(other)} == {np.dtype(np.uint8)}
    assert {zero.dtype for _, zero in activations(plain)} == {np.dtype(np.uint8)}
    assert {zero.dtype for _, zero in activations(other)} == {np.dtype(np.uint16)}


def test_static_ranges(made: Made) -> None:
    def ranges(**options: Any) -> list[float]:
        return [float(scale) for scale, _ in activations(made("int8_static", **options))]

    plain = ranges()
    for options in ({"calibration": "percentile", "percentile": 90.0}, {"calibration": "entropy"}, {"examples": 3}):
        found = ranges(**options)
        assert len(found) == len(plain) and found != plain
        assert sum(found) < sum(plain)  # outliers are left out, or fewer are seen
    assert {int(zero) for _, zero in activations(made("int8_static", symmetric=True))} != {
        int(zero) for _, zero in activations(made("int8_static"))
    }
    largest = {
        wanted: max(int(np.abs(w.astype(int)).max()) for w, _ in weights_of(made("int8_static", reduce_range=wanted)))
        for wanted in (True, False)
    }
    assert largest[True] <= 64 < largest[False]


@pytest.mark.parametrize("technique", ["int8_static", "int8_dynamic", "k_quant", "int4_weight_only", "fp16"])
def test_what_is_excluded_stays_as_it_is(made: Made, technique: str) -> None:
    """By name, and by the output of the node that has no name."""

    def floats(model: onnx.ModelProto) -> set[tuple[int, ...]]:
        return {array.shape for array in constants(model).values() if array.dtype == np.float32 and array.ndim == 2}

    assert not floats(made(technique)) & {(64, 64), (64, 10)}
    assert floats(made(technique, exclude=["last", "m1"])) >= {(64, 64), (64, 10)}


def test_a_gemm_that_is_excluded_is_not_quantized_as_a_matmul(tmp_path: Path) -> None:
    path, calibration = save(gemm(), tmp_path)
    (tmp_path / "made").mkdir()
    asked = msgspec.convert({"exclude": ["b"]}, OPTIONS["int8_dynamic"])
    optimize(OptimizeJob(path, tmp_path / "made", "int8_dynamic", "cpu", vnni=False, calibration=calibration, options=asked))
    assert sum(n.op_type == "MatMulInteger" for n in onnx.load(str(tmp_path / "made" / "model.onnx")).graph.node) == 1


def test_dynamic_weights(made: Made) -> None:
    def kinds(**options: Any) -> tuple[set[str], int]:
        held = constants(made("int8_dynamic", **options)).items()
        types = {array.dtype.name for name, array in held if array.ndim == 2 and array.dtype.itemsize == 1}
        return types, max(array.size for name, array in held if name.endswith("_scale"))

    assert kinds() == ({"int8"}, 1)
    assert kinds(weights="uint8", per_channel=True) == ({"uint8"}, 64)


def test_blocks(made: Made) -> None:
    assert [each["bits"] for each in blocks(made("k_quant")).values()] == [4, 4, 4]
    assert {(each["block_size"], each["accuracy_level"]) for each in blocks(made("k_quant")).values()} == {(32, 4)}
    mixed = blocks(made("k_quant", block_size=64, accuracy_level=1, eight_bits=["first"]))
    assert Counter(each["bits"] for each in mixed.values()) == {4: 2, 8: 1}
    assert {(each["block_size"], each["accuracy_level"]) for each in mixed.values()} == {(64, 1)}
    [eight] = [name for name, each in mixed.items() if each["bits"] == 8]
    assert "first" in eight
    plain, offsets = blocks(made("int4_weight_only")), blocks(made("int4_weight_only", symmetric=False, block_size=16))
    assert {each["inputs"] for each in plain.values()} == {3} and {each["inputs"] for each in offsets.values()} == {4}
    assert {each["block_size"] for each in offsets.values()} == {16}


@pytest.mark.parametrize(
    ("technique", "options", "expected"),
    [
        ("k_quant", {"exclude": ["lst"]}, "exclude 'lst' matches no node; did you mean 'last'?"),
        ("k_quant", {"eight_bits": ["nothing*"]}, "eight_bits 'nothing*' matches no node"),
        ("k_quant", {"eight_bits": ["first"], "exclude": ["MatMul"]}, "exclude and eight_bits both mean first"),
        ("k_quant", {"exclude": ["stem"]}, "exclude 'stem' means Conv, which are not changed: MatMul are"),
        ("int8_static", {"examples": 10_000}, "and 10000 are asked for. Ask for fewer"),
    ],
)
def test_what_is_asked_for_and_not_there(made: Made, technique: str, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(NotMeasured) as caught:
        made(technique, **options)
    assert expected in str(caught.value)


def test_options_that_do_not_go_together(source: tuple[Path, Path]) -> None:
    [(field, said)] = msgspec.convert({"percentile": 99.0}, OPTIONS["int8_static"]).wrong()
    assert field == "percentile" and "this is minmax" in said
    for technique, wrong in {"int8_static": {"calibration": "distribution"}, "k_quant": {"block_size": 48}}.items():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, OPTIONS[technique])
    assert msgspec.convert({"eight_bits": ["first"]}, OPTIONS["k_quant"]).patterns() == {"eight_bits": ("first",)}
    assert [each.name for each in named(source[0]) or () if each.operator == "MatMul"] == ["first", "", "last"]


def test_how_it_is_opened(made: Made, tmp_path: Path) -> None:
    onnx.save(made("int8_dynamic"), str(tmp_path / "model.onnx"))
    write_session(tmp_path, {"arena": False, "prepacking": False})
    options = open_session(tmp_path, 1, "cpu")._session.get_session_options()
    assert options.enable_cpu_mem_arena is False
    assert options.get_session_config_entry("session.disable_prepacking") == "1"
