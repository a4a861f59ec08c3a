"""A certified report judged again: by its own limits, as the certificate must say what it says, and by the trust file's."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from gatekeeper.certificate.evidence import evidence_of
from gatekeeper.certificate.inventory import identity
from gatekeeper.certificate.statement import Certified, HeldWaiver, certified_of
from gatekeeper.certificate.trust import Trust
from gatekeeper.config.waivers import GateWaiver
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.ids import target_of
from gatekeeper.records.base import Record, Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.reports._read import parsed
from gatekeeper.units import format_limit, format_value
from gatekeeper.verdicts.results import merged
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.sound import owner_of
from gatekeeper.verdicts.waivers import waive

NAME = "the report"


class Again(Record, frozen=True, kw_only=True):
    """What was found, in words."""

    trusted: list[str]
    refused: list[str]


def judged_again(data: bytes, certified: Certified, files: Mapping[str, str], trust: Trust, now: datetime.datetime) -> Again:
    """Judge the report that a certificate of these files speaks of, and hold both to the trust file."""
    report = parsed(data, Path("report.json"))
    text = report.model.format in TEXT_FORMATS
    waivers = [_waiver(each) for each in certified.waivers]
    issued = datetime.datetime.fromisoformat(certified.issued).date()
    own = waive(merged([report], [NAME], Rules(text=text, whole=True)), waivers, issued)
    if problem := _contradicts(own, certified, files):
        return Again(trusted=[], refused=[problem])
    judged = {each.gate for each in _of(own, certified.variant)[1].gates}
    limits = {name: limit for name, limit in trust.limits.items() if name in judged}
    held = merged([_only(report, target_of(certified.variant))], [NAME], Rules(text=text, whole=True, own=limits))
    held = waive(held, [each for each in waivers if owner_of(each.gate) not in limits], now.date())
    target, variant = _of(held, certified.variant)
    refused = [*_local(target, variant, trust), *_required(own, certified, files, trust)]
    trusted = [
        f"judged again from its report: {certified.variant} passes {'the limits here' if trust.limits else 'its own limits'}, "
        + ", ".join(_shown(each) for each in variant.gates if each.blocking or each.waiver),
        f"on {certified.examples} distinct examples, data {_digests(certified)}, "
        f"evidence {certified.evidence}, {certified.machine}",
    ]
    return Again(trusted=[] if refused else trusted, refused=refused)


def _contradicts(own: Report, certified: Certified, files: Mapping[str, str]) -> str:
    """How the certificate differs from what its report says under its own limits; empty where it does not."""
    if own.verdict is not Verdict.PASS:
        return f"the report is certified as a pass, and judged again it is {own.verdict}"
    target = next((each for each in own.targets if each.name == target_of(certified.variant)), None)
    variant = next((each for each in target.variants if each.id == certified.variant), None) if target else None
    if target is None or variant is None or variant.artifact is None or target.selected != variant.id:
        chosen = target.selected if target else None
        return f"{certified.variant} is certified, and what its report selects there is {chosen}"
    says = certified_of(own, variant, certified.report, certified.issued, certified.origin, files, _earlier(certified))
    chosen = None if certified.chosen is None else says.chosen
    says = msgspec.structs.replace(says, approvals=certified.approvals, bom=says.bom if certified.bom else None, chosen=chosen)
    other = [name for name in says.__struct_fields__ if getattr(says, name) != getattr(certified, name)]
    return f"the certificate differs from its report in {', '.join(other)}. Certify the report again" if other else ""


def _local(target: TargetReport, variant: VariantReport, trust: Trust) -> Iterator[str]:
    """What of the gates does not hold here."""
    gates = {each.gate: each for each in variant.gates}
    found = []
    for name in trust.gates:
        each = gates.get(name)
        if each is None:
            found.append(f"{name} is required here, and was not judged: {', '.join(gates)} were")
        elif not each.blocking and each.waiver is None:
            found.append(f"{name} is required here, and there it only warned")
        elif each.verdict is not Verdict.PASS and each.waiver is None:
            found.append(f"{_shown(each)} is {each.verdict} here: {each.reason}")
    for each in variant.gates:
        if each.gate not in trust.gates and each.blocking and each.verdict is not Verdict.PASS:
            found.append(f"{_shown(each)} is {each.verdict} here: {each.reason}")
    if not found and (target.verdict is not Verdict.PASS or target.selected != variant.id):
        found.append(f"under the limits here {target.name} is {target.verdict} and selects {target.selected}: {target.reason}")
    yield from found


def _required(report: Report, certified: Certified, files: Mapping[str, str], trust: Trust) -> Iterator[str]:
    require = trust.require
    if certified.examples < require.min_examples:
        yield f"it rests on {certified.examples} distinct examples, and {require.min_examples} are required here"
    evidence, why = evidence_of(report, _earlier(certified))
    if evidence != require.evidence:
        yield f"its evidence is {evidence}, and {require.evidence} is required here: {why}"
    stages = {each.stage: each.verdict for each in report.stages}
    for name in require.stages:
        if name not in stages:
            yield f"the stage {name} is required here, and did not run: {', '.join(stages) or 'none'} did"
        elif stages[name] is not Verdict.PASS:
            yield f"the stage {name} is required here, and is {stages[name]}"
    if require.scan is not None:
        yield from _unscanned(report, certified, files)
    if certified.waivers and require.waivers == "none":
        waived = ", ".join(f"{each.variant} {each.gate}" for each in certified.waivers)
        yield f"failures of {waived} were waived, and none may be here"
    if trust.datasets:
        sets = [report.data.evaluation, *report.data.also.values()] if report.data else []
        known = [each for each in sets if each is not None]
        yield from (
            f"it was judged on {each.source} ({each.sha256[:12]}), which is none of the datasets of the trust file"
            for each in known
            if each.sha256 not in trust.datasets
        )
        if not known:
            yield "it does not say on which data it was judged, and the trust file names datasets"


def _of_the_model(scanned: Mapping[str, str], report: Report, sha256: str) -> bool:
    """Whether these files, by name and SHA-256, have every one of the model's: its one, or all that its identity is made of."""
    files = report.model.files
    if files and identity(files) == sha256:
        return set(files.values()) <= set(scanned.values())
    return sha256 in scanned.values() or (bool(scanned) and identity(scanned) == sha256)


