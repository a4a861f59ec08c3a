"""The ONNX inspector on real models, on damaged ones, and on ones that want to be trouble."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.models.files import digest_files
from gatekeeper.models.formats.onnx import DTYPES, inspect

node = helper.make_node
RANDOM = np.random.default_rng(0)


def weight(name: str, *shape: int, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(dtype), name)


def value(name: str, shape: list[int | str | None] | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[onnx.TensorProto] = [],  # noqa: B006
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="tests")


def mlp(opset: int = 17, hidden: int = 6) -> onnx.ModelProto:
    nodes = [
        node("MatMul", ["x", "w0"], ["a"]),
        node("Add", ["a", "b0"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MatMul", ["c", "w1"], ["y"]),
    ]
    weights = [weight("w0", 4, hidden), weight("b0", hidden), weight("w1", hidden, 2)]
    return model(nodes, [value("x", ["batch", 4])], [value("y", ["batch", 2])], weights, opset)


def cnn() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "k", "kb"], ["a"], kernel_shape=[3, 3]),
        node("Relu", ["a"], ["b"]),
        node("GlobalAveragePool", ["b"], ["c"]),
        node("Flatten", ["c"], ["d"]),
        node("Gemm", ["d", "w", "wb"], ["y"]),
    ]
    weights = [weight("k", 8, 3, 3, 3), weight("kb", 8), weight("w", 8, 10), weight("wb", 10)]
    return model(nodes, [value("x", ["n", 3, 16, 16])], [value("y", ["n", 10])], weights)


def lstm() -> onnx.ModelProto:
    nodes = [node("LSTM", ["x", "w", "r"], ["o", "y"], hidden_size=8)]
    return model(nodes, [value("x", [5, "n", 4])], [value("y", [1, "n", 8])], [weight("w", 1, 32, 4), weight("r", 1, 32, 8)])


def attention() -> onnx.ModelProto:
    nodes = [
        node("MatMul", ["x", "wq"], ["q"]),
        node("MatMul", ["x", "wk"], ["k"]),
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return model(nodes, [value("x", ["n", 5, 8])], [value("y", ["n", 5, 8])], [weight("wq", 8, 8), weight("wk", 8, 8)])


def branch() -> onnx.ModelProto:
    def side(name: str, rows: int) -> onnx.GraphProto:
        nodes = [node("MatMul", ["x", f"w{name}"], [name])]
        return helper.make_graph(nodes, name, [], [value(name, ["n", 3])], [weight(f"w{name}", rows, 3)])

    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=side("t", 4), else_branch=side("e", 4)),
    ]
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    return model(nodes, [value("x", ["n", 4])], [value("y", ["n", 3])], [zero])


def loop() -> onnx.ModelProto:
    body = helper.make_graph(
        [node("MatMul", ["h", "w"], ["h2"]), node("Identity", ["go"], ["go2"])],
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", ["n", 4])],
        [value("go2", [], TensorProto.BOOL), value("h2", ["n", 4])],
        [weight("w", 4, 4)],
    )
    nodes = [node("Loop", ["count", "", "x"], ["y"], body=body)]
    count = numpy_helper.from_array(np.array(3, np.int64), "count")
    return model(nodes, [value("x", ["n", 4])], [value("y", ["n", 4])], [count])


def constants() -> onnx.ModelProto:
    nodes = [node("Constant", [], ["w"], value=weight("inner", 4, 2)), node("MatMul", ["x", "w"], ["y"])]
    return model(nodes, [value("x", [1, 4])], [value("y", [1, 2])])


MODELS = {
    "mlp": mlp, "cnn": cnn, "lstm": lstm, "attention": attention, "branch": branch, "loop": loop, "constants": constants,
}  # fmt: skip
ARCHITECTURES = {
    "mlp": "mlp", "cnn": "cnn", "lstm": "recurrent", "attention": "transformer", "branch": "mlp", "loop": "recurrent",
    "constants": "mlp",
}  # fmt: skip


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Initializers and constants of a graph and its subgraphs, as onnx itself finds them."""
    yield from graph.initializer
    for item in graph.node:
        for attribute in item.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                yield from tensors(inner)


