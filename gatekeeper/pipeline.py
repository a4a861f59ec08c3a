"""The whole way from a pipeline file to a report; the only place that knows the order of the stages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gatekeeper.config.git import git_says
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.owners import STAGES, asked
from gatekeeper.config.policy import loosened, policy_notes, unheld
from gatekeeper.errors import UsageError
from gatekeeper.files import check_own, write_atomic
from gatekeeper.legs.datasets import Sets, data_of
from gatekeeper.legs.judging import ARTIFACTS
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.setup import Known, Scanned, Setup, bench
from gatekeeper.making.cache import Cache
from gatekeeper.making.earlier import earlier_model
from gatekeeper.models.files import digests_of
from gatekeeper.models.hashed import digest_once
from gatekeeper.models.info import Assessment
from gatekeeper.planning.plan import Plan, choose_legs, make_plan, model_of
from gatekeeper.progress import Progress
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import REPORT_SCHEMA, Basis, LegReport, ModelInfo, PipelineInfo, Report, StageReport, TargetReport
from gatekeeper.reports._folder import owned
from gatekeeper.stages._base import stage
from gatekeeper.verdicts.idle import idle_limits
from gatekeeper.verdicts.stages import POLICY
from gatekeeper.verdicts.targets import report_verdict, target_report
from gatekeeper.version import version


@dataclass(frozen=True)
class Options:
    """What the command line adds to the pipeline file."""

    output: Path
    cache: Path
    target: str | None = None
    framework: str | None = None
    attempt: int = 1
    commit: str = ""
    reproduce: str = ""
    base: Path | None = None  # a checkout of the branch that a change is made against


def run(loaded: Loaded, options: Options, progress: Progress) -> Report:
    """Run the stages on this machine and write raw samples and artifacts to `options.output`.

    Raises `UsageError` before any work when the request itself cannot be carried out; what goes wrong later is in
    the report.
    """
    model, assessment = model_of(loaded)
    plan = make_plan(loaded, assessment)
    planned = choose_legs(plan, options.target, options.framework)
    cache = Cache(options.cache)
    shown = _shown(model)
    if earlier := earlier_model(loaded, model, assessment, cache, options.base):
        loaded = replace(loaded, model_override=earlier[0])
        shown, assessment = f"{shown} of {earlier[1]}", model_of(loaded)[1]
    with owned(options.output), bench(loaded, assessment, planned, cache, progress) as (space, evaluation, legs, identity):
        _clear(options.output)
        info = _pipeline_info(loaded, plan)
        setup = Setup(
            loaded=loaded,
            assessment=assessment,
            legs=legs,
            space=space,
            evaluation=evaluation,
            progress=progress,
            output=options.output,
            pipeline=info,
            attempt=options.attempt,
            planned=plan.legs,
        )
        stages, known, files = _run_stages(setup)
        for name, content in files.items():
            write_atomic(options.output / name, content)
        targets = list(known.targets) or _unmeasured(setup, stages)
        data = data_of(loaded, known.get(Sets))
    stages += _policy_stage(loaded)
    return Report(
        schema=REPORT_SCHEMA,
        verdict=report_verdict(targets, stages),
        model=ModelInfo(
            path=shown,
            sha256=identity,
            bytes=assessment.bytes,
            format=assessment.format,
            architecture=assessment.architecture,
            parameters=assessment.parameters,
            files=_files(assessment),
        ),
        pipeline=info,
        targets=targets,
        stages=stages,
        notes=[*policy_notes(loaded), *idle_limits(loaded, plan)],
        remarks=[],
        reproduce=options.reproduce,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        version=version(),
        commit=options.commit,
        data=data,
    )


def _pipeline_info(loaded: Loaded, plan: Plan) -> PipelineInfo:
    """What a merge must know of the pipeline file."""
    asked, path = loaded.section("optimization").validation, ("optimization", "validation")
    return PipelineInfo(
        path=_shown(loaded.path),
        sha256=loaded.sha256,
        legs=plan.leg_ids(),
        on_inconclusive=loaded.on_inconclusive,
        cross_validation=loaded.where(*path, "cross_validation") if asked.cross_validation == "enabled" else "",
        performance_comparison=loaded.where(*path, "performance_comparison") if asked.performance_comparison else "",
        policy=loaded.policy.name if loaded.policy else "",
        policy_sha256=loaded.policy.sha256 if loaded.policy else "",
        loosened=loosened(loaded),
        under=git_says(Path.cwd(), "rev-parse", "--show-prefix").rstrip("/"),
    )


def _policy_stage(loaded: Loaded) -> list[StageReport]:
    """What the policy asks for and this file no longer mentions, or reads otherwise, was not measured, and blocks."""
    if loaded.policy is None:
        return []
    gone = unheld(loaded)
    if not gone:
        return [StageReport(stage=POLICY, verdict=Verdict.PASS, reason=f"held to {loaded.policy.name}")]
    reason = f"{'; '.join(said for said, _ in gone)}. Put it back, or change {loaded.policy.name} first."
    return [StageReport(stage=POLICY, verdict=Verdict.ERROR, reason=reason, where=loaded.where(*gone[0][1]))]


def deferred(report: Report) -> Report:
    """What is left of a report's verdict where the merged one decides: what the policy misses is no failure of a leg."""
    return msgspec.structs.replace(
        report, verdict=report_verdict(report.targets, [stage for stage in report.stages if stage.stage != POLICY])
    )


