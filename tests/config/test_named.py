"""Names that mean something inside other files are looked up before anything runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kit import judged

from gatekeeper.config.load import load
from gatekeeper.errors import ConfigError

OWN = """\
import numpy as np
from os.path import join as joined
THRESHOLD, (low, high) = 1, (2, 3)
def score(outputs, labels): return 1.0
class Scorer: pass
"""
CHANGES = {
    "output": ("task:", "output: logit, task:", "the model has no output 'logit'; did you mean 'logits'?"),
    "ignored": ("gates: {", "gates: {outputs: {ignore: [range]}, ", "the model has no output 'range'"),
    "slice": ("path: eval.npz", "path: eval.npz, slices: [sites]", "eval.npz has nothing called 'sites'; did you mean 'site'?"),
    "labels": ("path: eval.npz", "path: eval.npz, labels: truth", "eval.npz has nothing called 'truth'. Found x, y, site."),
    "key": ("path: eval.npz", "path: eval.npz, inputs: {x: pixels}", "eval.npz has nothing called 'pixels'"),
    "no module": ("path: eval.npz", "path: eval.npz, metric: 'nowhere.at_all:f'", "no module 'nowhere' in "),
    "no function": ("path: eval.npz", "path: eval.npz, metric: 'own:scores'", "own.py has no 'scores'; did you mean 'score'?"),
    "no loader": ("path: eval.npz", "loader: 'own:read'", "own.py has no 'read'"),
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    file = judged.two_heads(tmp_path)
    data = dict(np.load(tmp_path / "eval.npz"))
    np.savez(tmp_path / "eval.npz", **data, site=data["y"] % 2)
    (tmp_path / "own.py").write_text(OWN)
    return file


def changed(pipeline: Path, old: str, new: str) -> None:
    text = pipeline.read_text()
    assert old in text
    pipeline.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_wrong_name_is_told_with_its_place(change: tuple[str, str, str], pipeline: Path) -> None:
    old, new, said = change
    changed(pipeline, old, new)
    with pytest.raises(ConfigError) as caught:
        load(pipeline)
    [problem] = caught.value.problems
    assert said in problem.message and "Correct the name." in problem.message
    assert new in pipeline.read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("task:", "output: range_mm, task:"),
        ("gates: {", "gates: {outputs: {ignore: [range_mm]}, "),
        ("path: eval.npz", "path: eval.npz, slices: [site], labels: y, inputs: {x: x}"),
        ("path: eval.npz", "path: eval.npz, slices: site"),
        *(("path: eval.npz", f"path: eval.npz, metric: 'own:{name}'") for name in ("score", "Scorer", "joined", "low")),
        ("path: eval.npz", "path: eval.npz, metric: 'os.path:join'"),
    ],
)
def test_a_right_one_is_not(old: str, new: str, pipeline: Path) -> None:
    changed(pipeline, old, new)
    load(pipeline)


@pytest.mark.parametrize("more", ["from os import *", "if THRESHOLD:\n    scores = score", "def __getattr__(name): return score"])
def test_what_only_running_tells_is_left_to_the_run(more: str, pipeline: Path) -> None:
    (pipeline.parent / "own.py").write_text(f"{OWN}{more}\n")
    changed(pipeline, "path: eval.npz", "path: eval.npz, metric: 'own:scores'")
    load(pipeline)


def test_columns_of_a_table(pipeline: Path) -> None:
    (pipeline.parent / "eval.csv").write_text("a,b,site\n1,2,x\n")
    changed(pipeline, "path: eval.npz", "path: eval.csv, slices: [sites]")
    with pytest.raises(ConfigError, match=r"eval.csv has nothing called 'sites'; did you mean 'site'\? Found a, b, site."):
        load(pipeline)