def save(made: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_what_onnx_counts(tmp_path: Path, name: str) -> None:
    made = MODELS[name]()
    onnx.checker.check_model(made, full_check=True)
    path = save(made, tmp_path)
    found = inspect(path)
    assert found.parameters == sum(numpy_helper.to_array(t).size for t in tensors(made.graph))
    assert sum(found.weights.values()) == found.parameters
    assert found.bytes == path.stat().st_size
    assert found.files == [str(path)]


@pytest.mark.parametrize("name", MODELS)
def test_the_architecture_is_recognised(tmp_path: Path, name: str) -> None:
    found = inspect(save(MODELS[name](), tmp_path))
    assert found.architecture == ARCHITECTURES[name]
    assert not found.quantized


@pytest.mark.parametrize(
    ("name", "weighted"),
    [
        ("mlp", {"MatMul": 2}),
        ("cnn", {"Conv": 1, "Gemm": 1}),
        ("lstm", {"LSTM": 1}),
        ("attention", {"MatMul": 2}),
        ("branch", {"MatMul": 2}),
        ("loop", {"MatMul": 1}),
        ("constants", {"MatMul": 1}),
    ],
)
def test_operators_with_constant_weights_are_counted(tmp_path: Path, name: str, weighted: dict[str, int]) -> None:
    assert inspect(save(MODELS[name](), tmp_path)).weighted_operators == weighted


def test_an_index_is_not_a_weight(tmp_path: Path) -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["y"])]
    index = numpy_helper.from_array(np.array(1, np.int64), "i")
    made = model(nodes, [value("x", ["n", 4])], [value("y", [], TensorProto.INT64)], [index])
    assert inspect(save(made, tmp_path)).weighted_operators == {}


def test_an_embedding_table_is_a_weight(tmp_path: Path) -> None:
    nodes = [node("Gather", ["table", "ids"], ["y"])]
    made = model(nodes, [value("ids", ["n"], TensorProto.INT64)], [value("y", ["n", 8])], [weight("table", 100, 8)])
    found = inspect(save(made, tmp_path))
    assert found.weighted_operators == {"Gather": 1}
    assert found.largest_matrix == [100, 8]


def test_inputs_and_outputs_are_the_models_own(tmp_path: Path) -> None:
    found = inspect(save(mlp(), tmp_path))
    assert [(t.name, t.dtype, t.shape, t.dynamic) for t in found.inputs] == [("x", "float32", ["batch", 4], True)]
    assert [(t.name, t.dtype, t.shape, t.dynamic) for t in found.outputs] == [("y", "float32", ["batch", 2], True)]
    assert (found.opset, found.producer) == ({"ai.onnx": 17}, "tests")
    assert found.operators == {"MatMul": 2, "Add": 1, "Relu": 1}


def test_an_initializer_that_is_also_an_input_is_not_an_input(tmp_path: Path) -> None:
    made = mlp()
    made.graph.input.append(value("w0", [4, 6]))
    assert [t.name for t in inspect(save(made, tmp_path)).inputs] == ["x"]


@pytest.mark.parametrize(
    ("shape", "expected", "dynamic"),
    [
        ([1, 4], [1, 4], False),
        (["n", 4], ["n", 4], True),
        ([None, 4], [None, 4], True),
        ([0, 4], [0, 4], True),
        ([-1, 4], [-1, 4], True),
        ([], [], False),
    ],
)
def test_axes_may_be_numbers_names_or_unknown(
    tmp_path: Path, shape: list[int | str | None], expected: list[object], dynamic: bool
) -> None:
    made = model([node("Relu", ["x"], ["y"])], [value("x", shape)], [value("y", shape)])
    (found,) = inspect(save(made, tmp_path)).inputs
    assert found.shape == expected
    assert found.dynamic is dynamic


