"""The layers that answers suffer most from stay in floating point: as few as are enough."""

from __future__ import annotations

from gatekeeper.records.repaired import Tried
from gatekeeper.repair.edits import Change
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Proposals, Unsuited, known

DESCRIPTION = "Leave the most sensitive layers in floating point, found by bisection of their ranking (`gatekeeper explain`)."
CAUSE = "A few layers lose most of the accuracy. What stays in floating point is as slow as before, and so is what is around it."
FAILURES, COST = ("accuracy",), 2


def propose(failing: Failing) -> Proposals:
    """1, 2, 4 ... of them until answers hold, then halves between the last two numbers."""
    excluded = list(known(failing, "exclude"))
    ranked = [name for name in failing.sensitive() if name not in excluded]
    if len(ranked) < 2:
        raise Unsuited("there is no more than one layer to leave out, and then nothing is quantized")
    low, high, count = 0, 0, 1
    while count < len(ranked):
        if _holds((yield _without(excluded, ranked[:count]))):
            high = count
            break
        low, count = count, count * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _holds((yield _without(excluded, ranked[:middle]))):
            high = middle
        else:
            low = middle


def _without(excluded: list[str], names: list[str]) -> Change:
    return Change(options={"exclude": [*excluded, *names]})


def _holds(tried: Tried | None) -> bool:
    """Whether answers to calibration examples hold the limit."""
    return tried is not None and tried.step == "cheap" and not any(each.gate == "accuracy" for each in tried.lost)
