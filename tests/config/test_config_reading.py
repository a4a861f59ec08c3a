"""What a file reads otherwise than its policy is refused: a limit holds nothing where something else is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from config.test_config_policy import held
from kit.support import write_model

from gatekeeper.config.policy import policy_notes, unheld
from gatekeeper.config.reading import FREE, PINS, read_otherwise
from gatekeeper.config.sections.also import AlsoSet
from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.config.sections.dataset import Dataset, Image
from gatekeeper.config.sections.inputs import Input, Output
from gatekeeper.config.sections.model import Model
from gatekeeper.config.sections.symbols import Symbols

MODEL = "model: {{path: model.onnx, task: {task}{model}}}\ndataset: {{path: eval.npz{data}}}\n{inputs}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("here", "base"):
        (tmp_path / folder).mkdir()
    for name in ("eval", "other", "maths", "easy"):
        np.savez(tmp_path / f"here/{name}.npz", x=[1], y=[1], site=[1], day=[1], kind=[1])
    write_model(tmp_path / "here/model.onnx")
    (tmp_path / "here/easy.py").write_text("def load(): ...\n")
    return tmp_path


def text(task: str = "object_detection", model: str = "", data: str = "", inputs: str = "") -> str:
    return MODEL.format(task=task, model=model, data=data, inputs=inputs)


DETECTOR = ", boxes: {layout: yolo_v8, score: 0.01, threshold: 0.25, overlap: 0.6}"
SEGMENTS = {"task": "semantic_segmentation"}
TABLE = {"task": "tabular_classification"}
MATHS = {**TABLE, "data": ", also: [{name: maths, path: maths.npz}]"}
CHANGED: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    # the policy, the file, what is refused
    "threshold": (
        {"model": DETECTOR},
        {"model": DETECTOR.replace("0.25", "0.9")},
        "model.boxes.threshold: 0.25 in the policy, 0.9",
    ),
    "threshold left out": (
        {"model": DETECTOR},
        {"model": DETECTOR.replace(", threshold: 0.25", "")},
        "model.boxes.threshold: 0.25 in the policy, not given",
    ),
    "threshold made up": (
        {"model": DETECTOR.replace(", threshold: 0.25", "")},
        {"model": DETECTOR},
        "model.boxes.threshold: not given in the policy",
    ),
    "score": ({"model": DETECTOR}, {"model": DETECTOR.replace("0.01", "0.5")}, "model.boxes.score: 0.01 in the policy, 0.5"),
    "overlap": ({"model": DETECTOR}, {"model": DETECTOR.replace("0.6", "0.99")}, "model.boxes.overlap: 0.6 in the policy, 0.99"),
    "all of boxes": ({}, {"model": ", boxes: {threshold: 0.9}"}, "model.boxes.threshold: not given in the policy, 0.9 here"),
    "ignore": (
        {**SEGMENTS, "data": ", ignore: 255"},
        {**SEGMENTS, "data": ", ignore: 0"},
        "dataset.ignore: 255 in the policy, 0 here",
    ),
    "ignore of nothing": (SEGMENTS, {**SEGMENTS, "data": ", ignore: 0"}, "dataset.ignore: -100 in the policy, 0 here"),
    "axis": (TABLE, {**TABLE, "data": ", axis: 1"}, "dataset.axis: 0 in the policy, 1 here"),
    "metric": (
        {**TABLE, "data": ", metric: macro_f1"},
        {**TABLE, "data": ", metric: accuracy"},
        "dataset.metric: macro_f1 in the policy",
    ),
    "task": (TABLE, {"task": "regression"}, "model.task: tabular_classification in the policy, regression here"),
    "labels": (TABLE, {**TABLE, "data": ", labels: kind"}, "dataset.labels: not given in the policy, kind here"),
    "a group left out": (
        {**TABLE, "data": ", slices: [site, day]"},
        {**TABLE, "data": ", slices: [day]"},
        "dataset.slices: ['site', 'day'] in the",
    ),
    "fewer examples": (
        {**TABLE, "data": ", limit: 500"},
        {**TABLE, "data": ", limit: 60"},
        "dataset.limit: 500 in the policy, 60 here",
    ),
    "some examples": (TABLE, {**TABLE, "data": ", limit: 60"}, "dataset.limit: not given in the policy, 60 here"),
    "constant": (
        {**TABLE, "inputs": "inputs: {x: {constant: 16000}}\n"},
        {**TABLE, "inputs": "inputs: {x: {constant: 8000}}\n"},
        "inputs.x.constant: 16000 in the policy, 8000 here",
    ),
    "constant made up": (
        TABLE,
        {**TABLE, "inputs": "inputs: {x: {constant: 0}}\n"},
        "inputs.x.constant: not given in the policy",
    ),
    "another set": (
        MATHS,
        {**TABLE, "data": MATHS["data"].replace("maths.npz", "easy.npz")},
        "dataset.also.maths.path: maths.npz in the policy, easy.npz here",
    ),
    "a set that is loaded": (
        MATHS,
        {**TABLE, "data": ", also: [{name: maths, loader: easy:load}]"},
        "dataset.also.maths.path: maths.npz in the policy, not",
    ),
    "labels of a set": (
        MATHS,
        {**TABLE, "data": MATHS["data"].replace("maths.npz", "maths.npz, labels: kind")},
        "dataset.also.maths.labels: not given in the policy, kind here",
    ),
}


@pytest.mark.parametrize("change", CHANGED)
def test_what_changes_what_is_measured_is_refused(place: Path, change: str) -> None:
    policy, here, says = CHANGED[change]
    loaded = held(place, text(**policy), text(**here))
    said = unheld(loaded)
    assert any(each.startswith(says) for each, _ in said), said
    assert not [note for note in policy_notes(loaded) if says in note], "what is refused is not said to be allowed"


ALLOWED = {
    "nothing": (text(model=DETECTOR), text(model=DETECTOR)),
    "more groups": (text(**TABLE, data=", slices: site"), text(**TABLE, data=", slices: [day, site]")),
    "more examples": (text(**TABLE, data=", limit: 60"), text(**TABLE, data=", limit: 600")),
    "all examples": (text(**TABLE, data=", limit: 60"), text(**TABLE)),
    "one more set": (text(**TABLE), text(**MATHS)),
    "a set asked for less": (text(**MATHS), text(**TABLE, data=MATHS["data"].replace("npz}", "npz, retention: 0.5}"))),
    "a policy of limits alone": ("gates: {speedup: {min: 3}}\n", text(model=DETECTOR, inputs="inputs: {x: {constant: 1}}\n")),
    "a policy of another key": ("dataset: {metric: accuracy}\n", text(**TABLE, data=", metric: accuracy, labels: kind")),
    "another file": (text(**TABLE), text(**TABLE).replace("eval.npz", "other.npz")),
}


@pytest.mark.parametrize("change", ALLOWED)
def test_what_asks_for_no_less_is_allowed(place: Path, change: str) -> None:
    policy, here = ALLOWED[change]
    assert unheld(held(place, policy, here)) == []


def test_a_policy_without_data_holds_what_it_says_of_them(place: Path) -> None:
    loaded = held(place, "dataset: {metric: macro_f1}\n", text(**TABLE, data=", metric: accuracy, labels: kind"))
    assert [said.partition(":")[0] for said, _ in unheld(loaded)] == ["dataset.metric"]


SECTIONS = {
    ("outputs", "y"): Output, ("model",): Model, ("model", "boxes"): Boxes, ("model", "symbols"): Symbols, ("inputs", "x"): Input,
    ("dataset",): Dataset, ("dataset", "image"): Image, ("dataset", "also", "maths"): AlsoSet,
}  # fmt: skip
LIMITS = ("dataset.also.maths.name", "dataset.also.maths.retention", "dataset.also.maths.on_fail")
MADE_OF_SECTIONS = ("model.boxes", "model.symbols", "dataset.image", "dataset.also")


@pytest.mark.parametrize("section", SECTIONS, ids=".".join)
def test_every_key_of_how_answers_are_read_is_held(place: Path, section: tuple[str, ...]) -> None:
    """All but those that are named: a key that comes to be is held until somebody says why not."""
    whole = held(place, text(**MATHS), text(**MATHS))
    assert whole.policy and whole.policy.limits
    for field in msgspec.structs.fields(SECTIONS[section]):
        name = ".".join((*section, field.name))
        if name in (*FREE, *LIMITS, *MADE_OF_SECTIONS) or name.endswith(PINS):
            continue
        before, after = ("site", "day") if field.name == "slices" else (41, 40)
        policy = replace(whole.policy.limits, pipeline=with_value(whole.policy.limits.pipeline, (*section, field.name), before))
        here = with_value(whole.pipeline, (*section, field.name), after)
        loaded = replace(whole, pipeline=here, policy=replace(whole.policy, limits=policy))
        assert [each.name for each, _ in read_otherwise(loaded)] == [name]


def with_value(pipeline: Any, path: tuple[str, ...], value: Any) -> Any:
    """The same pipeline with a value at a path; sections on the way are made where there are none."""
    made = {
        ("model", "boxes"): Boxes(),
        ("model", "symbols"): Symbols(),
        ("dataset", "image"): Image(),
        ("inputs", "x"): Input(),
        ("outputs", "y"): Output(batch_axis=1),
    }

    def put(part: Any, done: tuple[str, ...], left: tuple[str, ...]) -> Any:
        if not left:
            return value
        name, here = left[0], (*done, left[0])
        if isinstance(part, list):
            return [put(each, here, left[1:]) if each.name == name else each for each in part]
        if isinstance(part, dict):
            return part | {name: put(part.get(name, made.get(here)), here, left[1:])}
        inner = getattr(part, name)
        return msgspec.structs.replace(part, **{name: put(made.get(here) if inner is None else inner, here, left[1:])})

    return put(pipeline, (), path)
