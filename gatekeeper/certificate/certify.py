"""From a report to a certificate: judged again, and only what passes, on evidence that nobody's own code could have written."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from gatekeeper.certificate.bom import bom_of, check_bom
from gatekeeper.certificate.evidence import evidence_of
from gatekeeper.certificate.inventory import identity, inventory
from gatekeeper.certificate.seals import Seal, Who, seal_of
from gatekeeper.certificate.statement import SKEW, Approval, Certified, certified_of, origin_of, statement
from gatekeeper.compliance.annex import compliance_of
from gatekeeper.compliance.bom import bom
from gatekeeper.compliance.declared import declared
from gatekeeper.compliance.judge import contradictions
from gatekeeper.errors import NotMeasured, Refused, UsageError
from gatekeeper.files import check_own, is_link, write_together
from gatekeeper.ids import target_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.compliance import OwnLicense
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.reports._read import parsed, report_bytes
from gatekeeper.reports.json import FILE_NAME as REPORT
from gatekeeper.verdicts.legs import LOST

FILE_NAME = "certificate.json"
"""What a certificate is called where nobody says otherwise: beside its report."""
EVENTS = ("push", "schedule", "workflow_dispatch", "release")
"""Events whose runs measure what this repository already is, and the only ones that certify. Every other may bring along what a
stranger wrote: what a pull request proposes, or, with the default branch's name on it, what a `workflow_run` was left by one."""


@dataclass(frozen=True)
class Asked:
    """What to certify. `artifact` is where the model lies, if not where its report says; `policy` and `waivers` are files as in
    `gatekeeper report`: what it must have been held to, and what is tolerated. Without a `key` the job's own identity signs, by
    the Sigstore of the client trust config `instance`, or the public one. `signature` is where a model signature goes, too.
    `config` is the pipeline file that the report must be of: its stages, and the code that it lets run.
    """

    result: Path
    key: Path | None = None
    artifact: Path | None = None
    output: Path | None = None
    policy: Path | None = None
    waivers: Path | None = None
    instance: Path | None = None
    signature: Path | None = None
    config: Path | None = None


@dataclass(frozen=True)
class Written:
    """A certificate that was written, whom it is by, and the BOM beside it."""

    path: Path
    bom: Path
    artifact: Path
    certified: Certified
    who: Who


def certify(
    asked: Asked, environ: Mapping[str, str], now: datetime.datetime, approvals: Sequence[Approval] | None = None
) -> Written:
    """Certify the artifact of a report that passes; `Refused` says why not. `approvals` are what GitHub's API told."""
    file = asked.result / REPORT if asked.result.is_dir() else asked.result
    output = asked.output or file.with_name(FILE_NAME)
    beside = bom_of(output)
    for each, option in ((output, "--output"), (beside, "--output"), (asked.signature, "--model-signature")):
        if each is not None:
            _check_output(each, option)
    seal = seal_of(asked.key, asked.instance, environ, models=asked.signature is not None)
    data = report_bytes(file)
    report = _judged(parsed(data, file), file, asked, now)
    _check_origin(report, environ)
    check_certifiable(report, str(file))
    variant, place, files = _chosen(report, file, asked.artifact)
    if unmeasured := [each.gate for each in variant.gates if each.verdict is Verdict.ERROR]:
        raise Refused(
            f"{file}: {variant.id}: {', '.join(unmeasured)} was asked for and could not be measured. It only warns, and a "
            "certificate says what was measured: measure it, or take it out of the pipeline file."
        )
    _check_license(report, place)
    certified = certified_of(report, variant, sha256(data).hexdigest(), stamp(now), origin_of(environ), files)
    if approvals is not None:
        certified = msgspec.structs.replace(certified, approvals=list(approvals))
    parts = bom(report, variant, files)
    check_bom(parts, str(file))
    if datetime.datetime.fromisoformat(report.created) - now > SKEW:
        raise Refused(
            f"{file}: was measured at {report.created}, and here it is {stamp(now)}: set the wrong clock right, "
            "and run it again where that is the one that measured."
        )
    data, who = seal.certificate(statement(files, certified), certified.origin)
    signature = {asked.signature: _model_signature(asked.signature, place, files, seal)} if asked.signature is not None else {}
    write_together({beside: parts, **signature, output: data})
    return Written(output, beside, place, certified, who)


def _model_signature(output: Path, place: Path, files: Mapping[str, str], seal: Seal) -> bytes:
    from gatekeeper.certificate import model_signature

    if place.is_dir() and output.resolve().is_relative_to(place.resolve()):
        raise UsageError(f"{output}: lies among the files that it signs. Name a file outside of {place} with --model-signature.")
    return seal.model(model_signature.statement(files, place.resolve().name, not place.is_dir()))


def _check_output(output: Path, option: str) -> None:
    check_own(output.parent)
    if is_link(output):
        raise UsageError(f"{output}: is a link, and nothing is written through one. Name another file with {option}.")


def check_certifiable(report: Report, name: str) -> None:
    """`Refused` for a report that was judged again and is not a pass on evidence that counts."""
    if partial := _partial(report):
        raise Refused(f"{name}: {partial}")
    if report.verdict is not Verdict.PASS:
        raise Refused(f"{name}: judged again it is {report.verdict}, and only a pass is certified: {_why(report)}")
    evidence, why = evidence_of(report)
    if evidence != "trusted_runner":
        raise Refused(f"{name}: its evidence is {evidence}: {why}. Measure it again where that code is held, or without it.")