@pytest.mark.parametrize("opset", [7, 11, 13, 17, 20, 22])
def test_every_opset_reads_the_same(tmp_path: Path, opset: int) -> None:
    found = inspect(save(mlp(opset), tmp_path))
    assert found.opset == {"ai.onnx": opset}
    assert found.parameters == 4 * 6 + 6 + 6 * 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_])
def test_weights_are_counted_by_type(tmp_path: Path, dtype: type) -> None:
    made = model([node("Identity", ["w"], ["y"])], [], [value("y", [3, 5])], [weight("w", 3, 5, dtype=dtype)])
    assert inspect(save(made, tmp_path)).weights == {np.dtype(dtype).name: 15}


def test_every_element_type_of_onnx_has_a_name() -> None:
    numbers = {number for name, number in TensorProto.DataType.items() if name != "UNDEFINED"}
    assert {n for n in numbers if n <= 22} <= set(DTYPES)


@pytest.mark.parametrize("operator", ["MatMulInteger", "QLinearMatMul", "DequantizeLinear", "MatMulNBits"])
def test_a_quantized_model_is_recognised(tmp_path: Path, operator: str) -> None:
    domain = "com.microsoft" if operator == "MatMulNBits" else ""
    made = model(
        [node(operator, ["x", "w"], ["y"], domain=domain)], [value("x", [1, 4])], [value("y", [1, 4])], [weight("w", 4, 4)]
    )
    found = inspect(save(made, tmp_path))
    assert found.quantized
    assert (f"{domain}::{operator}" if domain else operator) in found.operators


def test_a_mixture_of_experts_is_recognised(tmp_path: Path) -> None:
    made = model([node("MoE", ["x", "r", "w"], ["y"], domain="com.microsoft")], [value("x", [1, 4])], [value("y", [1, 4])])
    assert inspect(save(made, tmp_path)).architecture == "mixture_of_experts"


# --- weights in a second file ---------------------------------------------------------------------------------------


