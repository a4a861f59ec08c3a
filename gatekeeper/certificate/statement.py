"""What a certificate states, an in-toto statement (https://in-toto.io/Statement/v1), and how it follows from a report. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.certificate.evidence import evidence_of
from gatekeeper.compliance.bom import bom
from gatekeeper.config.schema import schema_of
from gatekeeper.gates._base import counted_checks, gate
from gatekeeper.ids import set_of, target_of, without_set
from gatekeeper.records.base import Count, Record, Verdict
from gatekeeper.records.gates import GateResult, Waiver
from gatekeeper.records.report import LegReport, Report, VariantReport
from gatekeeper.records.scanned import ModelScan, ScanVerdict
from gatekeeper.verdicts.sound import owner_of

STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Literal["urn:edge-gatekeeper:certificate:v1"] = "urn:edge-gatekeeper:certificate:v1"
"""A name, and no address: nobody else can come to own it."""

SKEW = datetime.timedelta(minutes=5)
"""How far two clocks that are right may be apart."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class HeldGate(Record, frozen=True, kw_only=True):
    """One gate as the report was judged by it again when it was certified."""

    gate: str
    verdict: Verdict
    observed: float | None
    lower: float | None
    upper: float | None
    limit: float | None
    bound: Literal["at_least", "at_most"]
    unit: str
    blocking: Annotated[bool, Meta(description="False where it only warns; such a gate counts for nothing in a release.")]
    n: Annotated[Count | None, Meta(description="How many `of` it rests on; null where it needs no number of any.")]
    of: Literal["rounds", "examples", "checks", ""]


class HeldWaiver(Record, frozen=True, kw_only=True):
    """A failure that did not block, and whom it is tolerated by."""

    gate: str
    variant: str
    waiver: Waiver


class HeldScan(Record, frozen=True, kw_only=True):
    """What `security_scan` said of one model, and what looked at it."""

    model: str
    verdict: ScanVerdict
    files: dict[str, str]
    engines: list[str]
    found: Annotated[list[str], Meta(description="Rules that were broken.")]


class HeldStage(Record, frozen=True, kw_only=True):
    """One stage of the run, as it was judged again when it was certified."""

    stage: str
    verdict: Verdict


class Watch(Record, frozen=True, kw_only=True):
    """What to watch once it is deployed: it was certified inside this limit, and outside of it would not have been."""

    what: str
    bound: Literal["at_least", "at_most"]
    limit: float
    unit: str
    certified: Annotated[float | None, Meta(description="What was observed when it was certified.")]


class Approval(Record, frozen=True, kw_only=True):
    """Somebody's answer where an environment of GitHub asks for one, as its API tells it."""

    environment: str
    state: str
    user: str
    comment: str = ""


class Origin(Record, frozen=True, kw_only=True):
    """Where it was certified, as GitHub Actions says; empty elsewhere."""

    repository: str = ""
    workflow: Annotated[str, Meta(description="owner/name/.github/workflows/file.yml@ref")] = ""
    ref: str = ""
    commit: str = ""
    run: str = ""
    runner: Annotated[str, Meta(description="github-hosted or self-hosted, and its system.")] = ""


class Known(Record, frozen=True, kw_only=True):
    """A file or set by its content, and what it was called."""

    name: str
    sha256: str


