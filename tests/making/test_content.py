"""What counts as a change of a model: operators and weights, and nothing else that a file may say."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
from gguf import GGUFWriter
from kit.support import REPOSITORY
from kit.tensor_models import MODELS, Model, node, save, weight
from onnx import helper, numpy_helper
from safetensors.numpy import save_file

from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.onnx_runtime import optimize
from gatekeeper.making.content.compare import same
from gatekeeper.making.content.onnx import content


def plugin() -> Any:
    """The techniques of tests/plugins/copies.py."""
    found = importlib.util.spec_from_file_location("copies", REPOSITORY / "tests/plugins/copies.py")
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


COPIES = plugin()


def classifier() -> Model:
    return Model([node("MatMul", ["x", "w"], ["s"]), node("Softmax", ["s"], ["y"])], (16,), {"w": weight(16, 4)})


def made(path: Path, technique: str) -> Path:
    """The artifact of one of those techniques."""
    destination = path.parent / technique
    destination.mkdir()
    COPIES.optimize(OptimizeJob(path, destination, technique, "cpu", vnni=False, calibration=None))
    return destination


@pytest.mark.parametrize("technique", COPIES.TECHNIQUES)
def test_an_onnx_model_written_in_another_way_is_the_same(tmp_path: Path, technique: str) -> None:
    path, _ = save(classifier(), tmp_path)
    artifact = made(path, technique)
    assert same(path, artifact) == (technique != "changed")
    onnx.checker.check_model(str(artifact / "model.onnx"))


@pytest.mark.parametrize("name", MODELS)
def test_every_family_is_itself(tmp_path: Path, name: str) -> None:
    path, _ = save(MODELS[name](), tmp_path)
    assert same(path, made(path, "stamped"))


def test_the_families_are_told_apart(tmp_path: Path) -> None:
    found = {}
    for name, model in MODELS.items():
        (tmp_path / name).mkdir()
        found[name] = content(save(model(), tmp_path / name)[0])
    alike = {"constant_node", "opset 9", "opset 12", "opset 22"}  # one matrix, differently stamped or stored
    assert len({found[name] for name in alike}) == 1
    assert len(set(found.values())) == len(MODELS) - len(alike) + 1


def edited(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    folder = path.parent / "edited"
    folder.mkdir()
    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def swap(model: onnx.ModelProto) -> None:
    first, second = model.graph.node[1].input
    model.graph.node[1].input[:] = [second, first]


def fix_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def halve(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))


CHANGES: dict[str, Callable[[onnx.ModelProto], object]] = {
    "another operator": lambda model: setattr(model.graph.node[1], "op_type", "Mul"),
    "a setting": lambda model: model.graph.node[2].attribute.append(helper.make_attribute("axis", 0)),
    "inputs the other way round": swap,
    "a fixed batch": fix_batch,
    "another element type": halve,
    "another output": lambda model: model.graph.output.extend([helper.make_tensor_value_info("d", 1, ["n", 4])]),
    "an operator more": lambda model: model.graph.node.extend([node("Relu", ["d"], ["unused"])]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_edit_is_a_change(tmp_path: Path, name: str) -> None:
    nodes = [node("MatMul", ["x", "w"], ["s"]), node("Sub", ["s", "b"], ["d"]), node("Softmax", ["d"], ["y"])]
    path, _ = save(Model(nodes, (16,), {"w": weight(16, 4), "b": weight(4)}), tmp_path)
    assert not same(path, edited(path, CHANGES[name]))


@pytest.mark.parametrize("name", MODELS)
def test_an_ir_that_only_repeats_the_onnx_model_is_the_same(tmp_path: Path, name: str) -> None:
    path, _ = save(MODELS[name](), tmp_path)
    model = openvino.Core().read_model(str(path))
    folders = [tmp_path / "repeated", tmp_path / "halved"]
    for folder in folders:
        folder.mkdir()
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=folder.name == "halved")
    assert same(path, folders[0])
    assert same(folders[0], folders[0])
    floats = any(op.get_element_type() == openvino.Type.f32 for op in model.get_ops() if op.get_type_name() == "Constant")
    if floats and name not in ("shape_arithmetic", "branches"):
        assert not same(path, folders[1])


def test_what_a_technique_makes_is_no_copy(tmp_path: Path) -> None:
    path, calibration = save(MODELS["mlp"](), tmp_path)
    for technique in ("graph_optimized", "fp16", "int8_dynamic", "int8_static", "int8_weight_only", "int4_weight_only"):
        destination = tmp_path / technique
        destination.mkdir()
        optimize(OptimizeJob(path, destination, technique, "cpu", vnni=False, calibration=calibration))
        assert not same(path, destination), technique


def gguf(path: Path, tensors: dict[str, Any], note: str) -> Path:
    writer = GGUFWriter(str(path), "llama")
    writer.add_name(note)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


TENSORS = {"a.weight": weight(8, 32), "b.weight": weight(4, 32)}


def test_a_gguf_file_is_its_tensors(tmp_path: Path) -> None:
    first = gguf(tmp_path / "one.gguf", TENSORS, "the original")
    for name, tensors in {
        "noted": TENSORS,
        "turned": dict(reversed(TENSORS.items())),
        "changed": TENSORS | {"b.weight": TENSORS["b.weight"] * 1.001},
        "halved": {name: values.astype(np.float16) for name, values in TENSORS.items()},
        "fewer": {"a.weight": TENSORS["a.weight"]},
    }.items():
        (tmp_path / name).mkdir()
        gguf(tmp_path / name / "model.gguf", tensors, name)
        assert same(first, tmp_path / name) == (name in ("noted", "turned")), name


def test_safetensors_are_their_tensors(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("original", "renamed", "changed")}
    for name, folder in folders.items():
        folder.mkdir()
        factor = np.float32(1.001 if name == "changed" else 1)
        tensors = {f"{name}.{key}": factor * values for key, values in TENSORS.items()}
        save_file(tensors, folder / "model.safetensors", metadata={"note": name})
        (folder / "config.json").write_text(f'{{"note": "{name}"}}')
    assert same(folders["original"], folders["renamed"])
    assert not same(folders["original"], folders["changed"])


@pytest.mark.parametrize("suffix", [".bin", ".onnx", ".xml", ".gguf", ".safetensors"])
def test_what_is_no_model_is_compared_by_its_bytes(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"original{suffix}").write_bytes(b"anything")
    for name, data in {"copy": b"anything", "other": b"anything else"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"model{suffix}").write_bytes(data)
        assert same(tmp_path / f"original{suffix}", tmp_path / name) == (name == "copy")
