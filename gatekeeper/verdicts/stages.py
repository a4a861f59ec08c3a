"""Stages of a report, held to those that its file lists: none is missing, and none passes that nobody can run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatekeeper.config.owners import STAGES
from gatekeeper.config.policy import unheld
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import PipelineInfo, StageReport
from gatekeeper.verdicts.across import STAGE
from gatekeeper.verdicts.rehearsed import rejudged
from gatekeeper.verdicts.rules import Rules

POLICY = "policy"
"""The stage that says whether a file has all of its policy."""


def held_stages(stages: Sequence[StageReport], rules: Rules) -> list[StageReport]:
    """The stages, and an error for each that the file lists and that is not there or cannot have passed."""
    stages = [rejudged(stage) for stage in stages]
    if rules.source is None:
        return stages
    here = {stage.stage: stage for stage in stages}
    listed = list(rules.source.pipeline.stages)
    added = [StageReport(stage=name, verdict=Verdict.ERROR, reason=_lost(name, rules)) for name in listed if name not in here]
    held = [_held(stage, rules, listed) for stage in stages] + added
    return _policy(held, rules)


def _lost(name: str, rules: Rules) -> str:
    return f"its report says nothing of it, and {rules.name} lists it. Run it again."


def _policy(stages: list[StageReport], rules: Rules) -> list[StageReport]:
    """What the policy asks for and the file no longer mentions or reads otherwise, whatever a report says of that."""
    gone = unheld(rules.file) if rules.file else []
    if not gone:
        return stages
    reason = "; ".join(said for said, _ in gone)
    error = StageReport(stage=POLICY, verdict=Verdict.ERROR, reason=reason)
    stated = [stage for stage in stages if stage.stage == POLICY and stage.verdict is not Verdict.PASS]
    return stages if stated else [*(stage for stage in stages if stage.stage != POLICY), error]


def _held(stage: StageReport, rules: Rules, listed: Sequence[str]) -> StageReport:
    if stage.verdict is not Verdict.PASS or stage.stage not in listed:
        return stage
    why = f"this version of gatekeeper has no stage '{stage.stage}'" if stage.stage not in STAGES.names else ""
    if not why and rules.file and (lacks := getattr(STAGES.get(stage.stage), "lacks", None)):
        why = lacks(rules.file, stage)
    return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=why) if why else stage


def asked_for(pipeline: PipelineInfo, rules: Rules) -> PipelineInfo:
    """What is asked of the variants together, as the file asks it."""
    if rules.file is None:
        return pipeline
    asked, path = rules.file.section(STAGE).validation, (STAGE, "validation")
    more = {}
    if asked.cross_validation == "enabled" and not pipeline.cross_validation:
        more["cross_validation"] = rules.file.where(*path, "cross_validation")
    if asked.performance_comparison and not pipeline.performance_comparison:
        more["performance_comparison"] = rules.file.where(*path, "performance_comparison")
    return msgspec.structs.replace(pipeline, **more) if more else pipeline