class Certified(Record, frozen=True, kw_only=True):
    """That a variant passed, under which limits, on what, and who says so: the predicate."""

    variant: Annotated[str, Meta(description="target/framework/technique.")]
    report: Annotated[Sha256, Meta(description="SHA-256 of report.json, byte for byte.")]
    artifact: Annotated[Sha256, Meta(description="What the report calls the artifact's SHA-256.")]
    bytes: Count
    model: Known
    pipeline: Known
    policy: Annotated[Known | None, Meta(description="The file of another commit whose limits were applied, if any.")]
    data: Annotated[dict[str, Known], Meta(description="Every set that was read.")]
    code: Annotated[dict[str, str], Meta(description="SHA-256 of the user's code that judged, by role and name.")]
    evidence: Literal["trusted_runner", "untrusted_leg"]
    examples: Annotated[Count, Meta(description="Distinct ones that the variant was judged on.")]
    gates: list[HeldGate]
    waivers: list[HeldWaiver]
    scans: Annotated[list[HeldScan], Meta(description="Of the models that were given, and of what ships. Empty: of none.")]
    monitoring: list[Watch]
    machine: Annotated[str, Meta(description="What it was measured on.")]
    version: Annotated[str, Meta(description="Of the gatekeeper that measured.")]
    commit: Annotated[str, Meta(description="Commit that was measured; empty outside of GitHub Actions.")]
    measured: Annotated[str, Meta(description="UTC time, ISO 8601.")]
    issued: Annotated[str, Meta(description="UTC time, ISO 8601.")]
    origin: Origin
    approvals: Annotated[
        list[Approval] | None, Meta(description="Read from GitHub's API by the job that certified; null: nobody asked it.")
    ] = None
    bom: Annotated[
        Sha256 | None, Meta(description="SHA-256 of the ML-BOM beside the certificate; null: an earlier version certified.")
    ] = None
    stages: Annotated[
        list[HeldStage] | None, Meta(description="Every stage that ran beside the legs; null: an earlier version certified.")
    ] = None
    chosen: Annotated[
        str | None,
        Meta(description="Why it was chosen of what passed, and why it was tried; null: an earlier version certified."),
    ] = None


class Subject(Record, frozen=True, kw_only=True):
    """One file of the artifact."""

    name: Annotated[str, Meta(description="Below the artifact's folder; of a single file its own.")]
    digest: dict[Literal["sha256"], Sha256]


