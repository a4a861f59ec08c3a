"""What holds for every gate of the registry, so that a new one cannot escape it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.sample_load import check, requests, soak
from kit.support import round_data

from gatekeeper.gates._base import GateConfig, gate, names, unmeasured
from gatekeeper.gates._base import tested_by as measured_by
from gatekeeper.records.base import Verdict
from gatekeeper.records.corrupted import SPREAD, Arrived
from gatekeeper.records.evidence import Comparison, Corrupted, Evidence, LoadEvidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact, Energy, RoundData
from gatekeeper.records.scores import KeptClass, KeptOutput, PairedScores
from gatekeeper.stats.calibration import calibrated

GATES = names()
NOTHING = Artifact(path="", sha256="", bytes=0)
ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000, zipped_bytes=900_000)
LOOK = 8
FIELDS = ("p10_ns", "median_ns", "mean_ns", "p95_ns", "p99_ns", "peak_bytes", "joules", "timed_ns")


LIMITS: dict[str, dict[str, Any]] = {
    "package_size": {"max": "50MB"},
    "bundle_size": {"max": "50MB"},
    "apk_size": {"max": "50MB", "framework": "llama_cpp", "quantization": "q4_k_m"},
    "throughput": {"min_per_s": 50},
    "p50_ms": {"max": 1},
    "peak_mb": {"max": 50},
    "energy": {"reduction": 0.3},
    "power_w": {"max": 15},
    "least_accuracy": {"min": 0.8},
    "robustness": {"corruptions": ["noise"]},
    "calibration_error": {},
}
"""Of gates that have no default: limits that the evidence below keeps."""

METER = Energy(method="rapl", kind="measured", lag_s=0.001, blocks=8)

ALONE = {"stability", "p50_ms", "peak_mb", "power_w"}
"""Gates on rounds that look at the variant alone."""

KINDS = ("unit_tests", "integration_tests", "load_tests", "security_tests")


def config(name: str) -> GateConfig:
    """The gate's own default, or a limit that the evidence below keeps."""
    return gate(name).DEFAULT or msgspec.convert(LIMITS[name], gate(name).Config)


def rounds(scale: float, count: int = LOOK, **changes: Any) -> list[RoundData]:
    """Rounds of an arm whose latency and memory are `scale` times one millisecond and 100 MB, within half a percent."""
    found = []
    for i in range(count):
        median = scale * 1e6 * (1 + 0.005 * math.sin(i + scale))
        values: dict[str, Any] = {
            "p95_ns": (1.05 + 0.001 * math.cos(i)) * median,
            "p99_ns": 1.1 * median,
            "peak_bytes": int(scale * 1e8) + i,
            "joules": 10 * median / 1e9,
            "timed_ns": 200 * median / scale,
        }
        found.append(round_data(i, **({"median_ns": median} | values | changes)))
    return found


def comparison(variant: Any, baseline: Any) -> Comparison:
    scores = PairedScores("binary", p=variant, q=baseline, examples=len(baseline))
    kept = float(variant.mean() / baseline.mean())
    known = dict.fromkeys(("observed", "lower", "upper"), kept if np.isfinite([*variant, *baseline]).all() else None)
    output = KeptOutput(name="boxes", what="variance kept", examples=len(baseline), **known)
    classes = KeptClass(name="class 0", examples=len(baseline), both=len(baseline), only_baseline=0, only_variant=0)
    sure = calibrated((np.full(len(baseline), 0.9), baseline), (np.full(len(variant), 0.9), variant), 15)
    found = Comparison(metric="accuracy", baseline=0.9, variant=0.9, scores=scores, outputs=(output,), classes=(classes,))
    noisy = Corrupted(found, Arrived(changed=len(baseline), examples=len(baseline), by=0.1, unit=SPREAD))
    return dataclasses.replace(found, calibrated=sure, corrupted={"noise": noisy})


def good() -> Evidence:
    """A variant that passes every gate."""
    right = np.array([1.0] * 900 + [0.0] * 100)
    return Evidence(
        artifact=ARTIFACT, baseline=rounds(1), variant=rounds(0.25), control=rounds(1), comparison=comparison(right, right),
        checks=[check(kind=kind) for kind in KINDS], load=loaded(), energy=METER,
    )  # fmt: skip


def loaded() -> LoadEvidence:
    """A variant that answers in a quarter of the baseline's time."""
    latency = 1 + 0.1 * np.random.default_rng(0).random(4000)
    server, baseline = requests(latency), requests(4 * latency)
    return LoadEvidence(server=server, baseline=baseline, offline=requests(latency), soak=soak(), target_qps=100)


