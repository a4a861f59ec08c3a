"""The licence that a model's own files name, in every format, written by the format's own library."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from kit.support import write_model
from onnx import helper

from gatekeeper.compliance.declared import declared
from gatekeeper.errors import NotMeasured


def test_onnx_in_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_model(path)
    assert declared(path) == {}
    model = onnx.load(path)
    helper.set_model_props(model, {"model_license": "MIT", "author": "GPL-3.0", "License": "0BSD", "licence": " "})
    onnx.save(model, path)
    assert declared(path) == {"metadata_props model_license": "MIT", "metadata_props License": "0BSD"}


def test_onnx_that_is_cut_short_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_model(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(NotMeasured, match="cut short"):
        declared(path)


def test_openvino_in_its_rt_info(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    write_model(tmp_path / "model.onnx")
    model = openvino.convert_model(tmp_path / "model.onnx")
    openvino.save_model(model, tmp_path / "silent.xml")
    assert declared(tmp_path / "silent.xml") == {}
    model.set_rt_info("Apache-2.0", ["model_info", "license"])
    openvino.save_model(model, tmp_path / "model.xml")
    assert declared(tmp_path / "model.xml") == {"rt_info/model_info/license": "Apache-2.0"}


def test_gguf_in_general_license(tmp_path: Path) -> None:
    gguf, numpy = pytest.importorskip("gguf"), pytest.importorskip("numpy")
    writer = gguf.GGUFWriter(str(tmp_path / "model.gguf"), "llama")
    writer.add_license("other")
    writer.add_license_name("Our Own")
    writer.add_tensor("token_embd.weight", numpy.zeros((4, 32), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert declared(tmp_path / "model.gguf") == {"general.license": "other", "license_name": "Our Own"}


def test_hugging_face_in_the_card_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert declared(tmp_path) == {}
    (tmp_path / "README.md").write_text("---\nlicense: llama3.2\n---\n# A model\n")
    assert declared(tmp_path) == {"README.md license": "llama3.2"}
    (tmp_path / "README.md").write_text("# A model\n")
    assert declared(tmp_path) == {}