class Statement(Record, frozen=True, kw_only=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    """The statement that is signed."""

    type: Literal["https://in-toto.io/Statement/v1"]
    subject: list[Subject]
    predicate_type: Literal["urn:edge-gatekeeper:certificate:v1"]
    predicate: Certified


def certificate_schema() -> dict[str, Any]:
    """Schema of what a certificate's envelope holds."""
    return schema_of(Statement, PREDICATE_TYPE, "What `gatekeeper certify` signs.")


def statement(files: Mapping[str, str], certified: Certified) -> bytes:
    """The text of a statement over these files."""
    subjects = [Subject(name=name, digest={"sha256": digest}) for name, digest in files.items()]
    whole = Statement(type=STATEMENT_TYPE, subject=subjects, predicate_type=PREDICATE_TYPE, predicate=certified)
    return msgspec.json.encode(whole)


def certified_of(
    report: Report,
    variant: VariantReport,
    digest: str,
    issued: str,
    origin: Origin,
    files: Mapping[str, str],
    earlier: bool = False,
) -> Certified:
    """What is certified of a variant with these files; its report was judged again, and `digest` is that of the report's file.

    `earlier`: as versions certified that named no stages.
    """
    target = next(each for each in report.targets if each.name == target_of(variant.id))
    leg = target.leg_of(variant)
    pipeline = report.pipeline
    artifact = variant.artifact
    assert artifact is not None  # who has none is not certified
    return Certified(
        variant=variant.id,
        report=digest,
        artifact=artifact.sha256,
        bytes=artifact.bytes,
        model=Known(name=report.model.path, sha256=report.model.sha256),
        pipeline=Known(name=pipeline.path, sha256=pipeline.sha256),
        policy=Known(name=pipeline.policy, sha256=pipeline.policy_sha256) if pipeline.policy_sha256 else None,
        data={what: Known(name=each.source, sha256=each.sha256) for what, each in report.data.sets.items()}
        if report.data
        else {},
        code={name: each.sha256 for name, each in report.data.code.items()} if report.data else {},
        evidence=evidence_of(report, earlier)[0],
        examples=examples_of(report, leg),
        gates=[_held(each, variant) for each in variant.gates],
        waivers=[
            HeldWaiver(gate=each.gate, variant=other.id, waiver=each.waiver)
            for every in report.targets
            for other in every.variants
            for each in other.gates
            if each.waiver is not None
        ],
        scans=[
            *(_scanned(each) for stage in report.stages for each in stage.scans),
            *([_scanned(variant.scan, variant.id)] if variant.scan else []),
        ],
        monitoring=[
            Watch(what=each.gate, bound=each.bound, limit=each.limit, unit=each.unit, certified=each.observed)
            for each in variant.gates
            if each.blocking and each.limit is not None
        ],
        machine=_machine(leg),
        version=report.version,
        commit=report.commit,
        measured=report.created,
        issued=issued,
        origin=origin,
        bom=sha256(bom(report, variant, files)).hexdigest(),
        stages=None if earlier else [HeldStage(stage=each.stage, verdict=each.verdict) for each in report.stages],
        chosen=None if earlier else "; ".join(filter(None, [target.because, leg.why if leg else "", variant.why])),
    )


def examples_of(report: Report, leg: LegReport | None) -> int:
    """The distinct examples that a leg's verdicts rest on: of what the leg and the run counted, the fewer."""
    counted = [leg.basis.examples] if leg and leg.basis else []
    if report.data and report.data.evaluation and report.data.evaluation.distinct:
        counted.append(report.data.evaluation.distinct)
    return min(counted, default=0)


def origin_of(environ: Mapping[str, str]) -> Origin:
    """Where this is, from the environment of a step."""

    def said(name: str) -> str:
        return environ.get(name, "").strip()

    if said("GITHUB_ACTIONS") != "true":
        return Origin()
    attempt = f"/attempts/{said('GITHUB_RUN_ATTEMPT')}" if said("GITHUB_RUN_ATTEMPT") not in ("", "1") else ""
    return Origin(
        repository=said("GITHUB_REPOSITORY"),
        workflow=said("GITHUB_WORKFLOW_REF"),
        ref=said("GITHUB_REF"),
        commit=said("GITHUB_SHA"),
        run=f"{said('GITHUB_SERVER_URL')}/{said('GITHUB_REPOSITORY')}/actions/runs/{said('GITHUB_RUN_ID')}{attempt}",
        runner=" ".join(filter(None, [said("RUNNER_ENVIRONMENT"), said("RUNNER_OS"), said("RUNNER_ARCH")])),
    )


def _scanned(scan: ModelScan, name: str = "") -> HeldScan:
    return HeldScan(
        model=name or scan.model,
        verdict=scan.verdict,
        files={each.file: each.sha256 for each in scan.files},
        engines=sorted({engine for each in scan.files for engine in each.scans}),
        found=sorted({found.rule for each in scan.files for found in each.found}),
    )


def _held(each: GateResult, variant: VariantReport) -> HeldGate:
    n, of = _counted(each, variant)
    return HeldGate(
        gate=each.gate,
        verdict=each.verdict,
        observed=each.observed,
        lower=each.lower,
        upper=each.upper,
        limit=each.limit,
        bound=each.bound,
        unit=each.unit,
        blocking=each.blocking,
        n=n,
        of=of,
    )


def _counted(each: GateResult, variant: VariantReport) -> tuple[int | None, Any]:
    """How many of what a gate rests on, as far as the report tells."""
    if each.verdict is Verdict.SKIP:
        return None, ""
    owner = without_set(owner_of(each.gate))
    basis = gate(owner).BASIS
    if basis == "rounds":
        return (len(variant.performance.rounds) if variant.performance else 0), "rounds"
    if basis == "scores":
        quality = variant.also.get(set_of(each.gate)) if set_of(each.gate) else variant.quality
        return (quality.examples if quality else 0), "examples"
    if basis == "checks":
        kind = counted_checks(owner)
        return sum(check.kind == kind for check in (variant.tested.checks if variant.tested else ())), "checks"
    return None, ""


def _machine(leg: LegReport | None) -> str:
    if leg is None or leg.environment is None:
        return ""
    told = leg.environment
    return ", ".join(filter(None, [told.cpu, f"{told.threads} threads", *told.accelerators, told.os]))
