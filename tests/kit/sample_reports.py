"""Reports with numbers that make sense: some gates pass, some fail, warn or are waived, and a base branch to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Before, GateResult, Waiver
from gatekeeper.records.measured import Artifact, Quality
from gatekeeper.records.report import (
    REPORT_SCHEMA,
    Base,
    LegReport,
    ModelInfo,
    PipelineInfo,
    Report,
    StageReport,
    TargetReport,
    VariantReport,
)
from gatekeeper.records.tested import Check, LoadRun, Tested
from gatekeeper.reports._base import reporter

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
WAIVER = Waiver(
    ceiling=1.5, reason="until the driver is repaired", owner="edge team", expires="2026-12-31", issue="#7", where="w.yml:3"
)
RUN = "https://github.com/o/r/actions/runs/1"


def gate(name: str = "speedup", verdict: Verdict = PASS, observed: float | None = 2.5, **more: Any) -> GateResult:
    """A gate whose interval is 4 % wide on both sides."""
    values: dict[str, Any] = {
        "unit": "x" if name == "speedup" else "fraction",
        "limit": {"speedup": 2.0, "accuracy": 0.95, "memory": 0.5}.get(name),
        "reason": f"{observed} measured",
        "where": "edge_ai_pipeline.yaml:14",
    }
    if observed is not None:
        values |= {"observed": observed, "lower": 0.96 * observed, "upper": 1.04 * observed}
    return GateResult(gate=name, verdict=verdict, **(values | more))


def waived(observed: float = 1.7, **more: Any) -> GateResult:
    return gate("speedup", FAIL, observed, blocking=False, waiver=WAIVER, **more)


def before(verdict: Verdict = PASS, observed: float | None = 2.5) -> Before:
    bounds = {} if observed is None else {"lower": 0.96 * observed, "upper": 1.04 * observed}
    return Before(verdict=verdict, observed=observed, limit=2.0, **bounds)


def variant(id: str, gates: Sequence[GateResult], verdict: Verdict | None = None, **more: Any) -> VariantReport:
    """Its verdict is that of its blocking gates."""
    _, framework, technique = id.split("/")
    worst = next((g.verdict for g in gates if g.blocking and g.verdict is not PASS), PASS)
    made = Artifact(path="model.onnx", sha256="a" * 64, bytes=1234567)
    values: dict[str, Any] = {"artifact": made, "quality": Quality(metric="accuracy", value=0.97, examples=500), "reason": ""}
    return VariantReport(
        id=id, framework=framework, technique=technique, verdict=verdict or worst, gates=list(gates), **(values | more)
    )


def target(name: str, variants: Sequence[VariantReport], **more: Any) -> TargetReport:
    passing = [v.id for v in variants if v.verdict is PASS]
    worst = variants[0].verdict if variants else ERROR
    legs = [LegReport(id=leg, framework=leg.split("/")[1]) for leg in dict.fromkeys(v.id.rpartition("/")[0] for v in variants)]
    values: dict[str, Any] = {
        "verdict": PASS if passing else worst, "selected": passing[0] if passing else None, "environment": None, "legs": legs,
        "reason": "" if passing else "no variant passes every gate",
    }  # fmt: skip
    return TargetReport(name=name, variants=list(variants), **(values | more))


def report(targets: Sequence[TargetReport], stages: Sequence[StageReport] = (), **more: Any) -> Report:
    verdicts = [t.verdict for t in targets] + [s.verdict for s in stages]
    worst = next((v for v in (FAIL, ERROR, OPEN) if v in verdicts), PASS)
    values: dict[str, Any] = {
        "verdict": worst, "model": ModelInfo(path="model.onnx", sha256="ab" * 32, bytes=5_000_000),
        "pipeline": PipelineInfo(path="edge_ai_pipeline.yaml", sha256="cd" * 32),
        "reproduce": "gatekeeper run edge_ai_pipeline.yaml", "version": "0.1.0", "remarks": [],
    }  # fmt: skip
    return Report(schema=REPORT_SCHEMA, targets=list(targets), stages=list(stages), **(values | more))


def three(name: str, speed: float = 3.0, kept: float = 0.99) -> list[GateResult]:
    """The three gates that a chart is made of."""
    return [
        gate("accuracy", PASS if kept >= 0.95 else FAIL, kept),
        gate("memory", PASS, 0.6),
        gate("speedup", PASS if speed >= 2 else FAIL, speed, reason=f"{speed} measured on {name}"),
    ]


def two_targets(**more: Any) -> Report:
    """One passes and one does not; everything a comment can show is in it."""
    cpu = [
        variant("cpu/onnx_runtime/int8", three("cpu"), pareto=True),
        variant("cpu/onnx_runtime/fp16", [*three("cpu")[:2], waived(before=before(PASS, 2.4))], pareto=False),
        variant("cpu/openvino/int8", three("cpu", speed=1.2)),
    ]
    pi = [variant("pi/onnx_runtime/int8", three("pi", kept=0.9)), variant("pi/onnx_runtime/fp16", three("pi", speed=1.0))]
    base = Base(
        verdict=PASS, commit="0123456789abcdef", same_model=True, new=["cpu/openvino/int8"], gone=["pi/openvino/int4"],
        loosened=["accuracy was 0.97, is 0.95"],
    )  # fmt: skip
    return report([target("cpu", cpu), target("pi", pi)], **({"base": base} | more))


def many(legs: int, variants: int = 4) -> Report:
    """As many legs as a large matrix has; every tenth target fails, every fiftieth leg is lost."""
    targets = []
    for i in range(legs):
        name = f"target{i:04}"
        found = [variant(f"{name}/onnx_runtime/v{j}", three(name, speed=1.1 + i % 10 * 0.2 + j)) for j in range(variants)]
        if i % 10 == 3:
            found = [variant(v.id, three(name, speed=1.0)) for v in found]
        leg = LegReport(id=f"{name}/onnx_runtime", framework="onnx_runtime", error="no result came back for this leg")
        lost = {"legs": [leg], "verdict": ERROR, "selected": None, "reason": "a leg is missing"}
        targets.append(target(name, [] if i % 50 == 7 else found, **(lost if i % 50 == 7 else {})))
    return report(targets)


# --- what the testing stage found ----------------------------------------------------------------------------------------


def run(scenario: Any, qps: float | None = 50.0, p99_ms: float | None = 4.0, **more: Any) -> LoadRun:
    """A scenario whose latencies all follow from its p99; None: nothing was answered."""
    ns = None if p99_ms is None else p99_ms * 1e6
    values: dict[str, Any] = {
        "over": "http", "target_qps": qps, "completed_qps": (qps or 100.0) * (ns is not None), "requests": 3000,
        "duration_s": 60.0, "p50_ns": ns and 0.5 * ns, "p95_ns": ns and 0.9 * ns, "p99_ns": ns, "max_ns": ns and 1.5 * ns,
    }  # fmt: skip
    return LoadRun(scenario=scenario, **(values | more))


def checks() -> list[Check]:
    """Of each kind some; one fails, one could not run, one does not apply."""
    return [
        Check(kind="unit_tests", name="opens", verdict=PASS, reason="in 0.1 s", seconds=0.1),
        Check(kind="unit_tests", name="zeros", verdict=FAIL, reason="NaN in the output | probs", seconds=0.2),
        Check(kind="unit_tests", name="odd_shapes", verdict=SKIP, reason="no size may change"),
        Check(kind="integration_tests", name="answers", verdict=PASS, reason="360 of 360 answers are equal", seconds=2.5),
        Check(kind="integration_tests", name="drained", verdict=ERROR, reason="the port is taken", seconds=1.0),
        Check(kind="security_tests", name="deep_json", verdict=PASS, reason="12 requests", seconds=0.3),
        Check(kind="load_tests", name="recovers", verdict=PASS, reason="median 2 ms before, 2.1 ms after", seconds=0.0),
    ]


LOAD_GATES = ("p99_latency", "error_rate", "throughput", "overload", "endurance")


def tested(**more: Any) -> Tested:
    """Every scenario, and the search for the highest rate."""
    values: dict[str, Any] = {
        "checks": checks(),
        "load": [
            run("single_stream", None, 2.0), run("server", 50.0, 4.0), run("offline", None, 40.0, completed_qps=480.0),
            run("stress", None, 90.0, requests=9000, shed=6000, errors=0), run("soak", 50.0, 4.5),
        ],
        "curve": [run("server", 100.0, 5.0, meets=True), run("server", 200.0, 30.0, meets=False)],
        "peak_qps": 100.0, "bound_ms": 10.0, "seconds": 120.0,
    }  # fmt: skip
    return Tested(**(values | more))


def gates_with_tests(**verdicts: Verdict) -> list[GateResult]:
    """The three gates of the optimization stage, and every gate of the testing stage; all pass but those that are named."""
    kinds = ("unit_tests", "integration_tests", "security_tests")
    found = [gate(name, verdicts.get(name, PASS), 0.0, unit="failed checks", bound="at_most", limit=0) for name in kinds]
    units = {"p99_latency": "ms", "throughput": "per s", "overload": "failed checks"}
    for name in LOAD_GATES:
        found.append(gate(name, verdicts.get(name, PASS), 4.0, unit=units.get(name, "fraction"), bound="at_most", limit=10.0))
    return [*three("cpu"), *found]


def report_with_tests(gates: Sequence[GateResult] | None = None, **more: Any) -> Report:
    """One variant that was tested, one that was not, and the baseline under the same load."""
    own = gates_with_tests(unit_tests=FAIL, integration_tests=ERROR, p99_latency=OPEN) if gates is None else gates
    first = variant("cpu/onnx_runtime/int8", own, tested=tested(**more))
    other = variant("cpu/onnx_runtime/fp16", three("cpu", speed=1.2))
    found = target("cpu", [first, other])
    baseline = Tested(
        load=[run("single_stream", None, 6.0), run("server", 50.0, 9.0)], curve=[run("server", 50.0, 9.0, meets=True)],
        peak_qps=50.0, bound_ms=10.0, notes=["50 requests/s are declared; it answers at most 40/s"],
    )  # fmt: skip
    (leg,) = found.legs
    legs = [msgspec.structs.replace(leg, tested=baseline)]
    return report([msgspec.structs.replace(found, legs=legs)])


def save(folder: Path, report: Report) -> Path:
    """The report.json of a report, in a folder that is made where it must be."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(reporter("json").render(report), "utf-8")
    return path
