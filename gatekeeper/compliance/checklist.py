"""The checklist of a deployment, before, during and after it, and what of each item a report holds. Evidence, and no judgement:
the gates judge. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from gatekeeper.compliance.annex import NOT_SHOWN, chosen, shown_gate
from gatekeeper.records.base import Verdict
from gatekeeper.records.compliance import ChecklistItem, Phase
from gatekeeper.records.report import Report
from gatekeeper.records.rollout import Decision, Rehearsal, Scenario
from gatekeeper.records.watched import Alerted, Watching
from gatekeeper.units import format_bytes

STAGES = ("staging_deployment", "production_deployment", "monitoring")
"""One of them is listed where something is to be deployed."""

Read = Callable[[Report], Iterable[str]]


def checklist(report: Report) -> list[ChecklistItem]:
    """A row for each item; empty where the report speaks of no deployment."""
    if not any(stage.stage in STAGES for stage in report.stages):
        return []
    return [ChecklistItem(phase=phase, item=item, shown="; ".join(read(report)) or NOT_SHOWN) for phase, item, read in ITEMS]


def _gates(*names: str) -> Read:
    """What a gate observed of each variant that may ship, and what it said."""

    def read(report: Report) -> Iterator[str]:
        for _, variant in chosen(report):
            for each in variant.gates:
                if each.gate in names and each.observed is not None:
                    yield f"{variant.id}: {shown_gate(each)}: {each.verdict}"

    return read


def _checks(kind: str) -> Read:
    """How many checks of that kind passed."""

    def read(report: Report) -> Iterator[str]:
        for _, variant in chosen(report):
            own = [check for check in (variant.tested.checks if variant.tested else ()) if check.kind == kind]
            if own:
                passed = sum(check.verdict is Verdict.PASS for check in own)
                yield f"{variant.id}: {passed} of {len(own)} {kind.replace('_', ' ')} passed"

    return read


def _data(report: Report) -> Iterator[str]:
    for name, each in (report.data.sets if report.data else {}).items():
        count = f"{each.distinct:,} distinct examples, " if each.examples else ""
        yield f"{name}: {count}SHA-256 {each.sha256[:12]}"


def _scans(report: Report) -> Iterator[str]:
    yield from (f"{scan.model}: {scan.verdict}" for stage in report.stages for scan in stage.scans)
    yield from (f"{variant.id}: {variant.scan.verdict}" for _, variant in chosen(report) if variant.scan)


def _licences(report: Report) -> Iterator[str]:
    for stage in report.stages:
        if stage.compliance is not None:
            yield f"the model {stage.compliance.license}: {stage.verdict}"


def _hardware(report: Report) -> Iterator[str]:
    for target in report.targets:
        if target.environment:
            yield f"{target.name}: {target.environment.cpu}, {target.environment.threads} threads, {target.environment.os}"


def _packages(report: Report) -> Iterator[str]:
    """What was seen of each package, check by check."""
    for stage in report.stages:
        for each in stage.packages:
            if each.checks:
                yield f"{each.key} of {each.variant}: {', '.join(f'{check.name} {check.verdict}' for check in each.checks)}"


def _rehearsed(read: Callable[[Rehearsal], Iterable[str]]) -> Read:
    def every(report: Report) -> Iterator[str]:
        for stage in report.stages:
            for each in stage.rehearsals:
                yield from (f"{each.variant}: {said}" for said in read(each))

    return every


def _strategy(each: Rehearsal) -> Iterator[str]:
    yield f"{each.strategy}, rehearsed at {each.rate_qps:.3g} requests/s"


def _ramp(each: Rehearsal) -> Iterator[str]:
    for ramp in _ramps(each, "healthy"):
        yield f"{', '.join(f'{step} %' for step in each.steps)}, {ramp.ruling.decision} after {ramp.requests:,} requests"


def _thresholds(each: Rehearsal) -> Iterator[str]:
    yield f"at most {each.limits.error_rate:g} more errors and {each.limits.slow_rate:g} more slow answers than the old model"


def _rollback(each: Rehearsal) -> Iterator[str]:
    back = [ramp.name for ramp in each.scenarios if ramp.arrived and ramp.ruling.decision is Decision.ROLLBACK]
    if back:
        yield f"rolled back on {', '.join(back)}"


def _lost(each: Rehearsal) -> Iterator[str]:
    for ramp in _ramps(each, "healthy"):
        if ramp.requests:
            yield f"{ramp.lost} of {ramp.requests:,} requests lost"


def _ramps(each: Rehearsal, name: str) -> Iterator[Scenario]:
    return (ramp for ramp in each.scenarios if ramp.name == name)


def _live(report: Report) -> Iterator[str]:
    """What the stage itself says of what it did: to have rehearsed is not to have deployed."""
    for stage in report.stages:
        if stage.stage == "production_deployment" and stage.verdict is Verdict.PASS:
            yield stage.reason


def _watched(report: Report) -> Iterator[tuple[Watching, Alerted]]:
    for stage in report.stages:
        for watching in stage.watched:
            yield from ((watching, each) for each in watching.alerts)


def _alerts(report: Report) -> Iterator[str]:
    for watching, each in _watched(report):
        if each.fired_s is not None and each.arrived:
            yield f"{watching.variant}: {each.alert} told {each.fired_s:.1f} s after {each.fault}"


def _quiet(report: Report) -> Iterator[str]:
    for watching in (each for stage in report.stages for each in stage.watched):
        silent = [each.alert for each in watching.alerts if each.silent and each.seen]
        if silent:
            yield f"{watching.variant}: {', '.join(silent)} silent on identical data"


def _of_answers(report: Report) -> Iterator[str]:
    for watching, each in _watched(report):
        if each.alert in ("accuracy", "agreement") and each.fired_s is not None and each.arrived:
            yield f"{watching.variant}: {each.alert} told of {each.arrived} answers that were exchanged"


def _lineage(report: Report) -> Iterator[str]:
    yield f"model SHA-256 {report.model.sha256[:12]}, pipeline file SHA-256 {report.pipeline.sha256[:12]}"
    if report.commit:
        yield f"commit {report.commit[:12]}"
    for _, variant in chosen(report):
        if file := variant.artifact:
            yield f"{variant.id}: {format_bytes(file.bytes)}, SHA-256 {file.sha256[:12]}"


def _again(report: Report) -> Iterator[str]:
    if report.reproduce:
        yield report.reproduce


def nothing(report: Report) -> Iterable[str]:
    """Of an item that no report of measurements shows."""
    return ()


ITEMS: Sequence[tuple[Phase, str, Read]] = (
    ("before", "accuracy is kept", _gates("accuracy", "agreement", "perplexity")),
    ("before", "it is faster", _gates("speedup")),
    ("before", "it needs less memory", _gates("memory")),
    ("before", "the time of an inference is consistent", _gates("stability")),
    ("before", "no class or group of inputs is lost", _gates("worst_class")),
    ("before", "the test set is known", _data),
    ("before", "it bears its load", _gates("p99_latency", "error_rate", "throughput", "overload")),
    ("before", "it stays stable over time", _gates("endurance")),
    ("before", "its files hold nothing hostile", _scans),
    ("before", "security tests", _checks("security_tests")),
    ("before", "licences and intended use", _licences),
    ("before", "the size of what is shipped", _gates("package_size", "bundle_size", "apk_size")),
    ("before", "what is shipped was built, and tried", _packages),
    ("before", "the hardware is the target's", _hardware),
    ("during", "the new model comes beside the old one", _rehearsed(_strategy)),
    ("during", "traffic is ramped", _rehearsed(_ramp)),
    ("during", "thresholds of errors and slowness", _rehearsed(_thresholds)),
    ("during", "rollback is automatic, and was seen", _rehearsed(_rollback)),
    ("during", "no request is lost", _rehearsed(_lost)),
    ("during", "the rollout itself", _live),
    ("after", "alerts on degradation fire", _alerts),
    ("after", "alerts are silent on identical data", _quiet),
    ("after", "wrong answers are noticed", _of_answers),
    ("after", "drift of inputs and confidence", nothing),
    ("after", "lineage", _lineage),
    ("after", "the measurement can be repeated", _again),
    ("after", "who is called when nothing helps", nothing),
)
"""Every item, in its order; what a report cannot show is there all the same."""
