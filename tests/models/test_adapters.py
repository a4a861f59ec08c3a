"""An adapter is named, alone and beside a model, by whatever looks at it: it is never left out without a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.tiny_llm import TEXT, write_llama

from gatekeeper.models.adapters import adapter

CONFIG = {"peft_type": "LORA", "base_model_name_or_path": "someone/base-7b"}
FILES = {"adapter_config.json": json.dumps(CONFIG), "adapter_model.safetensors": "x"}
PIPELINE = "edge_ai_pipeline: {model: {path: model}, dataset: {path: eval.txt}, optimization: {frameworks: [apple_mlx]}}\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("whole") / "model", num_hidden_layers=1)


@pytest.fixture(params=["alone", "beside"])
def project(request: pytest.FixtureRequest, whole: Path, tmp_path: Path) -> Path:
    """A pipeline file whose model is an adapter, or has one beside it."""
    if request.param == "beside":
        shutil.copytree(whole, tmp_path / "model")
    (tmp_path / "model").mkdir(exist_ok=True)
    for name, text in FILES.items():
        (tmp_path / "model" / name).write_text(text)
    (tmp_path / "eval.txt").write_text(TEXT)
    (tmp_path / "p.yaml").write_text(PIPELINE)
    return tmp_path


@pytest.mark.parametrize(
    "words", [("assess", "model"), ("validate", "p.yaml"), ("run", "p.yaml"), ("run", "p.yaml", "--model", "model")]
)
def test_every_command_names_it_and_says_what_to_do(project: Path, gatekeeper: Callable, words: tuple[str, ...]) -> None:
    result = gatekeeper(*words)
    said = " ".join(result.stderr.split())
    assert result.returncode == 2, result.stdout + said
    assert "adapter" in said and "merge_and_unload()" in said


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "adapter_model.bin", "adapters.safetensors", "adapter_config.json"]
)
def test_any_of_its_files_shows_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert "it changes the weights of another one" in str(adapter(tmp_path))
    assert adapter(tmp_path / name) == adapter(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert str(adapter(tmp_path)).startswith(f"{name} lies beside the model")


def test_it_says_whose_weights_it_changes_where_that_is_a_name(tmp_path: Path) -> None:
    for config, shown in (
        (CONFIG, "someone/base-7b"),
        (CONFIG | {"base_model_name_or_path": "a\x1b[0m"}, "another one"),
        ([], "another one"),
    ):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        assert f"the weights of {shown}." in str(adapter(tmp_path))


def test_other_folders_are_none(whole: Path, tmp_path: Path) -> None:
    assert adapter(whole) is None and adapter(tmp_path) is None and adapter(tmp_path / "nothing") is None
