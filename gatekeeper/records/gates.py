"""What a gate concludes, and how that stands in a report."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.records.base import Record, Verdict
from gatekeeper.records.measured import Control


class Decision(Record, frozen=True, kw_only=True):
    """What a gate concludes from its evidence, before it is tied to a file and a policy."""

    verdict: Verdict
    reason: str
    brief: str = ""  # the reason in few words, where it has many
    applies: bool = True  # False where the model has nothing that the gate could judge: it is skipped, and does not block
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None  # where the limit itself was measured, e.g. the baseline's p99
    measured_limit: bool = False
    name: str | None = None  # when the gate judged something weaker than its name says, e.g. agreement
    settled: bool = False  # more rounds would not change an inconclusive verdict
    control: Control | None = None
    details: dict[str, Any] = {}


class Waiver(Record, frozen=True, kw_only=True):
    """A gate's failure that is tolerated for a while, down (or up) to a ceiling, by a named owner."""

    ceiling: Annotated[float, Meta(description="The bound must still clear this value, in the gate's unit.")]
    reason: str
    owner: str
    expires: Annotated[str, Meta(description="Last day it holds, ISO 8601, UTC.")]
    issue: Annotated[str, Meta(description="Where the repair is tracked; empty if nowhere.")] = ""
    where: Annotated[str, Meta(description="file:line of the waiver.")] = ""


class Before(Record, frozen=True, kw_only=True):
    """The same gate on the same variant in the report of the base branch."""

    verdict: Verdict
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None


class GateResult(Record, frozen=True, kw_only=True):
    """One gate on one variant."""

    gate: Annotated[str, Meta(description="Name of the gate, e.g. speedup.")]
    verdict: Verdict
    observed: Annotated[float | None, Meta(description="Point estimate, in `unit`.")] = None
    lower: Annotated[float | None, Meta(description="Lower confidence bound.")] = None
    upper: Annotated[float | None, Meta(description="Upper confidence bound.")] = None
    limit: Annotated[float | None, Meta(description="The limit the bound is held against.")] = None
    bound: Annotated[Literal["at_least", "at_most"], Meta(description="Which side of the limit passes.")] = "at_least"
    unit: str = ""
    reason: str = ""
    where: Annotated[str, Meta(description="file:line of the limit.")] = ""
    blocking: Annotated[bool, Meta(description="False when `on_fail: warn` or the gate is disabled.")] = True
    details: Annotated[dict[str, Any], Meta(description="What more the gate knows; free form.")] = {}
    waiver: Annotated[Waiver | None, Meta(description="What keeps a failure from blocking.")] = None
    before: Annotated[Before | None, Meta(description="What the base branch's report says of it.")] = None
    brief: Annotated[str, Meta(description="The reason in few words; empty where it has few.")] = ""
    settled: Annotated[bool, Meta(description="Whether more rounds would not change an inconclusive verdict.")] = False
    measured_limit: Annotated[
        bool,
        Meta(description="Whether the limit was measured too, as the baseline's p99 is: it then differs in every run."),
    ] = False
    control: Annotated[
        Control | None, Meta(description="Two copies of the baseline, where a bound is only as good as they are alike.")
    ] = None
    expired: Annotated[Waiver | None, Meta(description="A waiver that kept a failure from blocking until it expired.")] = None
