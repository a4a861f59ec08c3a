"""What a rollout is judged by, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record

Share = Annotated[float, Meta(gt=0, lt=1)]


class Decision(StrEnum):
    """What to do with a new model: `hold` is to leave its traffic as it is, for lack of evidence either way."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"


class RolloutLimits(Record, frozen=True, kw_only=True):
    """Limits that are fixed before the first request. None: it is not judged."""

    error_rate: Annotated[Share, Meta(description="Share of requests by which green may fail more often than blue.")] = 0.01
    slow_rate: Annotated[Share, Meta(description="Share of answers by which green may be slow more often than blue.")] = 0.01
    slow_ms: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="An answer that takes longer is slow; None: that is not known.")
    ] = None
    disagreement: Annotated[
        Share | None, Meta(description="Share of inputs that green may answer otherwise than blue does at the same time.")
    ] = 0.05
    accuracy_loss: Annotated[
        Share, Meta(description="Share of labelled inputs by which green may be wrong more often than blue.")
    ] = 0.05
    memory_growth: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="By how much of what it began with green's memory may grow, blue's own growth aside."),
    ] = None
    burst_s: Annotated[
        float,
        Meta(ge=0, description="Stretches of so many seconds count as one observation each: failures nearer together are one."),
    ] = 1.0
    least_requests: Annotated[int, Meta(ge=1, description="Of each colour in a step before it is passed.")] = 50
    least_to_roll_back: Annotated[int, Meta(ge=1, description="Of green in a step before its rates roll it back.")] = 10
    blue_fails: Annotated[Share, Meta(description="Where blue itself fails in this share, it is nothing to compare with.")] = 0.2
    alpha: Annotated[
        Annotated[float, Meta(gt=0, le=0.2)],
        Meta(description="How often a promotion, and (without bursts) how often a rollback, may be wrong."),
    ] = 0.04
    """At the exact limit a bet wins with all of that probability; the promise is 5 %."""


class Seen(Record, frozen=True, kw_only=True, array_like=True):
    """Requests of one colour in a stretch of time. `errors` have no good answer; `slow` are late, or have none."""

    requests: Count = 0
    errors: Count = 0
    slow: Count = 0


class Asked(Record, frozen=True, kw_only=True, array_like=True):
    """Inputs that both colours were asked at the same time. Of `labelled` ones one colour alone was wrong in so many."""

    pairs: Count = 0
    differ: Count = 0
    labelled: Count = 0
    green_wrong: Count = 0
    blue_wrong: Count = 0


class Window(Record, frozen=True, kw_only=True, array_like=True):
    """What was seen between two looks; in a report, which has hundreds, a list of these values.

    `problem` says why the numbers mean nothing, where they do not.
    """

    step: Count
    seconds: Annotated[Amount, Meta(description="From the beginning of the rollout to its end.")]
    green: Seen = Seen()
    blue: Seen = Seen()
    asked: Asked = Asked()
    green_up: bool = True
    blue_up: bool = True
    green_bytes: Annotated[Count | None, Meta(description="Memory that is held; None: it could not be read.")] = None
    blue_bytes: Count | None = None
    problem: str = ""


class Ruling(Record, frozen=True, kw_only=True):
    """What is decided, on which metric and why."""

    decision: Decision
    metric: str = ""
    reason: str = ""


class Scenario(Record, frozen=True, kw_only=True):
    """One ramp of a rehearsal, and everything its ruling follows from."""

    name: Annotated[str, Meta(description="The fault, or `healthy`.")]
    must: Annotated[list[Decision], Meta(description="The rulings that are right.")]
    ruling: Ruling
    windows: list[Window] = []
    arrived: Annotated[Count | None, Meta(description="How often the fault arrived, by its injector; None: no fault.")] = None
    requests: Annotated[Count, Meta(description="That the load generator sent.")] = 0
    lost: Annotated[Count, Meta(description="Of them, those without a good answer.")] = 0
    lost_later: Annotated[Count, Meta(description="Of the lost, those that were sent after the fault.")] = 0
    loses: Annotated[str, Meta(description="`nothing`, `in_flight`, or empty where losses are the fault itself.")] = ""
    seconds: Amount = 0.0


class Rehearsal(Record, frozen=True, kw_only=True):
    """All ramps of one variant beside its baseline."""

    variant: Annotated[str, Meta(description="The variant that was green.")]
    artifact: Annotated[str, Meta(description="SHA-256 of its file.")] = ""
    blue: Annotated[
        str, Meta(description="SHA-256 of `deployment.current`, if that was blue; empty: the original model was.")
    ] = ""
    strategy: str
    steps: Annotated[list[Count], Meta(description="Green's shares of the traffic in percent.")]
    limits: RolloutLimits
    rate_qps: Amount
    scenarios: list[Scenario]
    least_s: Annotated[Amount, Meta(description="The least time that the evidence of the healthy ramp takes at this rate.")] = 0.0
    seconds: Amount = 0.0


class Live(Record, frozen=True, kw_only=True):
    """A rollout among users, and everything its ruling follows from."""

    host: str
    artifact: Annotated[str, Meta(description="SHA-256 of the file that went live.")]
    already: Annotated[bool, Meta(description="Whether it served there before, so that nothing was done.")] = False
    steps: Annotated[list[Count], Meta(description="Green's shares of the traffic in percent.")] = []
    limits: RolloutLimits | None = None
    windows: list[Window] = []
    ruling: Ruling


class Production(Record, frozen=True, kw_only=True):
    """What `production_deployment` did for one variant. It never says more than was done."""

    variant: str
    outcome: Annotated[
        Literal["rehearsed", "deployed"],
        Meta(
            description="`rehearsed`: the rollout was carried out on the machine of the run, and nothing was deployed. "
            "`deployed`: among the users of the host that `deployment.hosts` names."
        ),
    ]
    strategy: str
    ramping: Literal["gradual", "immediate"]
    rollback: Literal["automatic", "manual"]
    rehearsal: Annotated[
        Rehearsal | None,
        Meta(description="Its healthy ramp; None: it is the one that `staging_deployment` of the same run rehearsed."),
    ] = None
    live: Annotated[Live | None, Meta(description="What became of it among users; None where it was rehearsed.")] = None
    why: Annotated[str, Meta(description="Why it was rehearsed although a host is named.")] = ""
