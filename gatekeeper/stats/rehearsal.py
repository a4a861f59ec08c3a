"""What a rehearsal shows, from its own record: whether every ramp ended as it must, and what was lost on the way.

It holds no ruling true that its own windows do not give: a report that was edited, or a leg that lies, is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gatekeeper.records.base import Verdict
from gatekeeper.records.rollout import Decision, Rehearsal, RolloutLimits, Scenario
from gatekeeper.stats.rollout import judged

HEALTHY = "healthy"
LIMITS = RolloutLimits(error_rate=0.02, slow_rate=0.02, disagreement=0.05, memory_growth=0.25, burst_s=0.1)
"""Of a rehearsal: it shows that faults are found, on as many requests as a CI job has time for."""

MOST_DIFFER = 0.9
"""The largest share of answers that may differ from blue's: the texts of a quantized model often do in most."""

NOTHING_LOST, ONLY_IN_FLIGHT = "nothing", "in_flight"
LOSES = {HEALTHY: NOTHING_LOST, "sigterm": NOTHING_LOST, "sigkill": ONLY_IN_FLIGHT}
"""What must not be lost, whatever a record says."""

_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
Said = tuple[Verdict, str]


def judge_rehearsal(rehearsal: Rehearsal, expected: Collection[str]) -> Said:
    """PASS if every ramp of `expected` and the healthy one is there, ended as it must, and lost nothing; else what is wrong."""
    found = list(_problems(rehearsal, expected))
    for verdict in _WORST:
        if said := [why for each, why in found if each is verdict]:
            return verdict, "; ".join(said)
    sent = sum(scenario.requests for scenario in rehearsal.scenarios)
    faults = len(rehearsal.scenarios) - 1
    return Verdict.PASS, f"rollout: healthy promoted, {faults} faults arrived and none was promoted; {sent:,} requests"


def _problems(rehearsal: Rehearsal, expected: Collection[str]) -> Iterator[Said]:
    names = [scenario.name for scenario in rehearsal.scenarios]
    if lost := sorted({*expected, HEALTHY} - set(names)):
        yield Verdict.ERROR, f"rollout: its record says nothing of {', '.join(lost)}"
    if len(set(names)) != len(names):
        yield Verdict.ERROR, "rollout: its record has a scenario twice"
    if why := _looser(rehearsal.limits):
        yield Verdict.ERROR, f"rollout: its record says {why}"
    if not rehearsal.steps or any(step >= 100 for step in rehearsal.steps):
        yield Verdict.ERROR, "rollout: its record has no steps that leave blue a part"
        return
    for scenario in rehearsal.scenarios:
        yield from _rollout(scenario, rehearsal)
        yield from _losses(scenario)


def _looser(limits: RolloutLimits) -> str:
    """Which limit no rehearsal has, in words."""
    if limits.slow_ms is None:
        return "not from when on an answer is slow"
    for name in ("error_rate", "slow_rate", "accuracy_loss", "memory_growth", "alpha", "blue_fails"):
        own, most = getattr(limits, name), getattr(LIMITS, name)
        if own is None or not own <= most:
            return f"that {name} may be {own}, and no rehearsal has more than {most}"
    if limits.disagreement is None or not limits.disagreement <= MOST_DIFFER:
        return f"that {limits.disagreement} of the answers may differ, and no rehearsal has more than {MOST_DIFFER}"
    least = min(limits.least_requests - LIMITS.least_requests, limits.least_to_roll_back - LIMITS.least_to_roll_back)
    if limits.burst_s < LIMITS.burst_s:
        return f"that failures {limits.burst_s} s apart are not one, and no rehearsal has less than {LIMITS.burst_s}"
    return "a least number of requests that no rehearsal has" if least < 0 else ""


def _rollout(scenario: Scenario, rehearsal: Rehearsal) -> Iterator[Said]:
    name, decision = scenario.name, scenario.ruling.decision
    again = judged(rehearsal.limits, len(rehearsal.steps), scenario.windows).decision
    if again is not decision:
        yield Verdict.ERROR, f"rollout: {name} says {decision}, and what was seen of it says {again}"
        return
    why = f"{scenario.ruling.metric}: " if scenario.ruling.metric else ""
    if name == HEALTHY:
        if decision is Decision.HOLD:
            yield Verdict.INCONCLUSIVE, f"rollout: the healthy ramp was not promoted in time ({why}{scenario.ruling.reason})"
        elif decision is Decision.ROLLBACK:
            yield Verdict.FAIL, f"rollout: the healthy ramp was rolled back ({why}{scenario.ruling.reason})"
        return
    if not scenario.arrived:
        yield Verdict.ERROR, f"rollout: the fault {name} did not arrive, so that nothing is known of it"
    elif decision is Decision.PROMOTE or decision not in scenario.must:
        yield Verdict.FAIL, f"rollout: {name} ended in {decision} ({why}{scenario.ruling.reason})"


def _losses(scenario: Scenario) -> Iterator[Said]:
    loses = LOSES.get(scenario.name, scenario.loses)
    if not loses:
        return
    lost = scenario.lost if loses == NOTHING_LOST else scenario.lost_later
    if not scenario.requests:
        yield Verdict.ERROR, f"lost_requests: {scenario.name} had no requests"
    elif scenario.lost > scenario.requests or scenario.lost_later > scenario.lost:
        yield Verdict.ERROR, f"lost_requests: {scenario.name} lost more than it had"
    elif lost:
        beyond = "" if loses == NOTHING_LOST else " that were sent after it"
        yield Verdict.FAIL, f"lost_requests: {scenario.name} lost {lost} of {scenario.requests} requests{beyond}"
