"""Examples that repeat others change nothing of what is found, in any task: of the metric, of chance, of classes, of outputs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.broken import WORLDS, World, judged

from gatekeeper.evaluate.answers import collect
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.records.gates import Decision


@cache
def world(name: str) -> World:
    return WORLDS[name]()


def rows_of(own: World, rows: Any) -> World:
    inputs = {name: array[rows] for name, array in own.inputs.items()} | {"x": rows.astype(np.float32)[:, None]}
    return replace(own, before=own.before[rows], labels=own.labels[rows], inputs=inputs)


def found(decisions: dict[str, Decision]) -> dict[str, Any]:
    """All but the words, which say that there are copies."""
    return {
        name: (each.verdict, each.observed, each.lower, each.upper, {k: v for k, v in each.details.items() if k != "copies"})
        for name, each in decisions.items()
    }


def close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    return bool(one == pytest.approx(other, rel=1e-9, nan_ok=True)) if isinstance(one, float) else bool(one == other)


@pytest.mark.parametrize("name", [*WORLDS])
@pytest.mark.parametrize("how", ["sound", "random"])
def test_copies_change_nothing(name: str, how: str, tmp_path: Path) -> None:
    own = world(name)
    after = own.sound if how == "sound" else own.broken[how]
    count = len(own.before)
    # Mostly of one example, as somebody would have them who wants it to decide.
    rows = np.concatenate([np.arange(count), np.full(count, 3), np.arange(count // 3)])
    whole, given = np.arange(count), judged(tmp_path / "copies", rows_of(own, rows), after[rows], own.labels[rows])
    once = judged(tmp_path / "once", rows_of(own, whole), after, own.labels)
    assert close(found(given), found(once))


def test_labels_that_contradict_each_other_are_averaged(tmp_path: Path) -> None:
    own = world("tabular_classification")
    rows = np.repeat(np.arange(200), 2)
    labels = own.labels[rows].copy()
    labels[1::2] = (labels[1::2] + 1) % 8
    given = judged(tmp_path / "a", rows_of(own, rows), own.sound[rows], labels)
    details = given["accuracy"].details
    assert (details["examples"], details["copies"]) == (200, 200)


def test_cross_validation_counts_them_once(tmp_path: Path) -> None:
    for name in ("dataset", "a", "b"):
        (tmp_path / name).mkdir()
    rows = np.concatenate([np.arange(100), np.zeros(900, int)])
    np.save(tmp_path / "dataset/input0.npy", rows.astype(np.float32)[:, None])
    scores = np.random.default_rng(0).normal(size=(2, 100, 4)).astype(np.float32)
    for name, each in zip("ab", scores, strict=True):
        np.save(tmp_path / name / "predictions.npy", each[rows])
    files = {f"x/ort/{name}": tmp_path / name / "predictions.npy" for name in "ab"}
    answers = collect(files, tmp_path / "dataset", Reading(task="tabular_classification"), None)
    assert answers is not None
    assert answers.header.total == 100
    assert np.array_equal(answers.values, scores.argmax(axis=2))
