"""Every technique of ONNX Runtime on small real models: it runs, stays close, and what is refused is rightly refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepared import write_prepared
from gatekeeper.frameworks._base import OptimizeJob, framework
from gatekeeper.frameworks.onnx_runtime import TECHNIQUES, defaults, open_session, optimize, refuses, supports
from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.selection import TARGETS, hardware
from gatekeeper.models.formats.onnx import inspect

node = helper.make_node
EXAMPLES = 16


class Model:
    """An ONNX model and examples for its one input, x."""

    def __init__(
        self,
        nodes: list[onnx.NodeProto],
        shape: tuple[int, ...],
        weights: dict[str, np.ndarray],
        dtype: type = np.float32,
        opset: int = 17,
        examples: np.ndarray | None = None,
    ):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        out = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32 if dtype is np.int64 else dtype))
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", kind, ["n", *shape])],
            [helper.make_tensor_value_info("y", out, None)],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        self.proto = onnx.shape_inference.infer_shapes(made)
        del self.proto.graph.value_info[:]
        onnx.checker.check_model(self.proto)
        random = np.random.default_rng(1)
        self.examples = random.standard_normal((EXAMPLES, *shape)).astype(dtype) if examples is None else examples


def weight(*shape: int, scale: float = 0.1, dtype: type = np.float32) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * scale).astype(dtype)


def mlp(bias: tuple[int, ...] = (256,)) -> Model:
    nodes = [
        node("MatMul", ["x", "w0"], ["a"]),
        node("Add", ["a", "b0"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MatMul", ["c", "w1"], ["y"]),
    ]
    return Model(nodes, (64,), {"w0": weight(64, 256), "b0": weight(*bias), "w1": weight(256, 10)})


def gemm(bias: tuple[int, ...] = (256,)) -> Model:
    nodes = [
        node("Gemm", ["x", "w0", "b0"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("Gemm", ["c", "w1", "b1"], ["y"], transB=1),
    ]
    weights = {"w0": weight(64, 256), "b0": weight(*bias), "w1": weight(10, 256), "b1": weight(10)}
    return Model(nodes, (64,), weights)


def cnn() -> Model:
    nodes = [
        node("Conv", ["x", "k", "kb"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a"], ["b"]),
        node("Flatten", ["b"], ["c"]),
        node("Gemm", ["c", "w", "wb"], ["y"]),
    ]
    weights = {"k": weight(8, 3, 3, 3, scale=0.3), "kb": weight(8), "w": weight(8 * 64, 10), "wb": weight(10)}
    return Model(nodes, (3, 16, 16), weights)


def recurrent(operator: str, gates: int) -> Model:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(operator, ["t", "w", "r"], ["o", "h"], hidden_size=8),
        node("Squeeze", ["h", "axis"], ["y"]),
    ]
    weights = {"w": weight(1, gates * 8, 4), "r": weight(1, gates * 8, 8), "axis": np.array([0], np.int64)}
    return Model(nodes, (5, 4), weights)


def conv_transpose() -> Model:
    return Model([node("ConvTranspose", ["x", "k"], ["y"], kernel_shape=[3, 3])], (3, 8, 8), {"k": weight(3, 16, 3, 3)})


def embedding() -> Model:
    nodes = [node("Gather", ["table", "x"], ["e"]), node("ReduceMean", ["e"], ["y"], axes=[1], keepdims=0)]
    ids = np.random.default_rng(2).integers(0, 100, (EXAMPLES, 6))
    return Model(nodes, (6,), {"table": weight(100, 32)}, np.int64, examples=ids)


def shape_arithmetic() -> Model:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["d"]),
        node("Cast", ["d"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["x", "scale"], ["m"]),
        node("Add", ["m", "f"], ["y"]),
    ]
    return Model(nodes, (64,), {"scale": weight(64), "one": np.array(1, np.int64)})


def constant_node() -> Model:
    nodes = [
        node("Constant", [], ["w"], value=numpy_helper.from_array(weight(64, 32), "w")),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    return Model(nodes, (64,), {})


def transposed_weight() -> Model:
    return Model([node("Transpose", ["w"], ["t"], perm=[1, 0]), node("MatMul", ["x", "t"], ["y"])], (64,), {"w": weight(32, 64)})


def vector_weight() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64)})


def batched_weight() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (4, 64), {"w": weight(1, 64, 32)})


def half() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32, dtype=np.float16)}, np.float16)


def double() -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32, dtype=np.float64)}, np.float64)


def single(opset: int) -> Model:
    return Model([node("MatMul", ["x", "w"], ["y"])], (64,), {"w": weight(64, 32)}, opset=opset)


def branches() -> Model:
    def side(name: str) -> onnx.GraphProto:
        kernel = numpy_helper.from_array(weight(64, 32), f"w{name}")
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 32])
        return helper.make_graph([node("MatMul", ["x", f"w{name}"], [name])], name, [], [out], [kernel])

    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=side("t"), else_branch=side("e")),
    ]
    return Model(nodes, (64,), {"zero": np.array(0, np.float32)})


def attention() -> Model:
    nodes = [
        node("MatMul", ["x", "wq"], ["q"]),
        node("MatMul", ["x", "wk"], ["k"]),
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return Model(nodes, (5, 32), {"wq": weight(32, 32), "wk": weight(32, 32)})


def parameterless() -> Model:
    return Model([node("Relu", ["x"], ["y"])], (64,), {})


MODELS = {
    "mlp": mlp,
    "gemm": gemm,
    "cnn": cnn,
    "lstm": lambda: recurrent("LSTM", 4),
    "gru": lambda: recurrent("GRU", 3),
    "conv_transpose": conv_transpose,
    "embedding": embedding,
    "shape_arithmetic": shape_arithmetic,
    "constant_node": constant_node,
    "transposed_weight": transposed_weight,
    "vector_weight": vector_weight,
    "batched_weight": batched_weight,
    "half": half,
    "double": double,
    "opset 9": lambda: single(9),
    "opset 12": lambda: single(12),
    "opset 22": lambda: single(22),
    "branches": branches,
    "attention": attention,
    "parameterless": parameterless,
}


def save(model: Model, folder: Path) -> tuple[Path, Path]:
    """The model file and a calibration folder."""
    path, calibration = folder / "original.onnx", folder / "calibration"
    onnx.save(model.proto, str(path))
    calibration.mkdir()
    write_prepared(calibration, {"x": model.examples}, None)
    return path, calibration


def make(path: Path, technique: str, calibration: Path | None, vnni: bool | None = None) -> Path:
    """The folder of the artifact."""
    destination = path.parent / technique
    destination.mkdir()
    optimize(
        OptimizeJob(
            source=path,
            destination=destination,
            technique=technique,
            device="cpu",
            vnni=this_machine().vnni if vnni is None else vnni,
            calibration=calibration,
        )
    )
    return destination


def answer(path: Path, model: Model) -> Any:
    session = open_session(path, 1, "cpu")
    (found,) = session.run({session.inputs[0]: model.examples})
    return found


def distance(found: Any, expected: Any) -> float:
    """Relative root mean square difference."""
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected.astype(np.float64)))


CLOSE = {"graph_optimized": 1e-5, "fp16": 0.01, "int8_dynamic": 0.1, "int8_static": 0.1, "int4_weight_only": 0.3}


def test_every_technique_has_a_tolerance_here() -> None:
    assert set(CLOSE) == set(TECHNIQUES)


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_technique_stays_close_to_the_original(tmp_path: Path, name: str, technique: str) -> None:
    model = MODELS[name]()
    path, calibration = save(model, tmp_path)
    if refuses(technique, inspect(path), calibrated=True):
        pytest.skip("refused, see below")
    found = answer(make(path, technique, calibration), model)
    original = answer(path, model)
    assert found.shape == original.shape
    assert found.dtype == original.dtype
    assert distance(found, original) < CLOSE[technique]


# Nothing in these is a matrix or a kernel: quantizing a lone vector is possible and helps nobody.
REFUSED_ON_PURPOSE = {("shape_arithmetic", "int8_static"), ("vector_weight", "int8_dynamic"), ("vector_weight", "int8_static")}


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("name", MODELS)
def test_what_is_refused_would_change_nothing_and_the_rest_works(tmp_path: Path, name: str, technique: str) -> None:
    model = MODELS[name]()
    path, calibration = save(model, tmp_path)
    assessment = inspect(path)
    refused = refuses(technique, assessment, calibrated=True)
    if refused is None:
        artifact = make(path, technique, calibration)
        assert distance(answer(artifact, model), answer(path, model)) < max(CLOSE[technique], 0.4)
        assert inspect(artifact / "model.onnx").quantized == technique.startswith("int")
        return
    if (name, technique) in REFUSED_ON_PURPOSE:
        return
    try:
        artifact = make(path, technique, calibration)
        answer(artifact, model)
    except Exception:
        return
    made = inspect(artifact / "model.onnx")
    assert made.weights == assessment.weights, f"refused because {refused}, and yet it works"


@pytest.mark.parametrize("technique", ["fp16", "graph_optimized", "int8_dynamic", "int8_static", "int4_weight_only"])
def test_a_quantized_model_is_not_quantized_again(tmp_path: Path, technique: str) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    quantized = make(path, "int8_dynamic", calibration) / "model.onnx"
    refused = refuses(technique, inspect(quantized), calibrated=True)
    assert (refused is not None) == (technique != "graph_optimized")
    if refused is None:
        again = make(quantized, technique, calibration)
        assert distance(answer(again, model), answer(path, model)) < 0.2


@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.parametrize("make_model", [mlp, gemm])
def test_static_quantization_takes_a_bias_of_shape_1_n(tmp_path: Path, make_model: Any, vnni: bool) -> None:
    model = make_model((1, 256))
    path, calibration = save(model, tmp_path)
    found = answer(make(path, "int8_static", calibration, vnni), model)
    assert distance(found, answer(path, model)) < CLOSE["int8_static"]


def test_the_artifact_needs_nothing_outside_its_folder(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    folders = [make(path, technique, calibration) for technique in TECHNIQUES]
    before = path.read_bytes()
    path.unlink()
    for folder in folders:
        assert [f.name for f in folder.iterdir()] == ["model.onnx"]
        answer(folder, model)
    assert before == model.proto.SerializeToString()


def test_making_twice_gives_the_same_numbers(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    for technique in TECHNIQUES:
        first = answer(make(path, technique, calibration), model)
        (path.parent / technique).rename(path.parent / f"{technique}-first")
        assert np.array_equal(first, answer(make(path, technique, calibration), model))


def test_a_model_with_external_weights_is_optimized(tmp_path: Path) -> None:
    model = mlp()
    path, calibration = save(model, tmp_path)
    original = answer(path, model)
    onnx.save(model.proto, str(path), save_as_external_data=True, location="original.onnx.data", size_threshold=0)
    for technique in TECHNIQUES:
        assert distance(answer(make(path, technique, calibration), model), original) < CLOSE[technique]


@pytest.mark.parametrize("batch", [3, EXAMPLES])
def test_static_quantization_calibrates_in_the_models_own_batch(tmp_path: Path, batch: int) -> None:
    model = mlp()
    model.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    path, calibration = save(model, tmp_path)
    model.examples = model.examples[:batch]
    assert distance(answer(make(path, "int8_static", calibration), model), answer(path, model)) < CLOSE["int8_static"]


def test_a_calibration_set_smaller_than_a_batch_is_not_enough(tmp_path: Path) -> None:
    model = mlp()
    model.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = EXAMPLES + 1
    path, calibration = save(model, tmp_path)
    with pytest.raises(NotMeasured, match="fewer examples than the model's batch of 17"):
        make(path, "int8_static", calibration)


def test_static_quantization_without_calibration_is_refused(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    assert "dataset.calibration" in (refuses("int8_static", inspect(path), calibrated=False) or "")
    with pytest.raises(NotMeasured, match=r"dataset\.calibration") as caught:
        make(path, "int8_static", None)
    assert caught.value.kind == "data"


@pytest.mark.parametrize("technique", [t for t in TECHNIQUES if t != "int8_static"])
def test_the_others_need_no_calibration(tmp_path: Path, technique: str) -> None:
    model = mlp()
    path, _ = save(model, tmp_path)
    assert refuses(technique, inspect(path), calibrated=False) is None
    answer(make(path, technique, None), model)


@pytest.mark.parametrize("device", sorted({hardware(name).DEVICE for name in TARGETS.names}))
def test_a_device_is_supported_or_there_is_a_reason(tmp_path: Path, device: str) -> None:
    import onnxruntime

    path, _ = save(mlp(), tmp_path)
    reason = supports("onnx", device)
    assert (reason is None) == (device in ("cpu", "cuda"))
    if device == "cpu" or (device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()):
        return
    with pytest.raises(NotMeasured) as caught:
        open_session(path, 1, device)
    assert caught.value.kind == "unsupported"


def test_another_format_is_not_supported() -> None:
    assert "gguf" in (supports("gguf", "cpu") or "")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_defaults_are_techniques(device: str) -> None:
    assert set(defaults("onnx", device)) <= set(TECHNIQUES)
    assert defaults("onnx", device)


def test_a_file_that_is_no_model_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(NotMeasured, match="cannot load the model") as caught:
        open_session(path, 1, "cpu")
    assert caught.value.kind == "model"
    assert "\n" not in str(caught.value)


def test_a_session_has_the_models_own_names(tmp_path: Path) -> None:
    path, _ = save(mlp(), tmp_path)
    session = open_session(path, 2, "cpu")
    assert (session.inputs, session.outputs) == (("x",), ("y",))


def test_the_module_is_the_registry_s() -> None:
    assert framework("onnx_runtime").TECHNIQUES is TECHNIQUES