def _run_stages(setup: Setup) -> tuple[list[StageReport], Known, dict[str, bytes]]:
    """Run the listed stages in order; one that does not pass stops those after it.

    One that only lacks a check this version does not have lets them go on: the verdict is an error all the same.
    """
    loaded = setup.loaded
    known, reports, files = Known(), list[StageReport](), dict[str, bytes]()
    blocked_by: str | None = None
    for position, name in enumerate(loaded.pipeline.stages):
        where = loaded.where("stages", position)
        known = replace(known, stages=tuple(reports))
        if name not in STAGES.names:
            reason = f"cannot run: this version of gatekeeper has no stage '{name}'. Remove it from `stages` to go on without."
            reports.append(StageReport(stage=name, verdict=Verdict.ERROR, reason=reason, where=where))
        elif blocked_by:
            reason = f"not run, because {blocked_by} did not pass"
            reports.append(StageReport(stage=name, verdict=Verdict.ERROR, reason=reason, where=where, blocked_by=blocked_by))
        else:
            added = stage(name).run(setup, known)
            known = known.with_(added)
            files |= added.files
            line = added.report
            if changed := known.get(Scanned).changed():
                line = msgspec.structs.replace(line, verdict=Verdict.ERROR, reason=changed, blocks=True)
            reports.append(line)
            if line.verdict is not Verdict.PASS and line.blocks:
                blocked_by = name
    return reports, known, files


def _unmeasured(setup: Setup, stages: list[StageReport]) -> list[TargetReport]:
    """Targets of a run that never came to measure them."""
    reason = next((s.reason for s in stages if s.verdict is not Verdict.PASS), "the stage optimization is not listed")
    own = {name: [_unmeasured_leg(leg, reason) for leg in legs] for name, legs in setup.by_target().items()}
    return [target_report(name, setup.loaded.target(name).hardware, "best", legs, []) for name, legs in own.items()]


def _unmeasured_leg(leg: Leg, reason: str) -> LegReport:
    """Its own reason where it has one, else what ended the run."""
    if leg.planned.skip:
        return LegReport(id=leg.id, framework=leg.framework, skip=leg.planned.skip)
    nothing = Basis(not_judged={"everything": "the run ended before"})
    return LegReport(id=leg.id, framework=leg.framework, error=leg.place.error or reason, basis=nothing)


def _clear(folder: Path) -> None:
    """Take away what else an earlier run left: its artifacts must not stand beside this run's. Of what lies there by another
    name nothing is ours.
    """
    for name in (name for files in asked("FILES") for name in files):
        (folder / name).unlink(missing_ok=True)
    check_own(folder / ARTIFACTS)
    for place in (folder / ARTIFACTS).glob("*__*__*"):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
    if not (folder / ".gitignore").exists():
        write_atomic(folder / ".gitignore", "*\n")


def _files(assessment: Assessment) -> dict[str, str]:
    """What the model's identity is made of, where it is more than one file."""
    several = [Path(file) for file in assessment.files]
    return digests_of(several, digest_once) if len(several) > 1 else {}


def _shown(path: Path) -> str:
    """A path as it should be read elsewhere: relative to the working folder where it lies inside it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def attempt_from(environ: Mapping[str, str], stated: int | None = None) -> int:
    """Which attempt at this commit this is: the later of what is stated and GITHUB_RUN_ATTEMPT; 1 where neither is."""
    value = environ.get("GITHUB_RUN_ATTEMPT", "").strip() or "1"
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0):
        raise UsageError(
            f"GITHUB_RUN_ATTEMPT is '{value}', not a whole number from 1. Correct it, or unset it and use --attempt."
        )
    return max(int(value), stated or 1)
