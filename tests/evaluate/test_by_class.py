"""Classes that are lost where an average, or another answer of the same example, hides it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from gatekeeper.data.outputs import Outputs
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.by_class import by_class
from gatekeeper.evaluate.groups import kept_classes
from gatekeeper.evaluate.metrics._base import REGISTRY
from gatekeeper.evaluate.tasks._base import Reading, judged_as
from gatekeeper.gates import worst_class
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import KeptClass

RNG = np.random.default_rng(5)
N = 500


def predictions(folder: Path, judged: Any, **others: Any) -> Path:
    folder.mkdir(parents=True)
    np.save(folder / "predictions.npy", judged)
    files = {name: f"output{i + 1}.npy" for i, name in enumerate(others)}
    for name, array in others.items():
        np.save(folder / files[name], array)
    (folder / "outputs.json").write_bytes(msgspec.json.encode(Outputs(judged="judged", others=files)))
    return folder / "predictions.npy"


def compared(
    folder: Path, before: dict[str, Any], after: dict[str, Any], name: str = "agreement", labels: Any = None, **slices: Any
) -> list[KeptClass]:
    files = [predictions(folder / side, **arrays) for side, arrays in (("before", before), ("after", after))]
    own, judged = name not in (*REGISTRY.names, "agreement"), judged_as("tabular_classification")
    return by_class(
        judged, Reading(task=None), own, (files[0], files[1]), (before["judged"], after["judged"]), labels, np.arange(N), slices
    )


def lost(found: list[KeptClass]) -> set[str]:
    """Those that the gate names."""
    evidence = Evidence(artifact=Artifact(path="x", sha256="", bytes=1), comparison=Comparison(classes=tuple(found)))
    decision = worst_class.judge(worst_class.DEFAULT, evidence)
    assert (decision.verdict is Verdict.FAIL) == decision.reason.endswith("needs 95.0%")
    return {each.name for each in found if each.name in decision.reason} if decision.verdict is Verdict.FAIL else set()


def scores(truth: Any, classes: int) -> Any:
    return np.eye(classes)[truth] * 5 + RNG.standard_normal((*truth.shape, classes)) * 0.1


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_tag_or_a_pixel_class_that_is_never_answered_any_more(tmp_path: Path, channels_first: bool) -> None:
    shape = (N, 8, 8) if channels_first else (N, 16)
    truth = np.where(RNG.random(shape) < 0.02, 2, RNG.integers(0, 2, shape))
    before, after = (scores(each, 3) for each in (truth, np.where(truth == 2, 0, truth)))
    if channels_first:
        before, after = np.moveaxis(before, -1, 1), np.moveaxis(after, -1, 1)
    assert judged_as("image_classification").agreement(before, after).variant > 0.95, "an average hides it"
    assert lost(compared(tmp_path, {"judged": before}, {"judged": after})) == {"class 2", "class 2, each example as one"}


def test_a_column_of_whole_numbers(tmp_path: Path) -> None:
    before = np.column_stack([RNG.integers(0, 5, N), RNG.random(N) < 0.04, RNG.random(N) < 0.5]).astype(np.int64)
    after = before.copy()
    after[:, 1] = 0
    assert judged_as("tabular_classification").agreement(before, after).variant == pytest.approx((before == after).mean())
    assert lost(compared(tmp_path, {"judged": before}, {"judged": after})) == {"[1] class 1"}


def test_one_of_several_yes_and_no(tmp_path: Path) -> None:
    before = np.clip(RNG.random((N, 5)), 0.01, 0.99)
    before[:, 0] = 0.999
    after = before.copy()
    after[:, 3] = 0.1
    assert judged_as("tabular_classification").agreement(before, after).variant < 0.95
    assert "[3] class 1" in lost(compared(tmp_path, {"judged": before}, {"judged": after}))


def test_probabilities_that_add_up_to_one_are_one_answer(tmp_path: Path) -> None:
    before = scores(RNG.integers(0, 3, N), 3)
    before = np.exp(before) / np.exp(before).sum(axis=1, keepdims=True)
    found = compared(tmp_path, {"judged": before}, {"judged": before})
    assert {each.name for each in found if not each.part} == {f"class {i}" for i in range(3)}
    assert {each.name for each in found if each.part} == {f"answers of class {i}" for i in range(3)}


def test_an_alarm_in_another_output(tmp_path: Path) -> None:
    truth, alarm = RNG.integers(0, 3, N), (RNG.random((N, 1)) < 0.04).astype(np.int64)
    judged = scores(truth, 3)
    found = compared(
        tmp_path, {"judged": judged, "alarm": alarm}, {"judged": judged, "alarm": np.zeros_like(alarm)}, "accuracy", truth
    )
    assert lost(found) == {"alarm 1"}


def test_numbers_of_many_kinds_are_no_classes(tmp_path: Path) -> None:
    judged, many = scores(RNG.integers(0, 3, N), 3), RNG.integers(0, 10**9, (N, 1))
    found = compared(tmp_path, {"judged": judged, "ids": many}, {"judged": judged, "ids": many[::-1]})
    assert all(each.name.startswith(("class ", "answers of class ")) for each in found)


def test_a_metric_of_the_users_own_on_a_task_of_classes(tmp_path: Path) -> None:
    truth = (RNG.random(N) < 0.04).astype(np.int64)
    before, after = scores(truth, 2), scores(np.zeros_like(truth), 2)
    assert lost(compared(tmp_path, {"judged": before}, {"judged": after}, "m:accuracy", truth)) == {"class 1"}
    assert compared(tmp_path / "b", {"judged": before}, {"judged": after}, "m:error", np.zeros((N, 2))) == []


def test_slices_of_several_answers_are_refused(tmp_path: Path) -> None:
    judged = scores(RNG.integers(0, 2, (N, 4)), 3)
    with pytest.raises(NotMeasured, match="has several an example"):
        compared(tmp_path, {"judged": judged}, {"judged": judged}, site=np.full(N, "x"))


def test_the_rarest_of_very_many_classes_is_looked_at() -> None:
    truth = np.append(np.repeat(np.arange(3000), 3), [5000, 5000])
    found = {each.name: each for each in kept_classes(truth, truth >= 0, truth < 5000)}
    assert len(found) == 3001
    assert (found["class 5000"].examples, found["class 5000"].only_baseline) == (2, 2)
    assert sum(each.both for each in found.values()) == 9000
