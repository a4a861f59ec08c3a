"""The IR inspector on models OpenVINO wrote, on damaged ones, and on ones that want to be trouble."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.models.files import assess, digest_files
from gatekeeper.models.formats import openvino_ir
from gatekeeper.models.formats.onnx import inspect as inspect_onnx
from gatekeeper.models.formats.openvino_ir import inspect

node = helper.make_node
RANDOM = np.random.default_rng(0)
FLOAT = TensorProto.FLOAT


def weight(name: str, *shape: int, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(dtype), name)


def build(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    shape: list[int | str],
    outputs: tuple[str, ...] = ("y",),
    dtype: int = FLOAT,
) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", dtype, shape)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info(o, FLOAT, None) for o in outputs], weights)
    return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def mlp() -> onnx.ModelProto:
    nodes = [node("MatMul", ["x", "w0"], ["a"]), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "w1"], ["y"])]
    return build(nodes, [weight("w0", 4, 6), weight("w1", 6, 2)], ["n", 4])


def cnn() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "k"], ["a"], kernel_shape=[3, 3]),
        node("GlobalAveragePool", ["a"], ["b"]),
        node("Flatten", ["b"], ["c"]),
        node("Gemm", ["c", "w"], ["y"]),
    ]
    return build(nodes, [weight("k", 8, 3, 3, 3), weight("w", 8, 10)], [2, 3, 16, 16])


def gru() -> onnx.ModelProto:
    nodes = [node("GRU", ["x", "w", "r"], ["o", "y"], hidden_size=8)]
    return build(nodes, [weight("w", 1, 24, 4), weight("r", 1, 24, 8)], [5, "n", 4])


def attention() -> onnx.ModelProto:
    nodes = [
        node("MatMul", ["x", "w"], ["q"]),
        node("Transpose", ["x"], ["k"], perm=[0, 2, 1]),
        node("MatMul", ["q", "k"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return build(nodes, [weight("w", 8, 8)], ["n", 5, 8])


def embedding() -> onnx.ModelProto:
    nodes = [node("Gather", ["table", "x"], ["e"]), node("ReduceMean", ["e"], ["y"], axes=[1], keepdims=0)]
    return build(nodes, [weight("table", 100, 32)], ["n", 6], dtype=TensorProto.INT64)


def branches() -> onnx.ModelProto:
    def side(name: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, FLOAT, ["n", 3])
        return helper.make_graph([node("MatMul", ["x", f"w{name}"], [name])], name, [], [out], [weight(f"w{name}", 4, 3)])

    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=side("t"), else_branch=side("e")),
    ]
    return build(nodes, [numpy_helper.from_array(np.array(0, np.float32), "zero")], ["n", 4])


def two_outputs() -> onnx.ModelProto:
    nodes = [node("Relu", ["x"], ["second"]), node("Identity", ["second"], ["a,b\\c"]), node("Neg", ["x"], ["first"])]
    return build(nodes, [], ["n", 4], ("second", "a,b\\c", "first"))


MODELS = {f.__name__: f for f in (mlp, cnn, gru, attention, embedding, branches, two_outputs)}


def convert(model: onnx.ModelProto, folder: Path, half: bool = False) -> Path:
    """model.xml and model.bin, by OpenVINO; the original stays beside them."""
    onnx.save(model, str(folder / "original.onnx"))
    openvino.save_model(openvino.Core().read_model(str(folder / "original.onnx")), folder / "model.xml", compress_to_fp16=half)
    return folder / "model.xml"


@pytest.mark.parametrize("name", MODELS)
def test_it_says_what_openvino_and_the_original_say(tmp_path: Path, name: str) -> None:
    path = convert(MODELS[name](), tmp_path)
    found, original = assess(path), inspect_onnx(tmp_path / "original.onnx")
    model = openvino.Core().read_model(str(path))
    assert found.format == "openvino_ir"
    assert [t.name for t in found.inputs] == [p.get_any_name() for p in model.inputs] == [t.name for t in original.inputs]
    assert [t.name for t in found.outputs] == [p.get_any_name() for p in model.outputs] == [t.name for t in original.outputs]
    assert [t.dtype for t in found.inputs + found.outputs] == [t.dtype for t in original.inputs + original.outputs]
    for tensor, port in zip(found.inputs + found.outputs, [*model.inputs, *model.outputs], strict=True):
        assert tensor.shape == [d.get_length() if d.is_static else None for d in port.partial_shape]
    assert found.architecture == original.architecture
    assert found.weights.get("float32", 0) >= original.weights.get("float32", 0)
    assert sum(found.weighted_operators.values()) == sum(original.weighted_operators.values())
    assert sum(found.nested_operators.values()) == sum(original.nested_operators.values())
    assert not found.quantized
    assert found.producer.startswith("OpenVINO 20")
    assert found.files == [str(path), str(path.with_suffix(".bin"))]
    assert found.bytes == sum(Path(f).stat().st_size for f in found.files)


def test_half_precision_is_counted_and_its_matrices_found(tmp_path: Path) -> None:
    found = inspect(convert(mlp(), tmp_path, half=True))
    assert found.weights == {"float16": 36}
    assert found.weighted_operators == {"MatMul": 2}
    assert found.largest_matrix == [4, 6]
    assert found.opset == {"ir": 11}


@pytest.mark.parametrize("mode", ["INT8_ASYM", "INT8_SYM", "INT4_SYM"])
def test_compressed_weights_are_quantized(tmp_path: Path, mode: str) -> None:
    import nncf

    model = openvino.Core().read_model(str(convert(mlp(), tmp_path)))
    nncf.set_log_level(40)
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode[mode], **({"group_size": 2} if "4" in mode else {}))
    openvino.save_model(compressed, tmp_path / "small.xml")
    found = inspect(tmp_path / "small.xml")
    assert found.quantized
    assert not found.weighted_operators


def test_a_name_with_several_meanings_is_the_first_in_the_alphabet(tmp_path: Path) -> None:
    path = convert(mlp(), tmp_path)
    path.write_text(path.read_text().replace('output_names="y"', 'output_names="z,y\\,y,b"').replace('names="x"', 'names="x,a"'))
    found, model = inspect(path), openvino.Core().read_model(str(path))
    assert (found.inputs[0].name, found.outputs[0].name) == ("a", "b")
    assert model.outputs[0].names == {"z", "y,y", "b"}


def test_results_of_older_files_are_named_by_what_they_take(tmp_path: Path) -> None:
    path = convert(mlp(), tmp_path)
    path.write_text(path.read_text().replace(' output_names="y"', ""))
    assert inspect(path).outputs[0].name == "y"


def test_what_has_no_axes_is_told_from_what_has_an_unknown_number_of_them(tmp_path: Path) -> None:
    import openvino as ov
    from openvino import opset13

    shapes = {"rate": ov.PartialShape([]), "any": ov.PartialShape.dynamic()}
    taken = [opset13.parameter(shape, np.float32, name=name) for name, shape in shapes.items()]
    ov.save_model(ov.Model([opset13.multiply(*taken)], taken, "m"), tmp_path / "m.xml")
    found = {each.name: (each.shape, each.scalar) for each in assess(tmp_path / "m.xml").inputs}
    assert found == {"rate": ([], True), "any": ([], False)}


def test_a_model_without_weights_needs_no_bin(tmp_path: Path) -> None:
    path = convert(two_outputs(), tmp_path)
    path.with_suffix(".bin").unlink()
    found = inspect(path)
    assert found.files == [str(path)]
    assert found.parameters == 0


def test_a_constant_without_elements_is_read_as_openvino_writes_it(tmp_path: Path) -> None:
    from openvino import opset13

    x = opset13.parameter([-1], np.float32, name="x")
    joined = opset13.concat([x, opset13.constant(np.zeros(0, np.float32))], 0)
    path = tmp_path / "model.xml"
    openvino.save_model(openvino.Model([joined], [x], "joined"), path, compress_to_fp16=False)
    assert inspect(path).parameters == 0
    path.with_suffix(".bin").write_bytes(b"")
    assert "cut short" in refused(path)


def test_both_files_are_the_models_identity(tmp_path: Path) -> None:
    path = convert(mlp(), tmp_path)
    before = digest_files([Path(f) for f in inspect(path).files])
    data = bytearray(path.with_suffix(".bin").read_bytes())
    data[0] ^= 1
    path.with_suffix(".bin").write_bytes(data)
    assert digest_files([Path(f) for f in inspect(path).files]) != before


def refused(path: Path) -> str:
    with pytest.raises(NotMeasured) as caught:
        inspect(path)
    assert caught.value.kind == "model"
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.endswith(".") and len(message) < 1000
    return message.removeprefix(f"{path}: ")


def test_a_missing_bin_is_named(tmp_path: Path) -> None:
    path = convert(mlp(), tmp_path)
    path.with_suffix(".bin").unlink()
    assert "'model.bin', which is not there" in refused(path)
    path.with_suffix(".bin").mkdir()
    assert "which is not there" in refused(path)


@pytest.mark.parametrize("left", [0, 1, 143])
def test_a_bin_that_is_cut_short_is_noticed(tmp_path: Path, left: int) -> None:
    path = convert(mlp(), tmp_path)
    file = path.with_suffix(".bin")
    assert file.stat().st_size == 144
    file.write_bytes(file.read_bytes()[:left])
    assert f"beyond the {left} bytes of 'model.bin': it is cut short" in refused(path)


SMALL = (
    '<net name="n" version="11"><layers>'
    '<layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,4" element_type="f32"/>'
    '<output><port id="0" precision="FP32" names="x"><dim>1</dim><dim>4</dim></port></output></layer>'
    '<layer id="1" name="y" type="Result" version="opset1" output_names="y">'
    '<input><port id="0" precision="FP32"><dim>1</dim><dim>4</dim></port></input></layer></layers>'
    '<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges></net>'
)
CONSTANT = (
    '<layer id="9" name="c" type="Const" version="opset1"><data element_type="{}" shape="{}" offset="{}" size="{}"/></layer>'
)


def constant(*values: object) -> str:
    return SMALL.replace("</layers>", CONSTANT.format(*values) + "</layers>", 1)


def test_the_small_file_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text(SMALL)
    assert [t.name for t in inspect(tmp_path / "m.xml").outputs] == ["y"]
    assert len(openvino.Core().read_model(str(tmp_path / "m.xml")).outputs) == 1


BOMB = "<!DOCTYPE net [<!ENTITY a 'x'>" + "".join(f"<!ENTITY a{i} '{'&a;' * 50}'>" for i in range(20)) + "]>" + SMALL
DEEP = "<body>".join(["<layer>"] * 200)
HOSTILE = {
    "empty": ("", "empty"),
    "text": ("hello, world", "line 1"),
    "lfs": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "other xml": ("<testsuites/>", "<testsuites>, not <net>"),
    "no results": ("<net version='11'><layers/></net>", "no results"),
    "no version": (SMALL.replace(' version="11"', "", 1), "stands where a number should"),
    "cut": (SMALL[:300], "cut short"),
    "cut in a tag": (SMALL[:75], "cut short"),
    "entity bomb": (BOMB, "document type"),
    "external entity": ("<!DOCTYPE net SYSTEM 'file:///etc/passwd'>" + SMALL, "document type"),
    "nested": (SMALL.replace("</net>", "<a>" * 5000 + "</a>" * 5000 + "</net>"), "nested"),
    "nested bodies": ("<net version='11'><layers>" + DEEP, "nested"),
    "long tag": (f"<net version='11' name='{'x' * (6 << 20)}'>", "tag or comment"),
    "long comment": (SMALL.replace("<layers>", f"<!--{'x' * (6 << 20)}--><layers>"), "tag or comment"),
    "two of one id": (SMALL.replace('id="1" name="y"', 'id="0" name="y"'), "two layers"),
    "edge to nowhere": (SMALL.replace('to-layer="1"', 'to-layer="7"'), "an edge"),
    "no number": (constant("f32", "two", 0, 8), "'two' stands where a number should"),
    "negative": (constant("f32", "-1", 0, 4), "stands where a number should"),
    "negative offset": (constant("f32", "1", -8, 4), "stands where a number should"),
    "digits without end": (constant("f32", "9" * 5000, 0, 8), "stands where a number should"),
    "no such number": (constant("f32", ",".join(["999999999"] * 9), 0, 8), "impossible dimensions"),
    "many dimensions": (constant("f32", ",".join(["1"] * 100), 0, 4), "impossible dimensions"),
    "wrong size": (constant("f32", "2", 0, 4), "do not take"),
    "wrong size of few bits": (constant("u4", "3", 0, 1), "do not take"),
    "outside": (constant("f32", "2", 10**17, 8), "beyond"),
    "no offset": (constant("f32", "2", "", 8), "stands where a number should"),
    "no utf-8": (b"<net version='11' name='\xff\xfe'>", "line 1"),
    "unknown encoding": ("<?xml version='1.0' encoding='x-nope'?>" + SMALL, "encoding"),
    "nul": (b"\0" * 100, "line 1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_model_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    content, words = HOSTILE[name]
    path = tmp_path / "m.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "m.bin").write_bytes(b"\0" * 100)
    assert words in refused(path)


@pytest.mark.parametrize("limit", ["MAX_ELEMENTS", "MAX_BYTES"])
def test_endless_files_are_refused(tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_ir, limit, 5)
    (tmp_path / "m.xml").write_text(SMALL)
    assert "more than" in refused(tmp_path / "m.xml")


def test_reading_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    with path.open("w") as file:
        file.write(SMALL.split("<layers>")[0])
        for _ in range(40):
            file.write(f"<meta>{'x' * 1_000_000}</meta>")
        file.write("<layers>" + SMALL.split("<layers>")[1])
    code = (
        "import resource, sys; from pathlib import Path; from gatekeeper.models.formats.openvino_ir import inspect\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "inspect(Path(sys.argv[1])); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = int(subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True).stdout)
    assert grown < 20_000, "kilobytes"


def test_a_tag_without_end_is_not_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_bytes(b"<net a='" + b"x" * (100 << 20))
    assert "tag or comment" in refused(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_noticed_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "m.bin").write_bytes(b"\0" * 8)
    text = bytearray(constant("f32", "2", 0, 8).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        if data.draw(st.booleans()):
            text[at] = data.draw(st.integers(0, 255))
        else:
            del text[at : at + data.draw(st.integers(1, 60))]
    (tmp_path / "m.xml").write_bytes(text)
    try:
        found = inspect(tmp_path / "m.xml")
    except NotMeasured as error:
        assert error.kind == "model"
    else:
        assert found.outputs