def test_external_weights_are_counted_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(mlp(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    found = inspect(path)
    assert found.parameters == 42
    assert found.files == [str(path), str(tmp_path / "weights.bin")]
    assert found.bytes == path.stat().st_size + (tmp_path / "weights.bin").stat().st_size


def test_external_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(mlp(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(NotMeasured, match=r"'weights\.bin', which is not there") as caught:
        inspect(path)
    assert caught.value.kind == "model"


@pytest.mark.parametrize(
    "location",
    ["../outside.bin", "sub/../../outside.bin", "/etc/passwd", "", ".", "..", "a\0b", "x" * 300, "not/there.bin", "linked.bin"],
)
def test_external_weights_may_not_escape_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(1000))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "linked.bin").symlink_to(tmp_path / "outside.bin")
    made = mlp()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    with pytest.raises(NotMeasured) as caught:
        inspect(save(made, folder))
    assert caught.value.kind == "model"


# --- damage ---------------------------------------------------------------------------------------------------------


def only_not_measured(path: Path) -> None:
    try:
        inspect(path)
    except NotMeasured as error:
        assert error.kind == "model"
        assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize("name", MODELS)
def test_a_truncated_model_is_not_measured(tmp_path: Path, name: str) -> None:
    data = MODELS[name]().SerializeToString()
    path = tmp_path / "model.onnx"
    refused = 0
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        try:
            inspect(path)
        except NotMeasured:
            refused += 1
    assert refused >= len(range(0, len(data), 7)) - 3, "only a cut behind the graph leaves a model"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        (b"hello, world\n", "not a"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "not a"),
        (b"PK\x03\x04" + bytes(100), "not a"),
        (b"GGUF\x03\x00\x00\x00", "not a"),
        (b"\x08\x08", "no graph"),
        (bytes(1000), "not a"),
    ],
    ids=["empty", "lfs", "text", "html", "zip", "gguf", "no graph", "zeros"],
)
def test_what_is_no_onnx_model_is_not_measured(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(NotMeasured) as caught:
        inspect(path)
    assert words in str(caught.value)
    assert caught.value.kind == "model"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write over and over."""
    return tmp_path_factory.mktemp("scratch") / "model.onnx"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
@example(b"\x3a\x00")
def test_random_bytes_are_not_measured(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(data)
    only_not_measured(scratch)


WHOLE = {name: make().SerializeToString() for name, make in MODELS.items()}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_damaged_model_is_read_or_not_measured(scratch: Path, name: str, damage: list[tuple[float, int]]) -> None:
    data = bytearray(WHOLE[name])
    for place, byte in damage:
        data[int(place * len(data))] = byte
    scratch.write_bytes(data)
    only_not_measured(scratch)


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


@pytest.mark.parametrize("dims", [b"\x80", b"\xff" * 11], ids=["cut", "long"])
def test_dimensions_that_are_damaged_are_not_measured(tmp_path: Path, dims: bytes) -> None:
    tensor = field(1, dims) + b"\x10\x01" + field(8, b"w")
    graph = field(5, tensor) + field(12, field(1, b"y"))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x08" + field(7, graph))
    with pytest.raises(NotMeasured):
        inspect(path)


@pytest.mark.parametrize("dims", [[-4, 6], [2**62] * 300, [2**62, 2**62]], ids=["negative", "hundreds", "two"])
def test_dimensions_no_tensor_has_are_not_measured(tmp_path: Path, dims: list[int]) -> None:
    made = mlp()
    made.graph.initializer[0].dims[:] = dims
    with pytest.raises(NotMeasured):
        inspect(save(made, tmp_path))


# --- size -----------------------------------------------------------------------------------------------------------

PROBE = """
import resource, sys
from pathlib import Path
from gatekeeper.models.formats.onnx import inspect
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = inspect(Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(found.parameters, found.bytes, (after - before) // (2**20 if sys.platform == "darwin" else 2**10))
"""


def sparse(path: Path, graph_tail: bytes, tensor_head: bytes, size: int) -> None:
    """A model whose last field is `size` bytes of one tensor's raw data, which the disk does not hold."""
    tensor = tensor_head + varint(9 << 3 | 2) + varint(size)
    graph = graph_tail + varint(5 << 3 | 2) + varint(len(tensor) + size) + tensor
    head = b"\x08\x08" + varint(7 << 3 | 2) + varint(len(graph) + size) + graph
    path.write_bytes(head)
    with path.open("r+b") as file:
        file.truncate(len(head) + size)


def probe(path: Path) -> list[int]:
    done = subprocess.run([sys.executable, "-c", PROBE, str(path)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_three_gigabytes_of_weights_are_not_read(tmp_path: Path) -> None:
    count = 750_000_000
    path = tmp_path / "model.onnx"
    sparse(path, field(12, field(1, b"y")), field(1, varint(count)) + b"\x10\x01" + field(8, b"w"), 4 * count)
    parameters, size, megabytes = probe(path)
    assert parameters == count
    assert size == path.stat().st_size > 3_000_000_000
    assert megabytes < 50


def test_a_large_note_is_not_kept_in_memory(tmp_path: Path) -> None:
    """A file's documentation can be as large as its weights; nothing needs it."""
    made = mlp().SerializeToString()
    size = 200_000_000
    path = tmp_path / "model.onnx"
    path.write_bytes(made + varint(6 << 3 | 2) + varint(size))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)
    assert probe(path)[2] < 50


def test_weights_that_are_named_twice_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(mlp(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    made = onnx.load(str(path), load_external_data=False)
    entry = next(e for e in made.graph.initializer[0].external_data if e.key == "location")
    entry.value = "./weights.bin"
    path.write_bytes(made.SerializeToString())
    found = inspect(path)
    assert found.files == [str(path), str(tmp_path / "weights.bin")]
    assert found.bytes == sum(Path(f).stat().st_size for f in found.files)


def test_the_identity_of_external_weights_is_not_of_the_way_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "m.onnx"
    onnx.save(mlp(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real")
    ways = (path, tmp_path / "link" / "m.onnx", Path("m.onnx"), Path("../real/m.onnx"))
    assert len({digest_files([Path(f) for f in inspect(way).files]) for way in ways}) == 1
