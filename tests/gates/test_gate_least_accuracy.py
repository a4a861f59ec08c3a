"""What a model reaches by itself, and what a report that states it can claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from end_to_end.test_baseline import OFF, answers, project, written
from kit.broken import WORLDS, World
from kit.command import call

from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.tasks._base import REGISTRY, Reading, is_text, task
from gatekeeper.gates.least_accuracy import _interval

__all__ = ["project"]  # a fixture
TASKS = [name for name in REGISTRY.builtin if not is_text(name)]
Edit = Callable[[dict[str, Any], dict[str, Any]], None]


@cache
def world(name: str) -> World:
    return WORLDS[name]()


@pytest.mark.parametrize(("name", "by"), [(name, by) for name in TASKS for by in of_family(task(name).FAMILY)])
def test_what_is_judged_is_no_more_than_what_is_shown(name: str, by: str) -> None:
    """A merge refuses a mean of scores above the metric's value."""
    from gatekeeper.evaluate.metrics._base import with_names

    own = world(name)
    reader = task(name)
    way = reader.way(own.before, Reading(task=name, places=own.labels.shape[1:], **own.told))
    theirs, ours = reader.read(own.before, way), reader.read(own.sound, way)
    compare = with_names(by, tuple(own.told.get("classes", ())))[0]
    pair = compare(theirs, ours, reader.check(own.labels, theirs, way))
    if (known := _interval(pair.scores)) is not None:
        assert known[0].observed <= pair.variant + 1e-6


def lowered(gate: dict[str, Any], variant: dict[str, Any], right: int, examples: int) -> None:
    gate["details"].update(counts=[right, examples])
    gate.update(observed=right / examples, lower=right / examples - 0.01, upper=1.0)


FORGED: dict[str, Edit] = {
    "counts": lambda gate, variant: lowered(gate, variant, 590, 600),
    "counts alone": lambda gate, variant: gate["details"].update(counts=[590, 600]),
    "more examples": lambda gate, variant: lowered(gate, variant, 10**7, 10**7),
    "no counts": lambda gate, variant: (gate["details"].pop("counts"), gate.update(observed=0.98, lower=0.97, upper=0.99))[1],
    "no value": lambda gate, variant: (lowered(gate, variant, 590, 600), variant["quality"].update(value=None))[1],
}


def test_counts_that_the_models_own_value_does_not_bear_out_are_no_pass(project: Path) -> None:
    data = dict(np.load(project / "eval.npz"))
    file = written(project, "none", f"accuracy: {{min: 0.95}}, {OFF}")
    assert (answers(project / "model.onnx", data["x"]) == data["y"]).mean() == pytest.approx(0.9)
    done = call(("run", file, "--policy", file, "--output", project / "report"), project, {})
    assert done.returncode == 1, done.stdout + done.stderr
    first = (project / "report/report.json").read_text()
    assert call(("report", project / "report", "--policy", file), project, {}).returncode == 1
    for name, edit in FORGED.items():
        report = json.loads(first)
        [variant] = report["targets"][0]["variants"]
        [gate] = [each for each in variant["gates"] if each["gate"] == "least_accuracy"]
        edit(gate, variant)
        gate["verdict"] = variant["verdict"] = report["verdict"] = report["targets"][0]["verdict"] = "pass"
        (project / "report/report.json").write_text(json.dumps(report))
        done = call(("report", project / "report", "--policy", file), project, {})
        assert done.returncode not in (0, 70), (name, done.stdout + done.stderr)
