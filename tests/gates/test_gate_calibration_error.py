"""How much the expected calibration error may grow, and what says nothing of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.gates import calibration_error
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import Calibrated
from gatekeeper.stats.calibration import calibrated

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1)
PASS, FAIL, OPEN, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR


def judge(found: Calibrated | None, grow_by: float = 0.02, **more: Any) -> Decision:
    config = calibration_error.Config(grow_by=grow_by)
    return calibration_error.judge(config, Evidence(artifact=ARTIFACT, comparison=Comparison(calibrated=found, **more)))


def surer(by: float, n: int = 2000) -> Calibrated:
    right = (np.arange(n) % 10 != 0) * 1.0
    return calibrated((np.full(n, 0.9), right), (np.full(n, 0.9 + by), right), 15)


@pytest.mark.parametrize(
    ("by", "n", "grow_by", "verdict"),
    [(0.0, 2000, 0.02, PASS), (0.019, 2000, 0.02, OPEN), (0.09, 2000, 0.02, FAIL), (0.0, 58, 0.5, ERROR), (0.0, 100, 0.02, OPEN)],
)
def test_what_grows_is_bounded(by: float, n: int, grow_by: float, verdict: Verdict) -> None:
    found = judge(surer(by, n), grow_by)
    assert found.verdict is verdict, found.reason
    assert found.observed == pytest.approx(by, abs=0.01 if n < 100 else 1e-9)


def test_the_reason_has_both_errors_and_the_details_the_bins() -> None:
    found = judge(surer(0.09))
    assert found.reason.startswith("calibration error grows by 9.0%, by at least ")
    assert found.reason.endswith("(0.0% -> 9.0% in 15 bins)")
    assert len(found.details["calibration"]["variant"]) == 15 and found.details["examples"] == 2000


@pytest.mark.parametrize(
    ("found", "more", "said"),
    [
        (None, {}, "how sure the models are was not measured"),
        (None, {"error": "no evaluation set"}, "no evaluation set"),
        (Calibrated(problem="the set has no labels"), {}, "the set has no labels"),
        (Calibrated(), {}, "the confidences hold values that are none"),
        (surer(0.0), {"alone": True}, "there is no baseline, beside which an error could grow"),
    ],
)
def test_what_is_not_known_is_an_error_in_words(found: Calibrated | None, more: dict[str, Any], said: str) -> None:
    decision = judge(found, **more)
    assert (decision.verdict, decision.reason) == (ERROR, said)


def test_a_variant_that_answers_nothing_fails() -> None:
    assert judge(None, collapsed="it answers NaN").verdict is FAIL
