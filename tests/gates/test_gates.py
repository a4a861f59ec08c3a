"""What holds for every gate of the registry, so that a new one cannot escape it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from support import round_data

from gatekeeper.evidence import Comparison, Evidence
from gatekeeper.gates._base import REGISTRY, GateConfig, gate, unmeasured
from gatekeeper.records import Artifact, Decision, RoundData, Verdict
from gatekeeper.stats.retention import PairedScores

GATES = REGISTRY.names
NOTHING = Artifact(path="", sha256="", bytes=0)
ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)
LOOK = 8
FIELDS = ("p10_ns", "median_ns", "mean_ns", "p95_ns", "p99_ns", "peak_bytes")


def config(name: str) -> GateConfig:
    """The gate's own default, or a limit that the artifact above keeps."""
    return gate(name).DEFAULT or msgspec.convert({"max": "50MB"}, gate(name).Config)


def rounds(scale: float, count: int = LOOK, **changes: Any) -> list[RoundData]:
    """Rounds of an arm whose latency and memory are `scale` times one millisecond and 100 MB, within half a percent."""
    found = []
    for i in range(count):
        median = scale * 1e6 * (1 + 0.005 * math.sin(i + scale))
        values: dict[str, Any] = {
            "p95_ns": (1.05 + 0.001 * math.cos(i)) * median,
            "p99_ns": 1.1 * median,
            "peak_bytes": int(scale * 1e8) + i,
        }
        found.append(round_data(i, **({"median_ns": median} | values | changes)))
    return found


def comparison(variant: Any, baseline: Any) -> Comparison:
    scores = PairedScores("binary", p=variant, q=baseline, examples=len(baseline))
    return Comparison(metric="accuracy", baseline=0.9, variant=0.9, scores=scores)


def good() -> Evidence:
    """A variant that passes every gate."""
    right = np.array([1.0] * 900 + [0.0] * 100)
    return Evidence(
        artifact=ARTIFACT, baseline=rounds(1), variant=rounds(0.25), control=rounds(1), comparison=comparison(right, right)
    )


def test_the_registry_has_the_gates_of_the_design():
    assert {"accuracy", "memory", "package_size", "speedup", "stability"} <= set(GATES)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_has_the_documented_shape(name: str):
    found = gate(name)
    assert found.DESCRIPTION.endswith(".")
    assert found.UNIT
    assert found.BASIS in ("rounds", "scores", "artifact")
    assert issubclass(found.Config, GateConfig)
    assert found.DEFAULT is None or isinstance(found.DEFAULT, found.Config)
    assert found.limit_key in found.Config.__struct_fields__


@pytest.mark.parametrize("name", GATES)
def test_every_field_of_a_limit_is_described(name: str):
    schema = msgspec.json.schema(gate(name).Config)
    for field, shape in schema["$defs"]["Config"]["properties"].items():
        assert shape.get("description"), field


@pytest.mark.parametrize("name", GATES)
def test_unknown_keys_are_refused(name: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max": "50MB", "nonsense": 1} if name == "package_size" else {"nonsense": 1}, gate(name).Config)


@pytest.mark.parametrize("name", GATES)
def test_a_good_variant_passes_and_says_by_how_much(name: str):
    found = gate(name).judge(config(name), good())
    assert isinstance(found, Decision)
    assert found.verdict is Verdict.PASS, found.reason
    assert found.reason
    assert found.lower is not None and found.upper is not None and found.observed is not None
    assert found.lower <= found.observed <= found.upper


@pytest.mark.parametrize("name", GATES)
def test_without_evidence_there_is_an_error_and_a_reason(name: str):
    found = gate(name).judge(config(name), Evidence(artifact=NOTHING))
    assert found.verdict is Verdict.ERROR
    assert found.reason


@pytest.mark.parametrize("arm", ["baseline", "variant", "control"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0], ids=str)
@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "rounds"])
def test_one_impossible_round_in_all_of_its_fields_never_passes(name: str, bad: float, arm: str):
    if (name, arm) in {("memory", "control"), ("stability", "control"), ("stability", "baseline")}:
        return  # the verdict does not rest on these
    if name == "memory" and arm == "variant" and bad <= 0:
        return  # a variant within the runtime's own noise reads as nothing, or less
    evidence = good()
    row = msgspec.structs.replace(getattr(evidence, arm)[3], **dict.fromkeys(FIELDS, bad))
    spoilt = [*getattr(evidence, arm)[:3], row, *getattr(evidence, arm)[4:]]
    found = gate(name).judge(config(name), dataclasses.replace(evidence, **{arm: spoilt}))
    assert found.verdict is not Verdict.PASS


@pytest.mark.parametrize("side", ["baseline", "variant"])
@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "scores"])
def test_one_impossible_score_never_passes(name: str, bad: float, side: str):
    right, spoilt = np.ones(1000), np.array([*np.ones(999), bad])
    found = comparison(spoilt, right) if side == "variant" else comparison(right, spoilt)
    assert gate(name).judge(config(name), dataclasses.replace(good(), comparison=found)).verdict is Verdict.ERROR


@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "rounds"])
def test_one_round_never_decides(name: str):
    evidence = good()
    one = Evidence(artifact=ARTIFACT, baseline=evidence.baseline[:1], variant=evidence.variant[:1], control=evidence.control[:1])
    assert gate(name).judge(config(name), one).verdict is Verdict.INCONCLUSIVE


def test_unmeasured_is_an_error():
    assert unmeasured("because") == Decision(verdict=Verdict.ERROR, reason="because")
