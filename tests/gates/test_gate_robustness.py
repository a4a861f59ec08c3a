"""Under corruptions a variant keeps as much as the accuracy gate would ask, under every one that is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.support import write_project

from gatekeeper.config.limits import limits
from gatekeeper.config.load import load
from gatekeeper.config.policy import loosened, policy_file
from gatekeeper.errors import ConfigError
from gatekeeper.gates import accuracy, robustness
from gatekeeper.records.base import Verdict
from gatekeeper.records.corrupted import CHARACTERS, SPREAD, Arrived
from gatekeeper.records.evidence import Comparison, Corrupted, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import PairedScores

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1)
ARRIVED = Arrived(changed=900, examples=1000, by=0.1, unit=SPREAD)
PASS, FAIL, OPEN, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR


def compared(lost: int, n: int = 1000, right: int = 800, **more: Any) -> Comparison:
    """The baseline gets `right` of n examples right, the variant so many fewer."""
    q, p = ((np.arange(n) < count) * 1.0 for count in (right, right - lost))
    scores = PairedScores("binary", p=p, q=q, examples=n)
    return Comparison(metric="accuracy", baseline=right / n, variant=(right - lost) / n, scores=scores, **more)


def judge(named: list[Any], found: dict[str, Corrupted] | None, retention: float = 0.9, **more: Any) -> Decision:
    config = msgspec.convert({"corruptions": named, "retention": retention}, robustness.Config)
    return robustness.judge(config, Evidence(artifact=ARTIFACT, comparison=replace(compared(0), corrupted=found, **more)))


def under(**found: Comparison) -> dict[str, Corrupted]:
    return {name: Corrupted(each, ARRIVED) for name, each in found.items()}


@pytest.mark.parametrize(("lost", "verdict"), [(0, PASS), (40, PASS), (75, OPEN), (80, OPEN), (130, FAIL)])
def test_it_decides_as_the_accuracy_gate_does_on_the_same_scores(lost: int, verdict: Verdict) -> None:
    found = judge(["noise"], under(noise=compared(lost)))
    alone = accuracy.judge(accuracy.Config(retention=0.9), Evidence(artifact=ARTIFACT, comparison=compared(lost)))
    assert (found.verdict, found.observed, found.lower, found.upper) == (verdict, alone.observed, alone.lower, alone.upper)
    assert found.details["under"]["noise"]["counts"] == [800 - lost, lost, 0]
    assert {key: found.details["under"]["noise"][key] for key in ("changed", "of", "by")} == {
        "changed": 900,
        "of": 1000,
        "by": 0.1,
    }


def test_one_that_fails_fails_all_and_is_named() -> None:
    found = judge(
        ["noise", {"blur": {"radius": 3}}], under(noise=compared(0)) | {"blur (radius 3)": Corrupted(compared(300), ARRIVED)}
    )
    assert found.verdict is FAIL and found.reason.startswith("under blur (radius 3): keeps 62.5%")
    assert found.details["corruptions"] == ["noise", {"blur": {"radius": 3.0}}]
    assert found.observed == 0.625, "the worst of them"


def test_what_is_named_and_was_not_asked_is_an_error() -> None:
    assert judge(["noise", "dropout"], under(noise=compared(0))).verdict is ERROR
    assert judge([], under(noise=compared(0))).verdict is ERROR
    assert judge(["noise"], None).verdict is ERROR


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"changed": 0}, "it changes nothing"),
        ({"changed": 400}, "it changes only 400 of 1,000 examples"),
        ({"by": 1e-6}, "by 1e-06 of the input's standard deviation; at least 0.02 is needed"),
        ({"by": 0.019}, "at least 0.02 is needed"),
        ({"unit": CHARACTERS, "by": 0.001}, "at least 0.01 is needed"),
        ({"unit": "metres"}, "is no unit"),
        ({"still": ["b"]}, "it leaves 'b' as it was, and nobody asked"),
        ({"still": ["b"], "answered": 99}, "and of only 99 of 1,000 examples"),
    ],
)
def test_what_did_not_reach_the_model_is_no_pass(changes: dict[str, Any], said: str) -> None:
    arrived = msgspec.structs.replace(ARRIVED, **changes)
    found = judge(["noise"], {"noise": Corrupted(compared(0), arrived)})
    assert (
        found.verdict is ERROR and found.reason.startswith("under noise: it did not reach the model: ") and said in found.reason
    )
    assert judge(["noise"], {"noise": Corrupted(compared(0), None)}).reason == "under noise: it did not reach the model"


def test_inputs_that_stay_are_none_of_its_business_where_the_baseline_answers_otherwise() -> None:
    read = msgspec.structs.replace(ARRIVED, still=["mask"], answered=100)
    assert judge(["noise"], {"noise": Corrupted(compared(0), read)}).verdict is PASS


def test_a_baseline_at_chance_has_nothing_to_keep_and_that_is_said() -> None:
    found = judge(["noise"], under(noise=compared(0, error="the baseline is no better than chance: 10 %.")))
    assert found.verdict is ERROR
    assert found.reason == (
        "under noise: the baseline is no better than chance: 10 %. Under it nothing can be kept: choose a milder one"
    )


def test_a_collapse_under_a_corruption_fails_whatever_is_kept() -> None:
    found = judge(["noise"], under(noise=compared(0, collapsed="it answers class 0 whatever it sees")))
    assert found.verdict is FAIL and "answers class 0" in found.reason


def test_few_examples_are_an_error_and_no_baseline_is_one() -> None:
    assert judge(["noise"], under(noise=compared(0, n=58, right=58))).verdict is ERROR
    assert judge(["noise"], under(noise=compared(0)), alone=True).verdict is ERROR


def test_a_bound_that_is_open_is_none() -> None:
    """Of few scores of a known range nothing bounds what more there may be."""
    scores = PairedScores("bounded", p=np.full(60, 0.01), q=np.full(60, 0.01), examples=60)
    found = judge(["noise"], under(noise=Comparison(metric="own:m", baseline=0.01, variant=0.01, scores=scores)))
    assert (found.verdict, found.observed, found.lower, found.upper) == (OPEN, 1.0, 0.0, None)
    assert found.details["under"]["noise"]["upper"] is None


def test_a_pass_says_under_what_and_where_it_is_least() -> None:
    found = judge(["noise", "dropout"], under(noise=compared(0), dropout=compared(30)))
    assert found.verdict is PASS and found.reason.startswith("under noise, dropout; least under dropout: keeps 96.2%")
    assert found.brief == f"keeps at least {found.lower:.1%} under each of noise, dropout"


def test_a_file_may_ask_for_more_than_its_policy_and_not_for_less(tmp_path: Path) -> None:
    def loaded(name: str, corruptions: str) -> Path:
        gate = f"robustness: {{corruptions: {corruptions}}}"
        (tmp_path / name).write_text(
            f"edge_ai_pipeline: {{model: {{path: model.onnx}}, dataset: {{path: eval.npz}}, gates: {{{gate}}}}}\n"
        )
        return tmp_path / name

    write_project(tmp_path)
    policy = policy_file(loaded("base.yaml", "[noise, {dropout: {share: 0.5}}]"))
    for said, held in {"[noise]": 2, "[noise, dropout]": 2, "[dropout, noise, {dropout: {share: 0.5}}]": 3}.items():
        here = replace(load(loaded("p.yaml", said)), policy=policy)
        [limit] = [each for each in limits(here, here.targets[0]) if each.name == "robustness"]
        assert isinstance(limit.config, robustness.Config) and len(limit.config.corruptions) == held
        assert bool(loosened(here)) is (held == 2)
        if held == 2:
            assert "('noise', dropout (share 0.5)) in the policy" in loosened(here)[0]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("[nois]", "did you mean 'noise'? Allowed: blur, brightness, case, dropout, noise, truncation, typos"),
        ("[noise, blur]", "p.yaml:6:45: blur cannot act on this model. This model's inputs take dropout, noise."),
        ("[typos]", "typos cannot act on this model."),
        ("[]", "robustness names no corruption. This model's inputs take dropout, noise."),
        ("[{noise: {sd: 0}}]", "noise.sd is 0; "),
        ("[{noise: {loud: 1}}]", "loud"),
        ("[noise, {noise: {sd: 0.1}}]", "noise is named twice. Remove one."),
        ("[{noise: {}, dropout: {}}]", "several corruptions in one entry. Give each its own."),
    ],
)
def test_what_cannot_be_asked_is_told_at_its_place(said: str, problem: str, tmp_path: Path) -> None:
    file = write_project(tmp_path, framework="onnx_runtime", techniques="int8_dynamic")
    lines = file.read_text().replace("gates: {", f"gates: {{robustness: {{corruptions: {said}}}, ")
    (tmp_path / "p.yaml").write_text(lines)
    with pytest.raises(ConfigError) as found:
        load(tmp_path / "p.yaml")
    assert problem in str(found.value)


def test_a_calibration_error_of_what_is_no_class_is_refused(tmp_path: Path) -> None:
    file = write_project(tmp_path, framework="onnx_runtime", techniques="int8_dynamic")
    text = file.read_text().replace("task: tabular_classification", "task: regression")
    file.write_text(text.replace("gates: {", "gates: {calibration_error: {}, "))
    with pytest.raises(ConfigError, match=r"calibration_error needs one class an example .*, not regression. Remove it."):
        load(file)
