"""Models as quantizers get them: functions inlined, old operators renewed or refused in words, biases that fit the scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.tensor_models import EXAMPLES, Model, distance, gemm, node, save, weight
from onnx import helper, numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _onnx_prepare
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.onnx_runtime import open_session, optimize, refuses
from gatekeeper.models.formats.onnx import inspect

INT8 = ("int8_dynamic", "int8_static")


def job(path: Path, calibration: Path | None, technique: str = "int8_static") -> OptimizeJob:
    destination = path.parent / technique
    destination.mkdir(exist_ok=True)
    return OptimizeJob(path, destination, technique, "cpu", vnni=False, calibration=calibration)


def answer(path: Path, model: Model) -> Any:
    session = open_session(path, 1, "cpu")
    return session.run({session.inputs[0]: model.examples})[0]


def kept(model: Model, folder: Path, technique: str = "int8_static") -> float:
    """How far the quantized model's answers are from the original's."""
    path, calibration = save(model, folder)
    assert refuses(technique, inspect(path), calibrated=True) is None
    made = job(path, calibration, technique)
    optimize(made)
    assert inspect(made.destination / "model.onnx").quantized
    return distance(answer(made.destination, model), answer(path, model))


def faint(*shape: int) -> Any:
    """A weight of which every other output channel (the first axis) is next to nothing."""
    values = weight(*shape, scale=0.3)
    values[::2] *= 1e-9
    return values


def loud(count: int) -> Any:
    """A bias that is all of those channels."""
    return np.where(np.arange(count) % 2 == 0, 0.8, 0.0).astype(np.float32)


def faint_conv(group: int = 1) -> Model:
    nodes = [node("Conv", ["x", "w", "b"], ["c"], group=group), node("GlobalAveragePool", ["c"], ["y"])]
    return Model(nodes, (4, 6, 6), {"w": faint(8, 4 // group, 3, 3), "b": loud(8)})


def faint_conv_transpose() -> Model:
    values = weight(4, 8, 3, 3, scale=0.3)
    values[:, ::2] *= 1e-9
    return Model([node("ConvTranspose", ["x", "w", "b"], ["y"], kernel_shape=[3, 3])], (4, 6, 6), {"w": values, "b": loud(8)})


def faint_gemm(shape: tuple[int, ...], beta: float = 1.0, alpha: float = 1.0) -> Model:
    bias = loud(16).reshape(shape) if np.prod(shape) == 16 else np.full(shape, 0.8, np.float32)
    nodes = [node("Gemm", ["x", "w", "b"], ["y"], transB=1, beta=beta, alpha=alpha)]
    return Model(nodes, (32,), {"w": faint(16, 32), "b": bias})


def faint_matmul(shape: tuple[int, ...]) -> Model:
    """Fused into a Gemm while it is prepared."""
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "b"], ["y"])]
    return Model(nodes, (32,), {"w": np.ascontiguousarray(faint(16, 32).T), "b": loud(16).reshape(shape)})


BIASES = {
    "conv": faint_conv,
    "grouped conv": lambda: faint_conv(group=2),
    "conv transpose": faint_conv_transpose,
    "gemm [n]": lambda: faint_gemm((16,)),
    "gemm [1, n]": lambda: faint_gemm((1, 16)),
    "gemm [1, n], beta": lambda: faint_gemm((1, 16), beta=0.5),
    "gemm [n], beta": lambda: faint_gemm((16,), beta=3.0),
    "gemm [n], alpha": lambda: faint_gemm((16,), alpha=0.25),
    "gemm [1]": lambda: faint_gemm((1,)),
    "gemm [1, 1]": lambda: faint_gemm((1, 1)),
    "gemm []": lambda: faint_gemm(()),
    "matmul and add [n]": lambda: faint_matmul((16,)),
    "matmul and add [1, n]": lambda: faint_matmul((1, 16)),
}


@pytest.mark.parametrize("name", BIASES)
def test_a_bias_too_large_for_its_weights_scale_is_kept(tmp_path: Path, name: str) -> None:
    assert kept(BIASES[name](), tmp_path) < 0.03


@pytest.mark.parametrize("shape", [(EXAMPLES, 256), (EXAMPLES, 1)])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_bias_of_its_own_for_each_row_is_added_apart(tmp_path: Path, shape: tuple[int, int], beta: float) -> None:
    model = gemm()
    graph = model.proto.graph
    graph.node[0].attribute.append(helper.make_attribute("beta", beta))
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = EXAMPLES
    graph.output[0].type.tensor_type.shape.dim[0].dim_value = EXAMPLES
    next(t for t in graph.initializer if t.name == "b0").CopyFrom(numpy_helper.from_array(weight(*shape, scale=1), "b0"))
    assert kept(model, tmp_path) < 0.05


def function(name: str, inputs: list[str], outputs: list[str], nodes: list[Any], opset: int = 17) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, inputs, outputs, nodes, imports)


LINEAR = function("Linear", ["a", "w", "b"], ["o"], [node("MatMul", ["a", "w"], ["t"]), node("Add", ["t", "b"], ["o"])])


def with_functions(nodes: list[Any], functions: list[onnx.FunctionProto], weights: dict[str, Any]) -> Model:
    model = Model([node("Relu", ["x"], ["y"])], (32,), {})
    graph = model.proto.graph
    del graph.node[:]
    graph.node.extend(nodes)
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = 10
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    model.proto.functions.extend(functions)
    model.proto.opset_import.append(helper.make_opsetid("own", 1))
    onnx.checker.check_model(model.proto)
    return model


def linears() -> Model:
    nodes = [
        node("Linear", ["x", "w1", "b1"], ["h"], domain="own"),
        node("Relu", ["h"], ["r"]),
        node("Linear", ["r", "w2", "b2"], ["y"], domain="own"),
    ]
    return with_functions(nodes, [LINEAR], WEIGHTS)


def nested() -> Model:
    """A function that calls another one, twice."""
    inner = [
        node("Linear", ["a", "w1", "b1"], ["h"], domain="own"),
        node("Relu", ["h"], ["r"]),
        node("Linear", ["r", "w2", "b2"], ["o"], domain="own"),
    ]
    both = function("Both", ["a", "w1", "b1", "w2", "b2"], ["o"], inner)
    return with_functions([node("Both", ["x", "w1", "b1", "w2", "b2"], ["y"], domain="own")], [LINEAR, both], WEIGHTS)


def own_weights() -> Model:
    """Functions whose matrices are constants of their own, one of them given out to the caller."""
    held = [
        node("Constant", [], ["w"], value=numpy_helper.from_array(weight(32, 48), "w")),
        node("MatMul", ["a", "w"], ["o"]),
    ]
    given = [node("Transpose", ["w"], ["t"], perm=[1, 0])]
    functions = [function("Held", ["a"], ["o"], held), function("Turned", ["w"], ["t"], given)]
    nodes = [
        node("Held", ["x"], ["h"], domain="own"),
        node("Turned", ["w"], ["t"], domain="own"),
        node("MatMul", ["h", "t"], ["y"]),
    ]
    return with_functions(nodes, functions, {"w": weight(10, 48)})


WEIGHTS = {"w1": weight(32, 48), "b1": weight(48), "w2": weight(48, 10), "b2": weight(10)}
FUNCTIONS = {"linears": linears, "nested": nested, "own weights": own_weights}


@pytest.mark.parametrize("technique", [*INT8, "fp16", "int8_weight_only", "int4_weight_only"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_looked_into(tmp_path: Path, name: str, technique: str) -> None:
    model = FUNCTIONS[name]()
    path, calibration = save(model, tmp_path)
    about = inspect(path)
    assert about.functions == len(model.proto.functions)
    assert about.weighted_operators == {"MatMul": 2}
    assert refuses(technique, about, calibrated=True) is None
    made = job(path, calibration, technique)
    optimize(made)
    after = inspect(made.destination / "model.onnx")
    assert after.quantized or "float16" in after.weights
    assert distance(answer(made.destination, model), answer(path, model)) < (0.3 if technique.startswith("int4") else 0.1)


def test_a_function_that_calls_itself_is_no_model(tmp_path: Path) -> None:
    endless = function("Linear", ["a", "w", "b"], ["o"], [node("Linear", ["a", "w", "b"], ["o"], domain="own")])
    model = linears()
    del model.proto.functions[:]
    model.proto.functions.append(endless)
    path, _ = save(model, tmp_path)
    with pytest.raises(NotMeasured, match="call one another more than 30 deep"):
        inspect(path)


def resized(operator: str, opset: int, mode: str, scale: float = 2.0) -> Model:
    """A convolution whose result is made larger, as older exporters write it."""
    scales = np.array([1, 1, scale, scale], np.float32)
    given: dict[str, Any] = {"scales": scales.tolist()} if opset < 9 else {}
    nodes = [
        node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node(operator, ["c"] if given else ["c", "scales"], ["u"], mode=mode, **given),
        node("Flatten", ["u"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    width = 4 * int(4 * scale) ** 2
    weights = {"k": weight(4, 1, 3, 3, scale=0.3), "w": weight(width, 10)} | ({} if given else {"scales": scales})
    return Model(nodes, (1, 4, 4), weights, opset=opset)


@pytest.mark.parametrize("technique", INT8)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(("operator", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
def test_old_operators_keep_their_meaning_or_are_refused_in_words(
    tmp_path: Path, operator: str, opset: int, mode: str, technique: str
) -> None:
    """What counts as half-way between two pixels is another matter from opset 11 on."""
    try:
        found = kept(resized(operator, opset, mode), tmp_path, technique)
    except NotMeasured as refused:
        assert f"operators of opset {opset}: export with 13 or newer" in str(refused)
        assert "Assertion" not in str(refused)
        return
    assert found < 0.1


def test_a_conversion_that_works_is_used(tmp_path: Path) -> None:
    assert kept(resized("Upsample", 9, "nearest"), tmp_path) < 0.1


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_conversion_that_changes_the_answers_is_not_blamed_on_the_quantizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrated: bool
) -> None:
    model = resized("Upsample", 9, "nearest")
    path, calibration = save(model, tmp_path)

    def spoilt(source: onnx.ModelProto, target: int) -> onnx.ModelProto:
        made = convert(source, target)
        kernel = next(t for t in made.graph.initializer if t.name == "w")
        kernel.CopyFrom(numpy_helper.from_array(1.1 * numpy_helper.to_array(kernel), "w"))
        return made

    convert = onnx.version_converter.convert_version
    monkeypatch.setattr(onnx.version_converter, "convert_version", spoilt)
    with pytest.raises(
        NotMeasured,
        match=r"to opset 13 changes the answers: before anything is quantized, its answers are 10\.0% away .* 13 or newer",
    ):
        _onnx_prepare.prepared(job(path, calibration if calibrated else None), tmp_path)


def test_what_cannot_be_converted_says_which_export_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("BaseConverter.h:66: adapter_lookup: Assertion `false` failed: No Adapter From Version $9 for Resize")

    path, calibration = save(resized("Upsample", 9, "nearest"), tmp_path)
    monkeypatch.setattr(onnx.version_converter, "convert_version", refuse)
    with pytest.raises(NotMeasured) as caught:
        _onnx_prepare.prepared(job(path, calibration), tmp_path)
    assert "operators of opset 9: export with 13 or newer" in str(caught.value)
    assert "Assertion" not in str(caught.value)
