"""Each option of OpenVINO's techniques, by what the artifact's graph then has, read with OpenVINO itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.tensor_models import Model, distance, mlp, node, save, skewed, weight
from test_frameworks_openvino import answer

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks._openvino_options import OPTIONS
from gatekeeper.frameworks._patterns import matched
from gatekeeper.frameworks.openvino import TECHNIQUES, named, optimize
from gatekeeper.models.files import assess

Made = Callable[..., Any]


def mixed() -> Model:
    """A convolution with a name, one without, and two matrices."""
    nodes = [
        node("Conv", ["x", "k0", "b0"], ["a"], name="stem", kernel_shape=[3, 3]),
        node("Relu", ["a"], ["ra"]),
        node("Conv", ["ra", "k1"], ["b"], kernel_shape=[3, 3]),
        node("Flatten", ["b"], ["f"]),
        node("Gemm", ["f", "w", "wb"], ["g"], name="deep/inner"),
        node("Relu", ["g"], ["rg"]),
        node("Gemm", ["rg", "v"], ["y"], name="head"),
    ]
    weights = {
        "k0": weight(8, 3, 3, 3, scale=0.3),
        "b0": weight(8),
        "k1": weight(8, 8, 3, 3, scale=0.3),
        "w": weight(128, 128),
        "wb": weight(128),
        "v": weight(128, 10),
    }
    return Model(nodes, (3, 8, 8), weights)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`made(technique, **options)`: the artifact as OpenVINO reads it, each made once."""
    import openvino

    root = tmp_path_factory.mktemp("options")
    path, calibration = save(mixed(), root)
    kept: dict[str, Any] = {}

    def make(technique: str = "int8_static", calibrated: bool = True, vnni: bool = False, **options: Any) -> Any:
        key = repr((technique, calibrated, vnni, sorted(options.items())))
        if key not in kept:
            folder = root / str(len(list(root.iterdir())))
            folder.mkdir()
            asked = msgspec.convert(options, OPTIONS[technique]) if options else None
            data = calibration if calibrated else None
            optimize(OptimizeJob(path, folder, technique, "cpu", vnni=vnni, calibration=data, options=asked))
            kept[key] = openvino.Core().read_model(folder / "model.xml")
        return kept[key]

    return make


