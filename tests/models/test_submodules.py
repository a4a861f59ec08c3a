"""A submodule that is not checked out is said as such, wherever a model or data in it is named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.models.submodules import left_out

GIT = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "protocol.file.allow=always"]
PIPELINE = "edge_ai_pipeline: {model: {path: MODEL}, dataset: {path: DATA}, optimization: {frameworks: [onnx_runtime]}}\n"


def git(folder: Path, *words: str) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run([*GIT, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, as actions/checkout makes it, of a repository with two submodules; one of them has a space in its name."""
    root = tmp_path_factory.mktemp("repositories")
    git(root / "models", "init", "-q", "-b", "main")
    (root / "models/net.onnx").write_bytes(b"x")
    (root / "models/data.npz").write_bytes(b"x")
    git(root / "models", "add", "-A")
    git(root / "models", "commit", "-qm", "x")
    git(root / "whole", "init", "-q", "-b", "main")
    for name in ("models", "other models"):
        git(root / "whole", "submodule", "add", "-q", str(root / "models"), name)
    (root / "whole/own.onnx").write_bytes(b"x")
    git(root / "whole", "add", "-A")
    git(root / "whole", "commit", "-qm", "x")
    git(root, "clone", "-q", str(root / "whole"), "clone")
    return root / "clone"


@pytest.mark.parametrize("name", ["models", "models/net.onnx", "models/a/b", "other models/net.onnx"])
def test_what_lies_in_it_is_not_there(clone: Path, name: str) -> None:
    said = left_out(clone / name)
    assert said and "which is not checked out. Run `git submodule update --init" in said
    assert f"the git submodule {name.split('/')[0]}," in said


@pytest.mark.parametrize("name", ["own.onnx", "nothing.onnx", "models2/net.onnx", "."])
def test_nothing_else_is_said_to_lie_in_one(clone: Path, name: str) -> None:
    assert left_out(clone / name) is None


def test_one_that_is_checked_out_is_like_any_folder(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--recurse-submodules", str(clone.parent / "whole"), "filled")
    assert left_out(tmp_path / "filled/models/net.onnx") is None
    assert left_out(tmp_path / "filled/models/nothing.onnx") is None


@pytest.mark.parametrize(
    ("model", "data", "line"),
    [("models/net.onnx", "own.npz", "model"), ("models", "own.npz", "model"), ("own.onnx", "models/data.npz", "data")],
)
def test_validate_says_it_of_models_and_data(clone: Path, gatekeeper: Callable, model: str, data: str, line: str) -> None:
    file = clone / f"{line}.yaml"
    file.write_text(PIPELINE.replace("MODEL", model).replace("DATA", data))
    result = gatekeeper("validate", file)
    assert result.returncode == 2
    said = " ".join(result.stderr.split())
    assert "lies in the git submodule models, which is not checked out" in said and "`submodules: recursive`" in said


def test_assess_and_a_model_of_the_command_line_say_it(clone: Path, gatekeeper: Callable) -> None:
    (clone / "own.yaml").write_text(PIPELINE.replace("MODEL", "own.onnx").replace("DATA", "own.onnx"))
    for words in (("assess", clone / "models/net.onnx"), ("validate", clone / "own.yaml", "--model", clone / "models/net.onnx")):
        result = gatekeeper(*words)
        assert result.returncode == 2 and "git submodule" in result.stderr, result.stderr
