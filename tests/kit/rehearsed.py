"""The record of a rehearsal, made up window by window as an honest one is."""

from __future__ import annotations

from functools import cache

import msgspec

from gatekeeper.deploy.faults._base import fault, in_order
from gatekeeper.records.rollout import Asked, Decision, Rehearsal, Scenario, Seen, Window
from gatekeeper.stats.rehearsal import HEALTHY, LIMITS, LOSES
from gatekeeper.stats.rollout import NOTHING, Judge

OWN = msgspec.structs.replace(LIMITS, slow_ms=100.0)
STEPS = [25, 50, 90]
MEGABYTE = 1 << 20


def _window(step: int, name: str, seconds: float) -> Window:
    """What each fault looks like."""
    if seconds < 0.15:
        name = HEALTHY  # it comes to one that was well
    bad, late, differ = (3 * (name == "errors"), 9 * (name == "slowness"), 5 * (name == "wrong_answers"))
    none = name == "no_traffic"
    return Window(
        step=step,
        seconds=seconds,
        green=Seen() if none else Seen(requests=30, errors=bad, slow=max(bad, late)),
        blue=Seen() if none else Seen(requests=30),
        asked=Asked(pairs=10, differ=differ),
        green_up=name not in ("sigterm", "sigkill"),
        green_bytes=(150 if name == "leak" else 100) * MEGABYTE,
        blue_bytes=100 * MEGABYTE,
    )


@cache
def scenario(name: str) -> Scenario:
    """One that ended as it must."""
    judge, windows, ruling = Judge(OWN, len(STEPS)), [], NOTHING
    while (
        not judge.over
        and len(windows) < (700 if name == HEALTHY else 60)
        and (name == HEALTHY or ruling.decision is not Decision.ROLLBACK)
    ):
        windows.append(_window(judge.step, name, round(0.1 * (len(windows) + 1), 3)))
        ruling = judge.see(windows[-1])
    healthy = name == HEALTHY
    return Scenario(
        name=name,
        must=[Decision.PROMOTE] if healthy else list(fault(name).MUST),
        ruling=ruling,
        windows=windows,
        arrived=None if healthy else 5,
        requests=sum(each.green.requests + each.blue.requests for each in windows) + 50,
        lost=sum(each.green.errors + each.blue.errors for each in windows),
        loses=LOSES.get(name, ""),
    )


def rehearsal(variant: str = "edge/onnx_runtime/int8", artifact: str = "a" * 64) -> Rehearsal:
    """All scenarios there are."""
    scenarios = [scenario(name) for name in (*in_order(), HEALTHY)]
    return Rehearsal(
        variant=variant, artifact=artifact, strategy="blue_green", steps=STEPS, limits=OWN, rate_qps=100.0, scenarios=scenarios
    )
