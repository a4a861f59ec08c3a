"""The pytest plugin in a user's hands."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from kit.subjects import write_onnx
from kit.support import REPOSITORY

TEST = """
def test_model(session, example_inputs, variant_id):
    assert variant_id == "m.onnx"
    for feed in example_inputs:
        assert session.run(feed)[0].shape == (1, 4)

def test_both(session, baseline, example_inputs):
    assert (session.run(example_inputs[0])[0] == baseline.run(example_inputs[0])[0]).all()

def test_plain():
    pass
"""
AS_INSTALLED = ["-p", "no:gatekeeper", "-p", "gatekeeper.checks.plugin", "-p", "no:cacheprovider"]
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""The other plugins that are installed here take longer to start than the tests take."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_onnx(tmp_path / "m.onnx")
    (tmp_path / "test_mine.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # no settings of a folder above
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *AS_INSTALLED, "-rs", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | ALONE, check=False)


def test_by_hand(folder: Path) -> None:
    done = call(folder, "--gatekeeper-artifact", "m.onnx", "--gatekeeper-baseline", "m.onnx")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_without_a_model_its_tests_are_skipped_and_say_why(folder: Path) -> None:
    done = call(folder)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 skipped" in done.stdout
    assert "give --gatekeeper-artifact" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gatekeeper-artifact", "no.onnx"], "no.onnx: there is no such file"),
        (["--gatekeeper-artifact", "m.onnx", "--gatekeeper-framework", "onnx"], "'onnx' is not one of frameworks"),
        (["--gatekeeper-artifact", "test_mine.py"], "Give --gatekeeper-framework"),
        (["--gatekeeper-artifact", "m.onnx", "--gatekeeper-threads", "0"], "give a whole number from 1"),
        (["--gatekeeper-artifact", "m.onnx", "--gatekeeper-inputs", "no.npz"], "no.npz: there is no such file"),
    ],
)
def test_a_mistake_is_explained(folder: Path, words: list[str], said: str) -> None:
    done = call(folder, "-k", "test_model", *words)
    assert done.returncode == 1
    assert said in done.stdout


def test_it_is_declared_and_imports_nothing_heavy() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"gatekeeper": "gatekeeper.checks.plugin"}
    code = "import sys, pytest; before = set(sys.modules); import gatekeeper.checks.plugin; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"gatekeeper", "gatekeeper.checks", "gatekeeper.checks.plugin"}
