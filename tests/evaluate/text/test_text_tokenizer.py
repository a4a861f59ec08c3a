"""Whoever reads a model's tokenizer gives the same tokens: a leg of any framework judges the same windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.tiny_llm import TEXT, write_llama

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._gguf import write_gguf


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    write_llama(folder / "model")
    write_gguf(folder / "model", folder / "model.gguf", "f32")
    return folder / "model", folder / "model.gguf"


@pytest.mark.parametrize("name", ["llama_cpp", "openvino"])
def test_a_gguf_has_the_tokens_of_the_folder_it_was_made_of(models: tuple[Path, Path], name: str) -> None:
    folder, file = models
    truth, found = open_tokenizer(folder, ""), open_tokenizer(file, name)
    assert found.encode(TEXT) == truth.encode(TEXT)
    assert found.decode(found.encode(TEXT)) == TEXT


def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(NotMeasured, match=r"cannot read the tokenizer of model.gguf .*Add the framework llama_cpp"):
        open_tokenizer(tmp_path / "model.gguf", "openvino")
