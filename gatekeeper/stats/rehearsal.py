"""What a rehearsal shows, from its own record: whether every ramp ended as it must, and what was lost on the way.

It holds no ruling true that its own windows do not give: a report that was edited, or a leg that lies, is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from gatekeeper.records.base import Verdict
from gatekeeper.records.rollout import Decision, Rehearsal, RolloutLimits, Scenario, Window
from gatekeeper.stats.rollout import judged

HEALTHY = "healthy"
LIMITS = RolloutLimits(error_rate=0.02, slow_rate=0.02, disagreement=0.05, memory_growth=0.25, burst_s=0.1)
"""Of a rehearsal: it shows that faults are found, on as many requests as a CI job has time for."""

MOST_DIFFER = 0.9
"""The largest share of answers that may differ from blue's: the texts of a quantized model often do in most."""

NOTHING_LOST, ONLY_IN_FLIGHT = "nothing", "in_flight"
LOSES = {HEALTHY: NOTHING_LOST, "sigterm": NOTHING_LOST, "sigkill": ONLY_IN_FLIGHT}
"""What must not be lost, whatever a record says."""

NOT_PROMOTED = (Decision.ROLLBACK, Decision.HOLD)
MUST = {HEALTHY: (Decision.PROMOTE,), "no_traffic": (Decision.HOLD,)}
"""The right rulings, whatever a record says; of any other fault those that are no promotion."""

GREEN_FIRST = 20
"""Requests that green must have had before a fault: it comes to one that was well."""

GROWN_BYTES = 2 << 20
"""How much more memory a leak is seen by at least."""

SLOWEST_MS = 10_000.0
"""When an answer is no longer waited for; a limit above it would find nothing slow."""

SMALLEST = (25, 50)
"""The smallest share of a rehearsed step, in percent: at 1 % the evidence of one step takes as long as all faults together. Where
models are so slow that the healthy ramp would take too long, it is the second.
"""

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


def rehearsed_steps(steps: Sequence[int], smallest: int) -> tuple[int, ...]:
    """The steps of a strategy, of which the smallest are one."""
    return tuple(dict.fromkeys(share and max(share, smallest) for share in steps))


def _problems(rehearsal: Rehearsal, expected: Collection[str]) -> Iterator[Said]:
    names = [scenario.name for scenario in rehearsal.scenarios]
    if lost := sorted({*expected, HEALTHY} - set(names)):
        yield Verdict.ERROR, f"rollout: its record says nothing of {', '.join(lost)}"
    if len(set(names)) != len(names):
        yield Verdict.ERROR, "rollout: its record has a scenario twice"
    if why := looser(rehearsal.limits):
        yield Verdict.ERROR, f"rollout: its record says {why}"
    if not rehearsal.steps or any(step >= 100 for step in rehearsal.steps):
        yield Verdict.ERROR, "rollout: its record has no steps that leave blue a part"
        return
    if unknown := sorted(set(names) - {*expected, HEALTHY}):
        yield Verdict.ERROR, f"rollout: its record has {', '.join(unknown)}, and there is no such fault"
    for scenario in rehearsal.scenarios:
        yield from _rollout(scenario, rehearsal)
        yield from _sums(scenario, rehearsal)
        yield from _losses(scenario)


def looser(limits: RolloutLimits) -> str:
    """Which limit no rehearsal has, in words."""
    if limits.slow_ms is None or not limits.slow_ms < SLOWEST_MS:
        return f"that an answer is slow from {limits.slow_ms} ms on, and none is waited for longer than {SLOWEST_MS:g}"
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
    must = MUST.get(name, NOT_PROMOTED)
    if set(scenario.must) != set(must):
        yield (
            Verdict.ERROR,
            f"rollout: {name} says that it may end in {', '.join(scenario.must)}: {', '.join(must)} would be right",
        )
    if not scenario.arrived or (decision is not Decision.PROMOTE and not _shown(scenario)):
        yield Verdict.ERROR, f"rollout: the fault {name} did not arrive, so that nothing is known of it"
    elif decision is Decision.PROMOTE or decision not in must:
        yield Verdict.FAIL, f"rollout: {name} ended in {decision} ({why}{scenario.ruling.reason})"


def _shown(scenario: Scenario) -> bool:
    """Whether its windows have the fault too, after requests that were well: who injects it may count what never came."""
    windows, had = scenario.windows, 0
    for first, window in enumerate(windows):
        had += window.green.requests
        if had >= GREEN_FIRST:
            shows = _SHOWS.get(scenario.name)
            return shows is None or shows(windows[first:])
    return False


def _leaks(windows: Sequence[Window]) -> bool:
    held = [window.green_bytes for window in windows if window.green_bytes]
    return bool(held) and max(held) - held[0] >= GROWN_BYTES


def _down(windows: Sequence[Window]) -> bool:
    return any(not window.green_up for window in windows)


_SHOWS: dict[str, Callable[[Sequence[Window]], bool]] = {
    "errors": lambda windows: any(window.green.errors for window in windows),
    "slowness": lambda windows: any(window.green.slow > window.green.errors for window in windows),
    "wrong_answers": lambda windows: any(window.asked.differ for window in windows),
    "leak": _leaks,
    "no_traffic": lambda windows: not windows[-1].green.requests and not windows[-1].blue.requests,
    "sigterm": _down,
    "sigkill": _down,
}
"""How each fault is seen in the windows from when green had its first requests; a test holds its names to those of the faults."""


def _sums(scenario: Scenario, rehearsal: Rehearsal) -> Iterator[Said]:
    """What was seen at the proxy and what was sent: one cannot be more than the other. Without a share for green, questions that
    both are asked are among the requests, and were not sent by the load generator.
    """
    of_users = [window for window in scenario.windows if window.step < len(rehearsal.steps) and rehearsal.steps[window.step]]
    seen = sum(window.green.requests + window.blue.requests for window in of_users)
    failed = sum(window.green.errors + window.blue.errors for window in of_users)
    if seen > scenario.requests:
        yield Verdict.ERROR, f"rollout: {scenario.name} had {scenario.requests} requests, and {seen} were seen"
    if failed > scenario.lost:
        yield Verdict.ERROR, f"lost_requests: {scenario.name} lost {scenario.lost} requests, and {failed} were seen to fail"


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