def weights(model: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """(type, shape) of the constant behind each operation's weight, by the operation's name."""
    found = {}
    for op in model.get_ordered_ops():
        if op.get_type_name() in ("Convolution", "MatMul"):
            source = op.input_value(1).get_node()
            while source.get_type_name() not in ("Constant", "Parameter"):
                source = source.input_value(0).get_node()
            found[op.get_friendly_name()] = (source.get_element_type().get_type_name(), tuple(source.get_output_shape(0)))
    return found


def bits(model: Any) -> Counter[str]:
    return Counter(kind for kind, _ in weights(model).values())


def fakes(model: Any) -> list[Any]:
    return [op for op in model.get_ordered_ops() if op.get_type_name() == "FakeQuantize"]


def ranges(model: Any) -> list[float]:
    """The upper end of what each activation may be."""
    return sorted(float(np.max(op.input_value(2).get_node().get_data())) for op in fakes(model))


def test_every_options_are_those_of_a_technique() -> None:
    assert set(OPTIONS) <= set(TECHNIQUES)


@pytest.mark.parametrize("technique", ["int8_static", "int8_weight_only", "int4_weight_only"])
def test_options_at_their_defaults_change_nothing(tmp_path: Path, technique: str) -> None:
    path, calibration = save(mlp(), tmp_path)
    found = []
    for options in (None, OPTIONS[technique]()):
        folder = tmp_path / str(options is None)
        folder.mkdir()
        optimize(OptimizeJob(path, folder, technique, "cpu", vnni=False, calibration=calibration, options=options))
        found.append((folder / "model.bin").read_bytes())
    assert found[0] == found[1]


def lowest(model: Any) -> list[float]:
    return sorted(float(np.min(op.input_value(1).get_node().get_data())) for op in fakes(model))


def test_presets_differ_in_zero_points(made: Made) -> None:
    """Symmetric ranges reach as far below 0 as above; others where values lie."""
    symmetric, mixed_ = made(preset="performance"), made(preset="mixed")
    assert lowest(symmetric) == lowest(made())  # what `auto` is for this model
    assert lowest(symmetric) != lowest(mixed_)


def test_reduced_range(made: Made) -> None:
    def largest(model: Any) -> int:
        constants = [op for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]
        return max(
            int(np.abs(op.get_data().astype(int)).max()) for op in constants if op.get_element_type().get_type_name() == "i8"
        )

    assert largest(made(vnni=False)) <= 64 < largest(made(vnni=False, reduce_range=False)) <= 128
    assert largest(made(vnni=True, reduce_range=True)) <= 64 < largest(made(vnni=True))


def test_fewer_examples(made: Made) -> None:
    assert ranges(made(examples=2)) != ranges(made())
    with pytest.raises(NotMeasured, match="has 16 examples, and 17 are asked for"):
        made(examples=17)


def test_bias_correction(made: Made) -> None:
    """The slower one corrects the biases otherwise; ranges stay."""

    def floats(model: Any) -> list[Any]:
        return [
            op.get_data()
            for op in model.get_ordered_ops()
            if op.get_type_name() == "Constant" and op.get_output_shape(0)[1:2] == [8]
        ]

    fast, slow = made(), made(fast_bias_correction=False)
    assert ranges(fast) == ranges(slow)
    assert not all(np.array_equal(a, b) for a, b in zip(floats(fast), floats(slow), strict=True))


def test_equalized_is_said_in_the_artifact_and_keeps_more(tmp_path: Path) -> None:
    path, calibration = save(skewed(), tmp_path)
    said = OPTIONS["int8_static"](equalize=True).unfit("int8_static", msgspec.structs.replace(assess(path), format="openvino_ir"))
    assert said and "start from ONNX" in said
    away = {}
    for equalize in (False, True):
        folder = tmp_path / str(equalize)
        folder.mkdir()
        asked = OPTIONS["int8_static"](equalize=equalize)
        optimize(OptimizeJob(path, folder, "int8_static", "cpu", vnni=False, calibration=calibration, options=asked))
        away[equalize] = distance(answer(folder, skewed()), answer(path, skewed()))
        assert ("stem -> " in (folder / "model.xml").read_text()) == equalize
    assert away[True] < away[False] / 1.5


def test_smooth_quant_is_of_transformers(tmp_path: Path) -> None:
    path, _ = save(mixed(), tmp_path)
    said = OPTIONS["int8_static"](smooth_quant_alpha=0.5).unfit("int8_static", assess(path))
    assert said and re.search("is for transformers, and this is a model of the kind cnn", said)


def attention() -> Model:
    nodes = [
        node("MatMul", ["x", "q"], ["a"]),
        node("MatMul", ["x", "k"], ["b"]),
        node("Transpose", ["b"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["a", "t"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["x", "v"], ["c"]),
        node("MatMul", ["p", "c"], ["o"]),
        node("ReduceMean", ["o"], ["z"], axes=[-1]),
        node("Sub", ["o", "z"], ["l"]),
        node("MatMul", ["l", "w"], ["y"]),
    ]
    return Model(nodes, (6, 32), {name: weight(32, 32, scale=0.3) for name in "qkvw"})


def test_smooth_quant_moves_outliers_as_far_as_it_is_told(tmp_path: Path) -> None:
    import openvino

    path, calibration = save(attention(), tmp_path)
    if assess(path).architecture != "transformer":
        pytest.skip("this model is not taken for a transformer")
    found = []
    for alpha in (0.1, 0.9):
        folder = tmp_path / str(alpha)
        folder.mkdir()
        asked = OPTIONS["int8_static"](smooth_quant_alpha=alpha)
        optimize(OptimizeJob(path, folder, "int8_static", "cpu", vnni=True, calibration=calibration, options=asked))
        found.append(ranges(openvino.Core().read_model(folder / "model.xml")))
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["stem"], {"stem/WithoutBiases"}),
        (["b"], {"b"}),  # a node without a name goes by its output
        (["Conv"], {"stem/WithoutBiases", "b"}),
        (["Convolution"], {"stem/WithoutBiases", "b"}),
        (["Gemm"], {"deep/inner/WithoutBiases", "head/WithoutBiases"}),
        (["*inner", "st*"], {"stem/WithoutBiases", "deep/inner/WithoutBiases"}),
    ],
)
@pytest.mark.parametrize("technique", ["int8_static", "int8_weight_only", "int4_weight_only"])
def test_what_is_excluded_stays_in_floating_point(made: Made, technique: str, exclude: list[str], left: set[str]) -> None:
    if technique == "int4_weight_only" and "deep/inner/WithoutBiases" in left:
        with pytest.raises(NotMeasured, match=r"it changed nothing: .* or it is excluded"):  # no 4 bits are left
            made(technique, exclude=exclude)
        return
    names = {name for name, (kind, _) in weights(made(technique, exclude=exclude)).items() if kind.startswith("f")}
    usual = {name for name, (kind, _) in weights(made(technique)).items() if kind.startswith("f")}
    assert names - usual == left and not usual


