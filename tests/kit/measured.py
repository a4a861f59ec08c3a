"""Reports of legs that were never run, and hold what a run would: rounds, scores, counts, and gates judged on them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
from kit.support import round_data

from gatekeeper.checks.kinds.unit_tests import expected
from gatekeeper.config.limits import Limit
from gatekeeper.evaluate.compared import quality
from gatekeeper.gates._base import gate
from gatekeeper.measure.race import performance
from gatekeeper.records.base import Verdict
from gatekeeper.records.corrupted import Arrived
from gatekeeper.records.evidence import Comparison, Corrupted, Evidence, LoadEvidence, Requests
from gatekeeper.records.measured import Artifact, Control, Energy, RoundData
from gatekeeper.records.report import Basis, LegReport, ModelInfo, PipelineInfo, Report, StageReport, VariantReport
from gatekeeper.records.scores import KeptClass, KeptOutput, PairedScores
from gatekeeper.records.tested import Check, LoadRun, Tested
from gatekeeper.stats.calibration import calibrated
from gatekeeper.stats.looks import attempt_alpha, equal_alpha, look_alpha
from gatekeeper.stats.rounds import ratio_interval
from gatekeeper.verdicts.gates import judge_gate, unmeasured_gate
from gatekeeper.verdicts.judge import variant_reason, variant_verdict
from gatekeeper.verdicts.targets import report_verdict, target_report

METER = Energy(method="rapl", kind="measured", note="CPU package", lag_s=0.001, blocks=8)
BASELINE_WATTS = 10.0
ROUNDS, MAX_ROUNDS = 8, 24
BASELINE_NS, BASELINE_BYTES = 1e6, 64 << 20
Limits = Mapping[str, Mapping[str, Any] | None]
LIMITS: Limits = {"accuracy": {}, "memory": {}, "speedup": {}, "stability": {}}
OF_TENSORS: Limits = {**LIMITS, "outputs": {}, "worst_class": {}}
CHECKED: Limits = {"unit_tests": {}, "error_rate": {}, "p99_latency": {"max_ms": 10.0}}


@dataclass(frozen=True)
class Made:
    """What is true of a variant; `checks` and `late` (of 3,000 requests) where it was tested."""

    speed: float = 3.0
    noise: float = 0.01
    kept: float = 1.0
    examples: int = 1000
    peak: float = 0.3
    tail: float = 1.1
    size: int = 1_000_000
    watts: float = 0.0  # while it infers; 0: nothing measures energy
    checks: Sequence[Verdict] = ()
    late: int | None = None
    error: str = ""
    collapsed: str = ""
    classes: tuple[KeptClass, ...] = ()
    outputs: tuple[KeptOutput, ...] = ()
    under: Mapping[str, float] | None = None  # what is kept under corruptions, by their labels
    changed: int = 1000  # examples that a corruption makes others
    sure: float | None = None  # of every answer, where the baseline is as sure of its right ones as can be
    bins: int = 15


def measured(leg: str, variants: Mapping[str, Made], **more: Any) -> Report:
    """The report of one leg, as `gatekeeper run` writes it; `more` as `merged_info` and `_leg` have it."""
    target, _, framework = leg.partition("/")
    limits = applied(more.get("limits", LIMITS))
    attempt, rng = more.get("attempt", 1), random.Random(more.get("seed", 0))
    spending = more.get("spending", "proportional")  # empty: as earlier versions
    alpha = look_alpha(ROUNDS, MAX_ROUNDS, attempt) if spending else equal_alpha(MAX_ROUNDS, attempt)
    watts = BASELINE_WATTS if any(made.watts for made in variants.values()) else 0.0
    baseline = _arm(rng, BASELINE_NS, 0.01, BASELINE_BYTES, watts=watts)
    control = _arm(rng, BASELINE_NS * more.get("copy", 1.0), 0.01, BASELINE_BYTES, watts=watts)
    found = [
        _variant(f"{leg}/{name}", framework, made, limits, baseline, control, alpha, attempt, rng)
        for name, made in variants.items()
    ]
    both = ratio_interval([r.median_ns for r in baseline], [r.median_ns for r in control], alpha)
    about = LegReport(
        id=leg, framework=framework, baseline=performance(baseline, 1, "pss"), control_rounds=control,
        control=Control(observed=both.observed, lower=both.lower, upper=both.upper), rounds=ROUNDS, max_rounds=MAX_ROUNDS,
        spending=spending, attempt=attempt, untimed=more.get("untimed", ""), error=more.get("error", ""),
        basis=_basis(variants.values()), energy=METER if watts else None,
        tested=Tested(load=[_run(0, 0)]) if any(m.late is not None for m in variants.values()) else None,
        quality=next((quality(_scores(m), variant=False) for m in variants.values() if m.sure is not None), None),
    )  # fmt: skip
    require: Literal["best", "all"] = more.get("require", "best")
    reported = target_report(target, "cpu", require, [about], found)
    ran = [StageReport(stage=name, verdict=Verdict.PASS, reason="ran") for name in ("model_validation", "optimization")]
    stages = list(more.get("stages", ran))
    info: dict[str, Any] = {
        "path": "p.yaml", "sha256": "p" * 64, "legs": list(more.get("manifest", [leg])),
        "policy": more.get("policy", ""), "policy_sha256": more.get("policy_sha256", ""),
        "on_inconclusive": more.get("on_inconclusive", "fail"),
    }  # fmt: skip
    return Report(
        schema="gatekeeper/report/v1", verdict=report_verdict([reported], stages), targets=[reported], stages=stages, remarks=[],
        model=ModelInfo(path="model.onnx", sha256=more.get("model", "m" * 64)), commit=more.get("commit", ""),
        pipeline=PipelineInfo(**(info | more.get("pipeline", {}))),
    )  # fmt: skip


def _basis(variants: Iterable[Made]) -> Basis:
    """Of variants that were compared, which all are alike in what was compared of them."""
    made = next((each for each in variants if not each.error), Made())
    outputs = [each.name for each in made.outputs]
    return Basis(metric="accuracy", outputs=outputs, examples=made.examples, classes=len(made.classes))


def applied(limits: Limits) -> list[Limit]:
    """Limits as the pipeline file would state them; None: disabled."""
    return [
        Limit(name, gate(name), None if stated is None else msgspec.convert(stated, gate(name).Config), f"p.yaml:{i + 1}")
        for i, (name, stated) in enumerate(limits.items())
    ]


def _variant(
    name: str,
    framework: str,
    made: Made,
    limits: Sequence[Limit],
    baseline: list[RoundData],
    control: list[RoundData],
    alpha: float,
    attempt: int,
    rng: random.Random,
) -> VariantReport:
    blank = VariantReport(id=name, framework=framework, technique=name.split("/")[2], verdict=Verdict.ERROR)
    if made.error:
        gates = [unmeasured_gate(limit, made.error) for limit in limits]
        return msgspec.structs.replace(blank, reason=made.error, gates=gates)
    own = _arm(rng, BASELINE_NS / made.speed, made.noise, round(made.peak * BASELINE_BYTES), made.tail, made.watts)
    comparison, requests = _scores(made), _requests(made.late) if made.late is not None else None
    place = f"artifacts/{name.replace('/', '__')}.onnx"
    artifact = Artifact(path=place, sha256="a" * 64, bytes=made.size, zipped_bytes=made.size)
    checks = _checks(made.checks)
    load = LoadEvidence(server=requests, baseline=requests, target_qps=50.0)
    evidence = Evidence(
        artifact=artifact, baseline=baseline, variant=own, control=control, comparison=comparison, alpha=alpha, checks=checks,
        load=load, energy=METER if made.watts else Energy(),
    )  # fmt: skip
    at_load = replace(evidence, alpha=attempt_alpha(attempt))
    gates = [judge_gate(each, at_load if each.gate.BASIS == "load" else evidence) for each in limits]
    verdict = variant_verdict(gates)
    return msgspec.structs.replace(
        blank, verdict=verdict, reason=variant_reason(gates, verdict), artifact=artifact, gates=gates,
        performance=performance(own, 1, "pss"), quality=quality(comparison, variant=True),
        tested=Tested(checks=checks, load=[] if made.late is None else [_run(made.late, 0)]) if checks or requests else None,
    )  # fmt: skip


def _checks(first: Sequence[Verdict]) -> list[Check]:
    """Every contract test of `basic`, of which the first ended like this and the others passed; none where none was made."""
    names = expected(None, "basic", text=False) if first else []
    verdicts = [*first, *[Verdict.PASS] * (len(names) - len(first))]
    return [Check(kind="unit_tests", name=n, verdict=v, reason="as it is") for n, v in zip(names, verdicts, strict=True)]


def _arm(rng: random.Random, median_ns: float, noise: float, peak: int, tail: float = 1.1, watts: float = 0.0) -> list[RoundData]:
    """Rounds of fresh processes, all of them a little off."""
    arm = []
    for index in range(ROUNDS):
        own = median_ns * rng.lognormvariate(0, noise)
        slow = own * tail * rng.lognormvariate(0, 0.01)
        arm.append(
            round_data(
                index, own, p95_ns=max(slow, own), p99_ns=1.1 * max(slow, own), tick_ns=20,
                peak_bytes=peak + rng.randrange(4096), **(_energy(own, watts) if watts else {}),
            )
        )  # fmt: skip
    return arm


def _energy(median_ns: float, watts: float) -> dict[str, Any]:
    """Of blocks that last 0.4 s together."""
    count = round(4e8 / median_ns)
    return {"count": count, "joules": watts * 4e8 / 1e9 / count, "timed_ns": 4e8 * 1.01}


SIGNS: dict[str, float] = {
    "not_finite": 0, "classes": 10, "classes_before": 10, "often": 10, "often_kept": 10, "score": 1.0, "guess": 0.1,
    "before": 1.0,
}  # fmt: skip
"""Of a variant that answers ten classes."""


def _scores(made: Made) -> Comparison:
    """The baseline is right everywhere, the variant where it kept that."""
    right = np.ones(made.examples)
    own = np.ones(made.examples)
    own[: round((1 - made.kept) * made.examples)] = 0
    scores = PairedScores(kind="binary", p=own, q=right, examples=made.examples)
    return Comparison(
        metric="accuracy", baseline=1.0, variant=float(own.mean()), scores=scores, collapsed=made.collapsed,
        classes=made.classes, outputs=made.outputs, signs=SIGNS | ({"classes": 1} if made.collapsed else {}),
        corrupted=None if made.under is None else {name: _under(made, kept) for name, kept in made.under.items()},
        calibrated=None if made.sure is None else calibrated((right, right), (np.full(made.examples, made.sure), own), made.bins),
    )  # fmt: skip


def _under(made: Made, kept: float) -> Corrupted:
    """The same of corrupted examples."""
    found = _scores(replace(made, kept=kept, under=None, sure=None))
    return Corrupted(found, Arrived(changed=made.changed, examples=made.examples, by=0.1, unit="the input's standard deviation"))


REQUESTS = 3000


def _requests(late: int) -> Requests:
    """Evenly sent; the late ones are spread out, so that each stands for itself."""
    starts = np.arange(REQUESTS, dtype=np.int64) * 20_000_000
    latency = np.full(REQUESTS, 4_000_000, dtype=np.int64) + np.arange(REQUESTS, dtype=np.int64)
    if late:
        latency[:: REQUESTS // late][:late] = 40_000_000
    nothing = np.zeros(REQUESTS, dtype=bool)
    return Requests(starts, latency, np.zeros(REQUESTS, dtype=np.int64), ~nothing, nothing)


def _run(late: int, errors: int) -> LoadRun:
    return LoadRun(
        scenario="server", over="http", target_qps=50.0, completed_qps=50.0, requests=REQUESTS, errors=errors, duration_s=60.0,
        p50_ns=4e6, p95_ns=4e6, p99_ns=40e6 if late > REQUESTS / 100 else 4e6, max_ns=40e6 if late else 4.1e6,
    )  # fmt: skip
