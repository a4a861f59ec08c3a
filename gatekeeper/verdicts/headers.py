"""Whether reports may meet: of one model, pipeline file, policy, commit and data, and of the plan's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError
from gatekeeper.records.report import Report
from gatekeeper.verdicts.data import difference

if TYPE_CHECKING:
    from gatekeeper.planning.plan import Plan


def check_headers(reports: Sequence[Report], plan: Plan | None) -> None:
    """A `UsageError` for the first report that does not belong to the others, or a plan that is not theirs."""
    first = reports[0]
    asked = set(first.pipeline.legs)
    for other in reports[1:]:
        if problem := _difference(first, other):
            raise UsageError(problem)
        if plan is None and other.pipeline.legs != first.pipeline.legs and set(other.pipeline.legs) != asked:
            raise UsageError(
                "the results differ in which legs their pipeline file asks for, and come from one file. Run them again."
            )
    if plan is not None and plan.pipeline_sha256 != first.pipeline.sha256:
        raise UsageError("the plan was made from another pipeline file than the results. Make the plan from the same commit.")
    if plan is not None and plan.commit and plan.commit != first.commit:
        raise UsageError(
            f"the plan was made from another commit ({plan.commit[:12]}) than the results ({_commit(first)}). Plan theirs."
        )


def _difference(first: Report, other: Report) -> str:
    """What keeps two reports apart, in words; empty if nothing does."""
    one, two = first.pipeline, other.pipeline
    if two.sha256 != one.sha256:
        files = f"{one.sha256[:12]} and {two.sha256[:12]}"
        return f"the results come from different pipeline files ({files}). Run them from one commit."
    if other.model.sha256 != first.model.sha256:
        return "the results come from different models. Run every leg on the same model file."
    if other.commit != first.commit:
        return f"the results come from different commits ({_commit(first)} and {_commit(other)}). Run every leg on one commit."
    if two.on_inconclusive != one.on_inconclusive:
        return "the results differ in what an undecided gate does, and come from one file. Run every leg again."
    if two.policy_sha256 != one.policy_sha256:
        return f"the results were judged by different policies ({_policy(first)} and {_policy(other)}). Run every leg with one."
    return difference(first, other)


def _commit(report: Report) -> str:
    return report.commit[:12] or "none is stated; set GITHUB_SHA"


def _policy(report: Report) -> str:
    return report.pipeline.policy or "the file's own limits"