@pytest.mark.parametrize("technique", ["int8_static", "int8_weight_only", "int4_weight_only", "int8_accuracy_control"])
def test_what_matches_nothing_is_an_error(made: Made, technique: str) -> None:
    with pytest.raises(
        NotMeasured, match=r"exclude 'stm' matches no node; did you mean 'stem'\? The model has .*Conv, Convolution"
    ):
        made(technique, exclude=["stm"])


def test_what_may_be_named_is_known_without_openvino(tmp_path: Path, made: Made) -> None:
    """`validate` and the work agree of an ONNX model."""
    path, _ = save(mixed(), tmp_path)
    nodes = named(path)
    assert nodes is not None
    for pattern in ("stem", "b", "Conv", "Convolution", "Gemm", "MatMul", "*inner"):
        assert any(matched(pattern, each) for each in nodes), pattern
    assert not any(matched("stm", each) for each in nodes)


def test_modes_of_8_bit_weights(made: Made) -> None:
    assert bits(made("int8_weight_only")) == {"u8": 4}
    assert bits(made("int8_weight_only", mode="symmetric")) == {"i8": 4}


def test_options_of_4_bit_weights(made: Made) -> None:
    plain = weights(made("int4_weight_only"))
    assert plain["deep/inner/WithoutBiases"] == ("i4", (2, 64, 128)) and plain["head/WithoutBiases"][0] in ("i8", "u8")
    assert weights(made("int4_weight_only", mode="asymmetric"))["deep/inner/WithoutBiases"][0] == "u4"
    assert weights(made("int4_weight_only", group_size=32))["deep/inner/WithoutBiases"] == ("i4", (4, 32, 128))
    assert weights(made("int4_weight_only", group_size=-1))["deep/inner/WithoutBiases"] == ("i4", (128, 128))
    assert weights(made("int4_weight_only", all_layers=True))["head/WithoutBiases"][0] == "i4"


def test_a_ratio_leaves_some_matrices_in_8_bits(tmp_path: Path) -> None:
    import openvino

    names = [f"w{index}" for index in range(6)]
    steps = [node("MatMul", [before, name], [after], name=name) for before, name, after in zip(
        ["x", *"abcde"], names, [*"abcde", "y"], strict=True)]  # fmt: skip
    path, _ = save(Model(steps, (64,), {name: weight(64, 64, scale=0.1 + index) for index, name in enumerate(names)}), tmp_path)
    found = {}
    for ratio in (1.0, 0.5):
        folder = tmp_path / str(ratio)
        folder.mkdir()
        asked = OPTIONS["int4_weight_only"](all_layers=True, ratio=ratio)
        optimize(OptimizeJob(path, folder, "int4_weight_only", "cpu", vnni=True, calibration=None, options=asked))
        found[ratio] = bits(openvino.Core().read_model(folder / "model.xml"))
    assert found[1.0] == {"i4": 6} and 0 < found[0.5]["i4"] <= 3


@pytest.mark.parametrize("option", ["awq", "scale_estimation"])
def test_weights_that_are_fitted_to_data_are_others(made: Made, option: str) -> None:
    def values(model: Any) -> list[Any]:
        return [op.get_data() for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]

    plain, fitted = (
        values(made("int4_weight_only", all_layers=True)),
        values(made("int4_weight_only", all_layers=True, **{option: True})),
    )
    assert len(plain) != len(fitted) or not all(np.array_equal(a, b) for a, b in zip(plain, fitted, strict=True))


def test_scale_estimation_needs_data(made: Made) -> None:
    with pytest.raises(NotMeasured, match=r"scale_estimation needs `dataset\.calibration`"):
        made("int4_weight_only", calibrated=False, scale_estimation=True)


def test_accuracy_control_takes_another_share(made: Made) -> None:
    """A share that nothing can miss leaves every layer in 8 bits."""
    loose = made("int8_accuracy_control", max_drop=0.5)
    assert bits(loose) == bits(made())
