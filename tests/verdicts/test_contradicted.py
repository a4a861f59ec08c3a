"""Numbers that a report gives twice: an edit of one of them makes no failing variant pass a merge, and what was whole does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.measured import LIMITS, Limits, Made, measured
from kit.tampered import claimed
from verdicts.test_tampered import LEG, STAGES, code, planned

from gatekeeper.config.policy import policy_file
from gatekeeper.gates.calibration_error import _of
from gatekeeper.reports._base import reporter
from gatekeeper.stats.calibration import growth
from gatekeeper.stats.looks import ALPHA
from gatekeeper.verdicts.rules import Rules

NOISE: Limits = {**LIMITS, "robustness": {"corruptions": ["noise"]}}
SURE: Limits = {**LIMITS, "calibration_error": {"bins": 3}}
GATES = "{robustness: {corruptions: [noise]}}"
KEPT = {"observed": 0.97, "lower": 0.95, "upper": 0.99}


def made(folder: Path, limits: Limits, gates: str, **variant: Any) -> tuple[dict[str, Any], Rules]:
    file = folder / "base.yaml"
    file.write_text(f"edge_ai_pipeline: {{targets: [{{name: cpu, hardware: cpu}}], gates: {gates}}}\n")
    policy, variants = policy_file(file), {"int8": Made(**variant)}
    report = measured(LEG, variants, policy="main", policy_sha256=policy.sha256, stages=STAGES, limits=limits)
    data: dict[str, Any] = json.loads(reporter("json").render(report))
    return data, Rules(planned(variants), policy=policy.limits, whole=True)


def gate(data: dict[str, Any], name: str) -> Any:
    [found] = [each for each in data["targets"][0]["variants"][0]["gates"] if each["gate"] == name]
    return found


def bounds(noise: dict[str, Any]) -> None:
    noise.update(KEPT)


def no_counts(noise: dict[str, Any]) -> None:
    noise.pop("counts")
    noise.update(KEPT)


def no_counts_and_a_copy(noise: dict[str, Any]) -> None:
    no_counts(noise)
    noise["copies"] = 1


def copies_beyond_the_set(noise: dict[str, Any]) -> None:
    no_counts(noise)
    noise["copies"] = 10_000


def other_counts(noise: dict[str, Any]) -> None:
    """Of the good run, beside the values of this one."""
    noise.update(counts=[noise["examples"], 0, 0], **_good(noise["examples"]))


def counts_below_zero(noise: dict[str, Any]) -> None:
    noise.update(counts=[noise["examples"] + 1, 0, -1], **KEPT)


def _good(examples: int) -> dict[str, float]:
    from gatekeeper.gates._counted import BOUNDS
    from gatekeeper.records.scores import PairedScores
    from gatekeeper.stats.retention import retention_interval

    right = [1.0] * examples
    own = retention_interval(PairedScores("binary", p=right, q=right, examples=examples), ALPHA)
    return {key: getattr(own, key) for key in BOUNDS}


@pytest.mark.parametrize(
    "edit", [bounds, no_counts, no_counts_and_a_copy, copies_beyond_the_set, other_counts, counts_below_zero]
)
def test_robustness_by_numbers_that_contradict_each_other_does_not_pass(
    edit: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    data, rules = made(tmp_path, NOISE, GATES, under={"noise": 0.5})
    assert code(data, rules) != 0
    data = claimed(data)
    own = gate(data, "robustness")
    noise = own["details"]["under"]["noise"]
    edit(noise)
    own.update({key: noise[key] for key in KEPT})
    assert own["lower"] > 0.9, "the edit says that enough is kept"
    assert code(data, rules) != 0
    if edit is other_counts:
        noise["variant"] = noise["baseline"]
        assert code(data, rules) == 0, "and it was the values beside the counts that it was held to"


@pytest.mark.parametrize("limits", [LIMITS])
def test_accuracy_by_bounds_without_its_counts_does_not_pass(limits: Limits, tmp_path: Path) -> None:
    data, rules = made(tmp_path, limits, "{}", kept=0.5)
    data = claimed(data)
    own = gate(data, "accuracy")
    own["details"].pop("counts")
    own.update(KEPT)
    assert code(data, rules) != 0
    whole, rules = made(tmp_path, limits, "{}")
    assert code(whole, rules) == 0


@pytest.mark.parametrize("shown", [False, True])
def test_a_baseline_that_borrows_the_variants_bins_does_not_pass(shown: bool, tmp_path: Path) -> None:
    data, rules = made(tmp_path, SURE, "{calibration_error: {bins: 3}}", sure=0.9, bins=3, kept=0.99)
    assert code(data, rules) != 0
    data = claimed(copy.deepcopy(data))
    own = gate(data, "calibration_error")
    bins = own["details"]["calibration"]
    bins["baseline"] = copy.deepcopy(bins["variant"])
    bins["together"] = [[i, i, row[3]] for i, row in enumerate(bins["variant"]) if row[0]]
    if shown:  # and what is told of them as well: then they are of another accuracy than the baseline's
        own["details"]["baseline"] = own["details"]["variant"]
    grown = growth(_of(own["details"]), ALPHA)
    own.update(observed=grown.observed, lower=grown.lower, upper=grown.upper)
    assert grown.upper <= own["limit"], "the edit says that nothing grew"
    assert code(data, rules) != 0