def selected(report: Report) -> list[VariantReport]:
    """The variants that may ship, one of each target."""
    return [v for target in report.targets for v in target.variants if v.id == target.selected and v.artifact is not None]


def stamp(now: datetime.datetime) -> str:
    """A time as reports write it."""
    return now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judged(report: Report, file: Path, asked: Asked, now: datetime.datetime) -> Report:
    from gatekeeper.verdicts.headers import check_headers
    from gatekeeper.verdicts.results import merged
    from gatekeeper.verdicts.written import rules_of

    check_headers([report], None)
    judged = merged([report], [str(file)], rules_of([report], None, asked.policy, asked.config))
    if asked.waivers is None:
        return judged
    from gatekeeper.config.waivers import read_waivers
    from gatekeeper.verdicts.waivers import waive

    return waive(judged, read_waivers(asked.waivers).entries, now.date())


def _chosen(report: Report, file: Path, artifact: Path | None) -> tuple[VariantReport, Path, dict[str, str]]:
    """The variant that ships, where it lies, and its files."""
    ships = selected(report)
    if artifact is not None:
        files = inventory(artifact)
        found = identity(files)
        own = [v for v in ships if v.artifact and v.artifact.sha256 == found]
        if own:
            return own[0], artifact, files
        other = next((v for t in report.targets for v in t.variants if v.artifact and v.artifact.sha256 == found), None)
        if other is not None:
            chosen = next((t.selected for t in report.targets if t.name == target_of(other.id)), None)
            raise Refused(f"{artifact}: is {other.id}, and what the report selects there is {chosen}. Certify that.")
        known = ", ".join(f"{v.id} ({v.artifact.sha256[:12]})" for v in ships if v.artifact)
        raise Refused(f"{artifact}: its SHA-256 is {found[:12]}, and the report selects {known}. Name what was measured.")
    if len(ships) != 1:
        names = ", ".join(v.id for v in ships)
        raise UsageError(f"{file}: it selects {len(ships)} artifacts: {names}. Name the one to certify with --artifact.")
    variant = ships[0]
    assert variant.artifact is not None
    place = file.parent / variant.artifact.path
    if not place.exists():
        raise UsageError(f"{place}: is not there, where the report says that {variant.id} lies. Name it with --artifact.")
    files = inventory(place)
    if (found := identity(files)) != variant.artifact.sha256:
        said = f"its SHA-256 is {found[:12]}, and the report says {variant.artifact.sha256[:12]}"
        raise Refused(f"{place}: is not what was measured: {said}. Run it again.")
    return variant, place, files


def _check_license(report: Report, place: Path) -> None:
    """`Refused` where the very files that ship name another licence than the report declares."""
    found = compliance_of(report)
    if found is None:
        return
    try:
        own = OwnLicense(model=str(place), says=declared(place))
    except NotMeasured as error:
        raise Refused(str(error)) from None
    if said := list(contradictions(own, found.license)):
        raise Refused(f"{'; '.join(said)}. Correct one of them, and run it again.")


def _check_origin(report: Report, environ: Mapping[str, str]) -> None:
    """On GitHub: only in runs of what this repository already is, and only of what was measured of this commit."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    name = environ.get("GITHUB_EVENT_NAME", "")
    if name.startswith("pull_request") or name == "merge_group":
        raise Refused(f"this run is of the event {name}: its code is only proposed. Certify after it was merged.")
    if name not in EVENTS:
        of = f"of the event {name}, and may hold what a stranger wrote" if name else "of an event that it does not name"
        raise Refused(f"this run is {of}. Certify in a run of one of {', '.join(EVENTS)}.")
    if environ.get("GITHUB_REF_PROTECTED", "") != "true":
        ref = environ.get("GITHUB_REF", "") or "this ref"
        raise Refused(f"{ref} is not protected: whoever pushes to it could certify. Protect it with a rule, and run this again.")
    commit = environ.get("GITHUB_SHA", "")
    if report.commit != commit:
        own = report.commit[:12] or "that it does not name"
        raise Refused(f"the report is of the commit {own}, and this run is of {commit[:12]}. Measure this one.")


def _partial(report: Report) -> str:
    """What of a file's legs did not run, where that is all that is wrong, and what to do; empty of a whole report."""
    legs = [leg for target in report.targets for leg in target.legs]
    gone = [leg for leg in legs if leg.error == LOST]
    if not gone or len(gone) == len(legs):
        return ""
    names, file = ", ".join(leg.id for leg in gone), report.pipeline.path
    rest = ", ".join(dict.fromkeys(leg.framework for leg in legs if leg.error != LOST))
    return (
        f"it is a partial run, as `gatekeeper demo` and `gatekeeper run --framework` make one: of the {len(legs)} legs that "
        f"{file} asks for, {names} did not run. Run the whole file (gatekeeper run {file}), or let "
        f"`optimization.frameworks` in it name only {rest} and run that; then certify its report."
    )


def _why(report: Report) -> str:
    """What keeps a report from passing, in words."""
    said = [f"{t.name} is {t.verdict}: {t.reason or 'it says no more'}" for t in report.targets if t.verdict is not Verdict.PASS]
    said += [f"the stage {s.stage} is {s.verdict}: {s.reason}" for s in report.stages if s.verdict is not Verdict.PASS]
    return "; ".join(said)[:600] or "nothing was judged"
