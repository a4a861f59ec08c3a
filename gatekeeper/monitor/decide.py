"""What a look says: every question it asked, answered under one budget of error for all looks and all questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.errors import ExitCode
from gatekeeper.monitor.drift._base import Question
from gatekeeper.records.base import Count, Record
from gatekeeper.stats.drift import holm, spending
from gatekeeper.stats.looks import PROMISE

Status = Literal["fires", "fine", "undecided", "unread"]
WATCH_SCHEMA: Literal["gatekeeper/watch/v1"] = "gatekeeper/watch/v1"


class Finding(Record, frozen=True, kw_only=True):
    """One question and its answer. `undecided`: too little was seen to say that all is well."""

    name: str
    test: str
    alert: str
    status: Status
    observed: float | None
    limit: float | None
    unit: str
    p_value: float | None
    n: Count
    needs: Count
    why: str = ""
    over: Annotated[float | None, Meta(description="Share of what was counted that is over the limit.")] = None
    allowed: Annotated[float | None, Meta(description="Share that may be.")] = None


class Seen(Record, frozen=True, kw_only=True):
    """A signal's value."""

    name: str
    value: float | None
    unit: str
    n: Count
    why: str = ""
    more: dict[str, float] = {}


class Look(Record, frozen=True, kw_only=True):
    """Everything that one look says."""

    schema: Literal["gatekeeper/watch/v1"]
    time: Annotated[str, Meta(description="UTC, ISO 8601.")]
    look: Annotated[Count, Meta(description="Which one it is, from 1: it may spend 6/(pi^2 k^2) of the error of all.")]
    spends: float
    window: Annotated[tuple[float, float], Meta(description="Seconds since 1970.")]
    verdict: Status
    signals: list[Seen]
    findings: list[Finding]
    unread: list[str]
    notes: list[str]

    @property
    def exit_code(self) -> ExitCode:
        """For the shell."""
        return {
            "fires": ExitCode.FAILED,
            "unread": ExitCode.NOT_MEASURED,
            "undecided": ExitCode.INCONCLUSIVE,
            "fine": ExitCode.PASS,
        }[self.verdict]


def decided(questions: Sequence[Question], look: int, alpha: float = PROMISE) -> list[Finding]:
    """Holm over all questions of the look at what it may spend: identical data raises anything in at most `alpha` of all
    series of looks, however long they are and whatever they share.
    """
    tested = [each for each in questions if each.p_value is not None]
    rejected = dict(zip(map(id, tested), holm([each.p_value or 0.0 for each in tested], spending(look, alpha)), strict=True))
    return [_answered(each, rejected.get(id(each), True)) for each in questions]


def _answered(asked: Question, unlikely: bool) -> Finding:
    status: Status = "fine"
    if asked.unread is not None:
        status = "unread"
    elif asked.matters and unlikely:
        status = "fires"
    elif asked.n < asked.needs:
        status = "undecided"
    return Finding(
        name=asked.name,
        test=asked.test,
        alert=asked.alert,
        status=status,
        observed=asked.observed,
        limit=asked.limit,
        unit=asked.unit,
        p_value=asked.p_value,
        n=asked.n,
        needs=asked.needs,
        why=str(asked.unread) if asked.unread else "",
        over=asked.over,
        allowed=asked.allowed,
    )


def verdict(findings: Sequence[Finding], unread: Sequence[str]) -> Status:
    """What fires comes first; what could not be read is never fine; to have asked nothing is no evidence."""
    found = {each.status for each in findings} | ({"unread"} if unread else set())
    for status in ("fires", "unread", "undecided"):
        if status in found:
            return status
    return "fine" if findings else "undecided"