def test_the_registry_has_the_gates_of_the_design():
    assert {"accuracy", "memory", "package_size", "speedup", "stability"} <= set(GATES)
    assert {*KINDS} - {"load_tests"} < set(GATES)
    assert {"p99_latency", "error_rate", "throughput", "overload", "endurance"} <= set(GATES)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_has_the_documented_shape(name: str):
    found = gate(name)
    assert found.DESCRIPTION.endswith(".")
    assert found.UNIT
    assert found.BASIS in ("rounds", "scores", "artifact", "checks", "load")
    assert issubclass(found.Config, GateConfig)
    assert found.DEFAULT is None or isinstance(found.DEFAULT, found.Config)
    assert found.limit_key in found.Config.__struct_fields__
    assert bool(measured_by(name)) == (found.BASIS in ("checks", "load"))
    assert measured_by(name) in ("", *KINDS)


@pytest.mark.parametrize("name", GATES)
def test_every_field_of_a_limit_is_described(name: str):
    for section in msgspec.json.schema(gate(name).Config)["$defs"].values():
        for field, shape in section["properties"].items():
            assert shape.get("description"), field


@pytest.mark.parametrize("name", GATES)
def test_unknown_keys_are_refused(name: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**LIMITS.get(name, {}), "nonsense": 1}, gate(name).Config)


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
    if (name, arm) == ("memory", "control") or (name in ALONE and arm != "variant"):
        return  # the verdict does not rest on these
    if name in ("memory", "peak_mb") and arm == "variant" and bad <= 0:
        return  # a variant within the runtime's own noise reads as nothing, or less
    evidence = good()
    row = msgspec.structs.replace(getattr(evidence, arm)[3], **dict.fromkeys(FIELDS, bad))
    spoilt = [*getattr(evidence, arm)[:3], row, *getattr(evidence, arm)[4:]]
    found = gate(name).judge(config(name), dataclasses.replace(evidence, **{arm: spoilt}))
    assert found.verdict is not Verdict.PASS


@pytest.mark.parametrize("side", ["baseline", "variant"])
@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "scores" and n != "worst_class"])  # which has counts
def test_one_impossible_score_never_passes(name: str, bad: float, side: str):
    right, spoilt = np.ones(1000), np.array([*np.ones(999), bad])
    found = comparison(spoilt, right) if side == "variant" else comparison(right, spoilt)
    assert gate(name).judge(config(name), dataclasses.replace(good(), comparison=found)).verdict is Verdict.ERROR


@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "rounds"])
def test_one_round_never_decides(name: str):
    evidence = good()
    one = Evidence(
        artifact=ARTIFACT,
        baseline=evidence.baseline[:1],
        variant=evidence.variant[:1],
        control=evidence.control[:1],
        energy=METER,
    )
    assert gate(name).judge(config(name), one).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "load"])
def test_why_there_was_no_load_is_the_reason(name: str):
    found = gate(name).judge(config(name), dataclasses.replace(good(), load=LoadEvidence(error="the server did not come up")))
    assert (found.verdict, found.reason) == (Verdict.ERROR, "the server did not come up")


@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "load"])
@pytest.mark.parametrize("sent", [0, 1, 5000])
def test_what_answers_nothing_never_passes(name: str, sent: int):
    dead = requests(np.ones(sent), failed=np.ones(sent, bool))
    load = dataclasses.replace(loaded(), server=dead, offline=dead, soak=dataclasses.replace(soak(), requests=dead))
    found = gate(name).judge(config(name), dataclasses.replace(good(), load=load))
    assert found.verdict in (Verdict.FAIL, Verdict.ERROR)
    assert found.reason


@pytest.mark.parametrize("name", [n for n in GATES if gate(n).BASIS == "load"])
def test_one_request_decides_nothing(name: str):
    one = requests(np.ones(1))
    load = dataclasses.replace(loaded(), server=one, offline=one, soak=dataclasses.replace(soak(), requests=one))
    assert gate(name).judge(config(name), dataclasses.replace(good(), load=load)).verdict is not Verdict.FAIL
    assert gate(name).judge(config(name), dataclasses.replace(good(), load=load)).verdict is not Verdict.PASS


def test_unmeasured_is_an_error():
    assert unmeasured("because") == Decision(verdict=Verdict.ERROR, reason="because")
