"""Tests call most commands in their own process: what that gives is what a user's shell gives, for every command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.command import APART, called, started
from kit.support import write_project

from gatekeeper.cli._main import COMMANDS

WORDS = {
    "assess": ["assess", "model.onnx"],
    "calibrate": ["calibrate", "none.yaml"],  # what is timed is never twice the same
    "certify": ["certify", ".", "--key", "model.onnx"],
    "compare": ["compare", "none.onnx", "model.onnx"],
    "deploy": ["deploy", "pipeline.yaml", "--status"],
    "hardware": ["hardware", "--time-limit", "300"],
    "init": ["init", "--output", "new.yaml", "--no-workflow", "--force"],
    "package": ["package", "."],
    "plan": ["plan", "pipeline.yaml"],
    "report": ["report", "."],
    "run": ["run", "pipeline.yaml"],
    "scan": ["scan", "model.onnx"],
    "validate": ["validate", "pipeline.yaml"],
    "verify": ["verify", "model.onnx", "--model", "model.onnx", "--trust", "pipeline.yaml"],
    "watch": ["watch", "pipeline.yaml", "--once"],
}
MISTAKES = [["vallidate"], ["validate", "none.yaml"], ["plan", "pipeline.yaml", "--format", "xml"], ["assess", "eval.npz"]]


def test_every_command_that_is_called_here_is_held_against_the_front_door() -> None:
    assert {*WORDS, *APART} == set(COMMANDS.builtin)


@pytest.mark.parametrize("words", [["--help"], ["--version"], *WORDS.values(), *MISTAKES], ids=" ".join)
def test_a_command_says_the_same_through_the_front_door(words: list[str], tmp_path: Path) -> None:
    write_project(tmp_path, "fp16", "onnx_runtime", timed=False)
    here, there = (way(words, tmp_path, {"COLUMNS": "120"}) for way in (called, started))
    outputs = [re.sub(r"\b[0-9.]+ s\b", "0 s", each.stdout) for each in (here, there)]  # how long a scan took is of each its own
    assert (here.returncode, outputs[0], here.stderr) == (there.returncode, outputs[1], there.stderr)
    assert here.stdout + here.stderr
