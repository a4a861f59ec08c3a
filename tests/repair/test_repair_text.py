"""A value set in a pipeline file: what ruamel.yaml, which had no part in it, reads of the result, and git takes as a patch."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gatekeeper.errors import UsageError
from gatekeeper.records.repaired import Edit
from gatekeeper.repair.edits import Change, Place, check_allowed, edits_of
from gatekeeper.repair.text import diff, edited, stretch

FLOW = """\
edge_ai_pipeline:   # ours
  model: { path: m.onnx }  # two blanks
  optimization:
    frameworks: [onnx_runtime]

    techniques: {onnx_runtime: [graph_optimized,  int8_static]}   # in order
  # the limits
  gates: {speedup: {min: 2}}
"""
BLOCK = """\
edge_ai_pipeline:
    optimization:
        techniques:
            onnx_runtime:
            - graph_optimized
            - int8_static:   # why
                per_channel: false   # here

            # the end of them
    gates: {speedup: {min: 2}}"""
UNSTATED = """\
# a file that leaves techniques to gatekeeper
edge_ai_pipeline:
  gates: {speedup: {min: 2}}   # last line
"""
STATIC = Place("onnx_runtime", "int8_static", index=1)
HAS = Place("onnx_runtime", "int8_static", {"per_channel": False}, index=1)
NOWHERE = Place("onnx_runtime", "int8_static")
CASES: list[tuple[str, Place, Change, int]] = [
    (FLOW, STATIC, Change({"equalize": True}), 1),
    (FLOW, STATIC, Change({"equalize": True, "exclude": ["/conv1/Conv", "a: b", "yes"]}), 1),
    (FLOW, STATIC, Change(technique="int8_dynamic"), 1),
    (FLOW, STATIC, Change({"weights": "uint8"}, values={("measure", "threads"): 2}), 2),
    (BLOCK, HAS, Change({"equalize": True}), 1),
    (BLOCK, HAS, Change({"per_channel": True}), 1),
    (BLOCK, HAS, Change({"per_channel": True, "equalize": True}), 2),
    (UNSTATED, NOWHERE, Change({"equalize": True}), 1),
    (BLOCK, NOWHERE, Change(values={("measure", "threads"): 1}), 2),  # its last line had no end, and gets one
]


def comments(text: str) -> list[str]:
    """What stands behind each # of a file, none of which is in a string here."""
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def read(text: str) -> Any:
    """By a parser that has no part in gatekeeper."""
    return YAML(typ="safe", pure=True).load(text)["edge_ai_pipeline"]


def value_at(data: Any, edit: Edit) -> Any:
    for key in edit.path:
        data = data[key]
    return data


@pytest.mark.parametrize(("text", "place", "change", "changed"), CASES)
def test_only_what_is_asked_for_changes(text: str, place: Place, change: Change, changed: int) -> None:
    edits = edits_of(change, place)
    new = edited(text, "p.yaml", edits)
    for each in edits:
        assert value_at(read(new), each) == each.value
    assert comments(new) == comments(text)
    before, after = text.splitlines(), new.splitlines()
    assert len([line for line in after if line not in before]) <= changed
    assert read(new)["gates"] == read(text)["gates"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(("text", "place", "change", "changed"), CASES)
def test_git_takes_the_patch(tmp_path: Path, text: str, place: Place, change: Change, changed: int, ending: str) -> None:
    text = text.replace("\n", ending)
    file = tmp_path / "p.yaml"
    file.write_bytes(text.encode())
    new = edited(text, "p.yaml", edits_of(change, place))
    patch = tmp_path / "change.patch"
    patch.write_bytes(diff(text, new, "p.yaml").encode())
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True)
    assert file.read_bytes() == new.encode()
    assert new.count("\r\n") in (0, new.count("\n"))


@pytest.mark.parametrize(("text", "place", "change", "changed"), CASES)
def test_a_suggestion_in_its_place_is_the_new_file(text: str, place: Place, change: Change, changed: int) -> None:
    new = edited(text, "p.yaml", edits_of(change, place))
    where = stretch(text, new)
    lines = text.splitlines()
    if where.first:
        assert [*lines[: where.first - 1], *where.replacement.splitlines(), *lines[where.last :]] == new.splitlines()
    else:
        assert "measure" in new  # two stretches, which no one suggestion can hold
        assert len(change.parts()) > 1


ALIASED = """\
edge_ai_pipeline:
  optimization:
    techniques: {onnx_runtime: &same [int8_static], openvino: *same}
"""
ANCHORED = ALIASED.replace(", openvino: *same", "")
VALUE = """\
edge_ai_pipeline:
  optimization: {techniques: {onnx_runtime: [&one int8_static], openvino: [*one]}}
"""
FIRST = Place("onnx_runtime", "int8_static", index=0)


@pytest.mark.parametrize(("text", "line"), [(ALIASED, 3), (VALUE, 2)])
def test_what_stands_elsewhere_too_is_refused(text: str, line: int) -> None:
    with pytest.raises(UsageError, match=rf"^p\.yaml:{line}: optimization.*equalize: true cannot be set.*alias|anchor.*yourself"):
        edited(text, "p.yaml", edits_of(Change({"equalize": True}), FIRST))


def test_an_anchor_that_nothing_uses_is_no_hindrance() -> None:
    new = edited(ANCHORED, "p.yaml", edits_of(Change({"equalize": True}), FIRST))
    assert read(new)["optimization"]["techniques"] == {"onnx_runtime": [{"int8_static": {"equalize": True}}]}


FORBIDDEN: list[tuple[str | int, ...]] = [
    ("gates", "accuracy", "retention"), ("dataset", "limit"), ("model", "path"), ("model_validation", "accuracy_threshold"),
    ("targets", 0, "gates"), ("targets", 0, "hardware"), ("measure", "max_rounds"), ("optimization", "variants"), ("stages",),
    ("optimization", "techniques"), ("baseline",), ("testing", "load_tests"),
]  # fmt: skip


@pytest.mark.parametrize("path", FORBIDDEN, ids=str)
def test_limits_and_data_may_not_be_set(path: tuple[str | int, ...]) -> None:
    with pytest.raises(UsageError, match="may set techniques"):
        check_allowed([Edit(path=path, value=1)])


@pytest.mark.parametrize("path", [("optimization", "techniques", "openvino"), ("targets", 3, "threads"), ("measure", "threads")])
def test_what_a_remedy_may_set(path: tuple[str | int, ...]) -> None:
    check_allowed([Edit(path=path, value=1)])
