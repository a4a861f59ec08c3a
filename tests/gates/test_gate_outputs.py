from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.gates import outputs
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact
from gatekeeper.records.scores import KeptOutput

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1)
GOOD = KeptOutput(name="boxes", what="variance kept", observed=0.99, lower=0.98, upper=0.995, examples=500, component="[2]")


def judge(*found: KeptOutput, unjudged: dict[str, str] | None = None, **config: Any) -> Decision:
    comparison = Comparison(outputs=found, unjudged=unjudged or {})
    return outputs.judge(outputs.Config(**config), Evidence(artifact=ARTIFACT, comparison=comparison))


def changed(**changes: Any) -> KeptOutput:
    import msgspec

    return msgspec.structs.replace(GOOD, **({"name": "mask"} | changes))


@pytest.mark.parametrize(
    ("worse", "verdict"),
    [
        (changed(observed=0.97, lower=0.955, upper=0.98), Verdict.PASS),
        (changed(observed=0.96, lower=0.94, upper=0.97), Verdict.INCONCLUSIVE),
        (changed(observed=0.5, lower=0.4, upper=0.6), Verdict.FAIL),
        (changed(observed=-3.0, lower=None, upper=0.1), Verdict.FAIL),
        (changed(observed=0.99, lower=None, upper=None), Verdict.INCONCLUSIVE),
        (changed(observed=None), Verdict.ERROR),
        (changed(problem="the variant has no such output"), Verdict.FAIL),
        (changed(observed=0.98, examples=58), Verdict.ERROR),
    ],
)
def test_the_worst_output_decides(worse: KeptOutput, verdict: Verdict):
    for order in ((GOOD, worse), (worse, GOOD)):
        found = judge(*order)
        assert found.verdict is verdict, found
        assert "mask" in found.reason or verdict is Verdict.INCONCLUSIVE


def test_the_worst_component_is_named():
    assert judge(GOOD).reason == "boxes[2] keeps 99.0% of its variance, at least 98.0%, and no output less"


def test_an_ignored_output_is_named_and_not_judged():
    bad = changed(observed=0.1, lower=0.0, upper=0.2)
    found = judge(GOOD, bad, ignore=["mask"])
    assert found.verdict is Verdict.PASS
    assert found.reason.endswith("not judged: mask (ignored in the pipeline file)")
    assert found.details == {"outputs": {"boxes": 0.99}, "not_judged": {"mask": "ignored in the pipeline file"}}


def test_an_ignored_output_that_there_is_not_is_an_error_that_lists_them():
    found = judge(GOOD, ignore=["bokses"])
    assert found.verdict is Verdict.ERROR
    assert "names bokses" in found.reason and "it has boxes" in found.reason


@pytest.mark.parametrize("unjudged", [{}, {"parts": "it is a sequence"}])
def test_where_the_metric_reads_all_there_is_it_does_not_apply(unjudged: dict[str, str]):
    found = judge(unjudged=unjudged)
    assert not found.applies and found.observed is None
    assert ("not judged: parts (it is a sequence)" in found.reason) is bool(unjudged)
