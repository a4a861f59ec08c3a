"""OpenVINO's baseline beside ONNX Runtime's: real models on which both round, and real ones on which one of them is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit import looked_up, parted

from gatekeeper.config.load import load
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same.beside import Beside
from gatekeeper.evaluate.same.hold import hold
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.frameworks._onnx_nudge import nudge
from gatekeeper.making.cache import Cache
from gatekeeper.making.workspace import workspace
from gatekeeper.models.files import assess, digest_files

Make = Callable[[Path], Path]


def standing(folder: Path, make: Make, framework: str = "openvino") -> Standing:
    path = make(folder)
    file = folder / "p.yaml"
    task = "regression" if make in (parted.regression, parted.far_from_zero) else "tabular_classification"
    file.write_text(f"edge_ai_pipeline: {{model: {{path: model.onnx, task: {task}}}, dataset: {{path: eval.npz}}}}\n")
    loaded, about = load(file), assess(path)
    identity = digest_files([Path(each) for each in about.files])
    with workspace(Cache(folder / "cache"), loaded.pipeline.measure) as space:
        evaluation = Evaluation(space, loaded, about, identity, (framework,))
        return hold(evaluation, evaluation.spec(framework, path, 1, "cpu"), identity, evaluation.prepared())


LESS_OFTEN = ("far_from_zero", "on_the_grid", "mask", "regression", "shifted")
"""More ways of rounding, and of computing otherwise."""


def each(makers: dict[str, Make]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.thorough if name in LESS_OFTEN else ()) for name in makers]


@pytest.mark.parametrize("name", each(parted.ALIKE))
def test_models_that_round_are_one_model(tmp_path: Path, name: str) -> None:
    found = standing(tmp_path, parted.ALIKE[name])
    assert found.held and "onnx_runtime" in found.said


def test_an_edge_is_said_to_be_one(tmp_path: Path) -> None:
    found = standing(tmp_path, parted.rounded)
    assert "of 400 examples otherwise than onnx_runtime, as that does itself when its weights move" in found.said


@pytest.mark.parametrize("name", each(parted.APART))
def test_models_that_are_computed_otherwise_are_two(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotMeasured, match=r"its baseline is not this model.* The first node where they part is imul \(Mul\)"):
        standing(tmp_path, parted.APART[name])


def test_a_fault_on_few_examples_is_one(tmp_path: Path) -> None:
    large = int((parted.ids(few=0.02) > 0).sum())
    assert 2 <= large <= 16
    with pytest.raises(NotMeasured, match=rf"of its own spread in [2-{large}] of 400 examples"):
        standing(tmp_path, lambda folder: parted.looked_up(folder, few=0.02))


def test_the_reference_is_held_against_nothing(tmp_path: Path) -> None:
    assert standing(tmp_path, parted.perceptron, "onnx_runtime") == Standing()
    assert not (tmp_path / "cache/predictions").exists()


def test_nudges_leave_what_counts_alone(tmp_path: Path) -> None:
    source = parted.looked_up(tmp_path)
    (tmp_path / "n").mkdir()
    nudge(source, tmp_path / "n/model.onnx", 0, 2.0**-18)
    before, after = onnx.load(source), onnx.load(tmp_path / "n/model.onnx")
    changed = {a.name for a, b in zip(before.graph.initializer, after.graph.initializer, strict=True) if a.raw_data != b.raw_data}
    assert changed == {"table", "w1", "w2"}


def test_what_rounding_moves_is_the_same_where_the_users_code_reads_it(tmp_path: Path) -> None:
    """Which is asked apart, as everywhere: the models that are nudged run beside none of it."""
    looked_up.write(tmp_path / "model.onnx", looked_up.world()[1][:60])
    np.savez(tmp_path / "eval.npz", x=looked_up.images()[:60])
    (tmp_path / "mine.py").write_text("def decode(o, size):\n    return [rows[rows[:, 4] >= 0.001] for rows in o['dets']]\n")
    about, moved = assess(tmp_path / "model.onnx"), []
    for boxes in ("layout: end_to_end", "decode: 'mine:decode'"):
        model = f"{{path: model.onnx, task: object_detection, boxes: {{{boxes}}}}}"
        (tmp_path / "p.yaml").write_text(f"edge_ai_pipeline: {{model: {model}, dataset: {{path: eval.npz}}}}\n")
        loaded = load(tmp_path / "p.yaml")
        with workspace(Cache(tmp_path / "cache"), loaded.pipeline.measure) as space:
            evaluation = Evaluation(space, loaded, about, "0" * 64, ("onnx_runtime",))
            spec, dataset = evaluation.spec("onnx_runtime", tmp_path / "model.onnx", 1, "cpu"), evaluation.prepared()
            assert dataset is not None
            told = evaluation.predictions(spec, "0" * 64, dataset)
            beside = Beside(evaluation, spec, spec, dataset, told, told)
            few, _ = beside._few(np.arange(60))
            compared = beside._compared()[0]
            moved.append(beside._moved(few, compared, 2.0**-10))
    assert moved[0].any() and np.array_equal(*moved)