def _earlier(certified: Certified) -> bool:
    """Whether a version certified it that did not name the stages, nor asked what held the user's code."""
    return certified.stages is None


def _unscanned(report: Report, certified: Certified, files: Mapping[str, str]) -> Iterator[str]:
    """What of the model and of what ships was not scanned and found clean."""
    if not certified.scans:
        yield "a clean security scan is required here, and nothing was scanned: enable `model_validation.security_scan`"
        return
    for scan in certified.scans:
        if scan.verdict != "clean" or scan.found:
            told = f"found {', '.join(scan.found)}" if scan.found else "could not look at all of it"
            yield f"a clean security scan is required here, and that of {scan.model} {told}"
    given = [scan.files for scan in certified.scans if scan.model != certified.variant]
    if not any(_of_the_model(each, report, certified.model.sha256) for each in given):
        yield f"no security scan is of {certified.model.name}, which what ships was made of"
    seen = {digest for scan in certified.scans for digest in scan.files.values()}
    if missed := [name for name, digest in files.items() if digest not in seen]:
        yield f"the security scan did not look at {', '.join(missed[:3])}"


def _only(report: Report, target: str) -> Report:
    """The report of one target: the limits here are for what is released, and other machines may have other gates."""
    targets = [each for each in report.targets if each.name == target]
    legs = [leg for leg in report.pipeline.legs if target_of(leg) == target]
    return msgspec.structs.replace(report, targets=targets, pipeline=msgspec.structs.replace(report.pipeline, legs=legs))


def _of(report: Report, name: str) -> tuple[TargetReport, VariantReport]:
    target = next(each for each in report.targets if each.name == target_of(name))
    return target, next(each for each in target.variants if each.id == name)


def _waiver(held: HeldWaiver) -> GateWaiver:
    until = datetime.date.fromisoformat(held.waiver.expires)
    return GateWaiver(held.gate, target_of(held.variant), held.variant, until, held.waiver)


def _digests(certified: Certified) -> str:
    return ", ".join(f"{each.name} ({each.sha256[:12]})" for each in certified.data.values()) or "unknown"


def _shown(each: GateResult) -> str:
    """A gate in few words: what was observed, between which bounds, beside which limit."""
    shown = format_value(each.observed, each.unit) if each.observed is not None else "nothing observed"
    if each.lower is not None and each.upper is not None:
        shown += f" ({format_value(each.lower, each.unit)} to {format_value(each.upper, each.unit)})"
    waived = " (waived)" if each.waiver else ""
    return " ".join(filter(None, [each.gate, shown, format_limit(each.bound, each.limit, each.unit)])) + waived
