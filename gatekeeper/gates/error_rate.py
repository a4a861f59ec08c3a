"""Under the declared load, few requests fail or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, Told
from gatekeeper.gates._load import counted, more, said, share_interval, unserved, verdict
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.tail import judge_tail

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "At most this share of requests under load fails, times out or is refused."
UNIT = "fraction"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["load"] = "load"
TESTED_BY = "load_tests"
JUDGES = ("server",)
limit_key = "max"

ROUNDING = 1e-9


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the error rate gate."""

    max: Annotated[float, Meta(gt=0, lt=1, description="Largest share of requests that are not answered well.")] = 0.01


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the share of requests that are not answered is shown to be at most `max`, bursts respected."""
    if nothing := unserved(evidence):
        return nothing
    assert evidence.load.server is not None
    tail = judge_tail(~evidence.load.server.ok, evidence.alpha, allowed=config.max)
    share, decided = share_interval(tail, evidence.alpha), verdict(tail)
    if tail.share == 1:
        decided = Verdict.FAIL  # one long burst is one observation, and says nothing; a server that answers nothing says it all
    reason = f"{tail.share:.2%} of {said(evidence.load.server, evidence.load.target_qps)} not answered, allowed {config.max:.2%}"
    return Decision(
        verdict=decided, reason=reason + (more(tail) if decided is Verdict.INCONCLUSIVE else ""),
        observed=share.observed, lower=share.lower, upper=share.upper, details={"tau": tail.tau, "needed": tail.needed},
    )  # fmt: skip


def again(config: Config, told: Told) -> Verdict:
    """What the report's counts of requests decide."""
    tail = counted(told, None, config.max)
    if tail is None or told.gate.observed is None or abs(told.gate.observed - tail.share) > ROUNDING:
        return Verdict.ERROR
    return Verdict.FAIL if tail.share == 1 else verdict(tail)
