"""Every remedy on every technique of every framework: what it proposes is a valid pipeline file, and changes no limit."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from gatekeeper.config.load import pipeline_of
from gatekeeper.config.source import parse_source
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.models.info import Assessment
from gatekeeper.records.repaired import Tried
from gatekeeper.repair.edits import Change, Place, check_allowed, edits_of
from gatekeeper.repair.failing import KINDS, Failing
from gatekeeper.repair.remedies._base import REGISTRY, Unsuited, ordered, remedy, unsuited
from gatekeeper.repair.seen import _options
from gatekeeper.repair.text import edited

TECHNIQUES = [(name, technique) for name in FRAMEWORKS.builtin for technique in framework(name).TECHNIQUES]
FILE = """\
edge_ai_pipeline:
  targets: [{{name: here, hardware: cpu}}]
  optimization:
    frameworks: [{framework}]
    techniques: {{{framework}: [{entry}]}}
  gates: {{accuracy: {{retention: 0.9}}}}
"""
MODEL = Assessment(
    path="m.onnx", format="onnx", files=[], bytes=1, architecture="cnn", parameters=1, weights={}, operators={},
    weighted_operators={}, nested_operators={}, inputs=[], outputs=[], opset={},
)  # fmt: skip


SAID: dict[str, dict[str, Any]] = {"calibration_size": {"examples": 8}, "context": {"session": {"context": 1024}}}
"""What a file must say for a remedy to have anything for it."""


def failing(name: str, technique: str, options: dict[str, Any] | None = None) -> Failing:
    return Failing(
        variant=f"here/{name}/{technique}",
        place=Place(name, technique, options or {}, index=0),
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        lost=(),
        model=MODEL,
        target=0,
        threads=3,
        cores=2,
        calibrated=80,
        techniques=[each for each in framework(name).TECHNIQUES if each != technique],
        options=partial(_options, name),
        sensitive=lambda: [f"/layer{i}/Conv" for i in range(12)],
    )


def proposed(remedy_name: str, about: Failing) -> list[Change]:
    """All that it proposes, where nothing helps."""
    if unsuited(remedy_name, about):
        return []
    found = []
    try:
        proposals = remedy(remedy_name).propose(about)
        change = next(proposals, None)
        while change is not None:
            found.append(change)
            change = proposals.send(Tried(remedy=remedy_name, variant=about.variant, edits=[], step="unmade"))
    except (Unsuited, StopIteration):
        pass
    return found


@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_what_a_remedy_proposes_is_a_valid_file(name: str) -> None:
    count = 0
    for of, technique in TECHNIQUES:
        said = SAID.get(name, {}) if {*SAID.get(name, {})} <= {*_options(of, technique)} else {}
        about = failing(of, technique, said)
        text = FILE.format(framework=of, entry=json.dumps({technique: said}) if said else technique)
        for change in proposed(name, about):
            edits = edits_of(change, about.place)
            check_allowed(edits)
            new = parse_source(edited(text, "p.yaml", edits), "p.yaml")
            before, after = (pipeline_of(each) for each in (parse_source(text, "p.yaml"), new))
            assert after.gates == before.gates
            assert after != before, f"{name} changes nothing of {of}'s {technique}"
            count += 1
    assert count, f"{name} has nothing for any technique"


@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_a_remedy_says_what_it_is(name: str) -> None:
    module = remedy(name)
    assert module.FAILURES
    assert set(module.FAILURES) <= set(KINDS)
    assert 1 <= module.COST <= 5
    assert module.DESCRIPTION.endswith(".")
    assert module.CAUSE.endswith(".")


def test_cheap_ones_come_first_and_only_those_for_what_failed() -> None:
    order = ordered(frozenset({"memory"}))
    costs = [remedy(name).COST for name in order]
    assert costs == sorted(costs)
    assert {"arena", "kv_cache", "context"} <= set(order)
    assert "equalization" not in order


def test_what_the_file_says_already_is_not_proposed() -> None:
    static = failing("onnx_runtime", "int8_static", {"equalize": True, "session": {"arena": False}})
    assert proposed("equalization", static) == []
    assert proposed("arena", static) == []
    assert [change.options for change in proposed("prepacking", static)] == [{"session": {"arena": False, "prepacking": False}}]
    assert len(proposed("equalization", failing("onnx_runtime", "int8_static"))) == 1


def test_layers_that_the_file_leaves_out_stay_out() -> None:
    static = failing("onnx_runtime", "int8_static", {"exclude": ["/head/Gemm"]})
    assert [change.options["exclude"][0] for change in proposed("sensitive_layers", static)].count("/head/Gemm") >= 3
