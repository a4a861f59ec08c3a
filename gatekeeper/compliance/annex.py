"""Annex IV of the EU AI Act (Regulation (EU) 2024/1689), point by point, and what of it a report holds. Evidence, and no more:
whether a system complies is for its provider and the authorities to say. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gatekeeper.compliance.judge import SET_NAMES
from gatekeeper.records.base import Verdict
from gatekeeper.records.compliance import AnnexItem, Compliance
from gatekeeper.records.data import further
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.units import format_bytes, format_limit, format_value

NOT_SHOWN = "not shown"
STAGE = "compliance"

Read = Callable[[Report, Compliance], Iterable[str]]


def annex_iv(report: Report) -> list[AnnexItem]:
    """A row for each point; empty where the stage `compliance` did not run."""
    found = compliance_of(report)
    if found is None:
        return []
    return [AnnexItem(point=point, asks=asks, shown="; ".join(read(report, found)) or NOT_SHOWN) for point, asks, read in POINTS]


def compliance_of(report: Report) -> Compliance | None:
    """The record of the stage `compliance`."""
    return next((stage.compliance for stage in report.stages if stage.stage == STAGE), None)


def sets_by_key(report: Report) -> dict[str, str]:
    """What each set that was read is called in sentences, by its key of `compliance.datasets`."""
    data = report.data
    if data is None:
        return {}
    return {key: what for key, what in SET_NAMES.items() if what in data.sets} | {name: further(name) for name in data.also}


def chosen(report: Report) -> list[tuple[TargetReport, VariantReport]]:
    """What may ship, of each target."""
    return [(target, v) for target in report.targets for v in target.variants if v.id == target.selected and v.artifact]


def _said(*names: str) -> Read:
    def read(report: Report, found: Compliance) -> Iterable[str]:
        return [f"{name.replace('_', ' ')}: {found.fields[name]}" for name in names if found.fields.get(name)]

    return read


def nothing(report: Report, found: Compliance) -> Iterable[str]:
    """Of a point that no measurement shows."""
    return ()


def _software(report: Report, found: Compliance) -> Iterable[str]:
    yield f"gatekeeper {report.version}"
    packages = [leg.environment.packages for target in report.targets for leg in target.legs if leg.environment]
    yield from dict.fromkeys(f"{name} {version}" for each in packages for name, version in each.items())


def _forms(report: Report, found: Compliance) -> Iterable[str]:
    for _, variant in chosen(report):
        if file := variant.artifact:
            yield f"{variant.id}: {file.path}, {format_bytes(file.bytes)}, SHA-256 {file.sha256[:12]}"


def _hardware(report: Report, found: Compliance) -> Iterable[str]:
    for target in report.targets:
        told = target.environment
        measured = f", measured on {told.cpu} with {told.threads} threads, {told.os}" if told else ""
        yield f"{target.name}: {target.hardware}{measured}"


def _methods(report: Report, found: Compliance) -> Iterable[str]:
    yield f"made of {report.model.path} (SHA-256 {report.model.sha256[:12]}, {found.license})"
    yield from (f"{variant.id}: {variant.technique} by {variant.framework}" for _, variant in chosen(report))


def _architecture(report: Report, found: Compliance) -> Iterable[str]:
    model = report.model
    if model.architecture:
        yield f"{model.architecture}, {model.parameters:,} parameters, {model.format}"


def _data(report: Report, found: Compliance) -> Iterable[str]:
    keys = sets_by_key(report)
    for name in dict.fromkeys([*keys, *found.datasets]):
        declared = found.datasets.get(name)
        each = report.data.sets.get(keys[name]) if report.data and name in keys else None
        of = [f"{each.source}, SHA-256 {each.sha256[:12]}"] if each else []
        of += [f"{each.examples:,} examples, {each.distinct:,} of them distinct"] if each and each.examples else []
        of += [f"licence {declared.license}"] if declared and declared.license else []
        of += [f"from {declared.source}"] if declared and declared.source else []
        yield f"{name}: {', '.join(of)}"
    yield from _said("training_data")(report, found)


def _tests(report: Report, found: Compliance) -> Iterable[str]:
    yield f"this report of {report.created}" if report.created else "this report, which has no date"
    for _, variant in chosen(report):
        judged = ", ".join(shown_gate(each) for each in variant.gates if each.observed is not None and each.blocking)
        yield f"{variant.id}: {judged or 'no gate'}"
    yield from (f"{stage.stage}: {stage.verdict}" for stage in report.stages if stage.stage == "testing")


def _security(report: Report, found: Compliance) -> Iterable[str]:
    yield from (f"security_scan of {scan.model}: {scan.verdict}" for stage in report.stages for scan in stage.scans)
    for _, variant in chosen(report):
        if variant.scan:
            yield f"security_scan of {variant.id}: {variant.scan.verdict}"
        checks = [check for check in (variant.tested.checks if variant.tested else ()) if check.kind == "security_tests"]
        if checks:
            passed = sum(check.verdict is Verdict.PASS for check in checks)
            yield f"{variant.id}: {passed} of {len(checks)} security tests passed"


def _performance(report: Report, found: Compliance) -> Iterable[str]:
    yield from _said("limitations", "out_of_scope", "risks")(report, found)
    for _, variant in chosen(report):
        quality = variant.quality
        if quality is not None and quality.value is not None:
            yield f"{variant.id}: {quality.metric} {quality.value:.4g} on {quality.examples} examples"
        yield from (f"{variant.id}: {shown_gate(each)}" for each in variant.gates if each.gate == "worst_class" and each.observed)


def _changes(report: Report, found: Compliance) -> Iterable[str]:
    if report.commit:
        yield f"commit {report.commit[:12]}"
    if report.base:
        same = "the same model" if report.base.same_model else "another model"
        yield f"compared with {same} at {report.base.commit[:12] or 'the base'} of {report.base.created or 'no date'}"


def shown_gate(each: GateResult) -> str:
    """What a gate observed, its bounds and its limit."""
    shown = format_value(each.observed, each.unit) if each.observed is not None else "nothing observed"
    if each.lower is not None and each.upper is not None:
        shown += f" ({format_value(each.lower, each.unit)} to {format_value(each.upper, each.unit)})"
    return " ".join(filter(None, [each.gate, shown, format_limit(each.bound, each.limit, each.unit)]))


POINTS: Sequence[tuple[str, str, Read]] = (
    ("1(a)", "intended purpose, provider, version", _said("intended_purpose", "provider", "version")),
    ("1(b)", "interaction with hardware or software that is no part of it", nothing),
    ("1(c)", "versions of relevant software", _software),
    ("1(d)", "forms in which it is put into service", _forms),
    ("1(e)", "hardware that it is intended to run on", _hardware),
    ("1(f)", "illustrations of the product that it is part of", nothing),
    ("1(g)", "user interface", nothing),
    ("1(h)", "instructions for use", nothing),
    ("2(a)", "methods and steps of development, recourse to pre-trained systems", _methods),
    ("2(b)", "design specifications and choices", nothing),
    ("2(c)", "system architecture, computational resources", _architecture),
    ("2(d)", "data: provenance, scope, characteristics", _data),
    ("2(e)", "human oversight measures", _said("human_oversight")),
    ("2(f)", "pre-determined changes", nothing),
    ("2(g)", "validation and testing: procedures, data, metrics, dated reports", _tests),
    ("2(h)", "cybersecurity measures", _security),
    ("3", "capabilities and limitations, accuracy, foreseeable unintended outcomes", _performance),
    ("4", "appropriateness of the performance metrics", nothing),
    ("5", "risk management system", nothing),
    ("6", "changes through the lifecycle", _changes),
    ("7", "harmonised standards applied", nothing),
    ("8", "EU declaration of conformity", nothing),
    ("9", "post-market monitoring plan", nothing),
)
"""Every point of the annex, in its order; what a report of measurements cannot show is there all the same."""
