"""What gates on rounds share: rounds that cannot be judged, and what an undecided gate would have needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatekeeper.gates._base import Columns, unmeasured
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.stats.looks import LOOKS, MAX_ROUNDS
from gatekeeper.stats.power import rounds_to_decide
from gatekeeper.stats.rounds import log_ratios, mean_and_spread
from gatekeeper.units import format_duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.evidence import Effort, Evidence
    from gatekeeper.records.measured import RoundData

ROUNDING = 1e-9  # logarithms of equal ratios differ by less
SPARE = 1.25  # a budget is suggested with this much room


def unusable(evidence: Evidence) -> Decision | None:
    """A decision where times mean nothing on this device, or too few were read; None if they can be judged."""
    if evidence.untimed:
        return Decision(verdict=Verdict.SKIP, reason=evidence.untimed)
    return too_few(evidence)


def too_few(evidence: Evidence) -> Decision | None:
    """No round is an error, one round bounds nothing; None if there are more."""
    count = len(evidence.variant)
    if count == 0:
        return unmeasured("no round was measured")
    if count > 1:
        return None
    effort = evidence.effort
    looks = min(LOOKS[0], effort.max_rounds)
    return Decision(
        verdict=Verdict.INCONCLUSIVE,
        reason=f"one round bounds nothing: the budget of {format_duration(effort.budget_s)} ended after it (a round takes "
        f"{format_duration(effort.round_s)}); set `measure.budget` to at least {_budget(looks, effort)}",
        details={"rounds": 1, "needs": _needs(looks, effort)},
    )


def alike(*arms: Sequence[RoundData]) -> bool:
    """Whether inputs differ in size, and latencies that are brought to one size are known of these arms."""
    return all(arms) and all(r.alike_p10_ns and r.alike_median_ns and r.alike_p95_ns for arm in arms for r in arm)


def alikes(*arms: Columns) -> NDArray[np.bool_]:
    """`alike` of n variants, of shape [n]."""
    import numpy as np

    known = [(arm[name] > 0).all(axis=-1) for arm in arms for name in ("alike_p10_ns", "alike_median_ns", "alike_p95_ns")]
    return np.logical_and.reduce(known)  # type: ignore[no-any-return]


def in_turns(*arms: Sequence[RoundData]) -> bool:
    """Whether medians of single blocks are known of these arms; earlier versions had none."""
    return all(arms) and all(r.turn_median_ns for arm in arms for r in arm)


def clock_error(arm: Sequence[RoundData]) -> float:
    """How far an arm's latencies may be from the truth, in nanoseconds: half a tick of the clock.

    Steps between latencies are whole ticks, so the smallest step of all rounds is the nearest to one.
    """
    return min((r.tick_ns for r in arm), default=0) / 2


def clock_errors(arm: Columns) -> NDArray[np.float64]:
    """`clock_error` of each of n arms, of shape [n]."""
    return arm["tick_ns"].min(axis=-1) / 2  # type: ignore[no-any-return]


def clocks_too_coarse(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where rounds of [n, rounds] tie."""
    import numpy as np

    with np.errstate(all="ignore"):
        logs = np.log(numerators) - np.log(denominators)
    return logs.max(axis=-1) - logs.min(axis=-1) <= ROUNDING  # type: ignore[no-any-return]


def clock_too_coarse(numerators: Sequence[float], denominators: Sequence[float]) -> Decision | None:
    """An error where times of different processes tie: the clock, not the model, was then measured."""
    logs = log_ratios(numerators, denominators)
    if logs is None or len(logs) < 2 or max(logs) - min(logs) > ROUNDING:
        return None
    return unmeasured(
        f"the clock is too coarse: all {len(logs)} rounds read exactly the same; raise `measure.batch_size` or use a machine "
        "with a finer clock"
    )


def would_decide(
    numerators: Sequence[float], denominators: Sequence[float], limit: float, evidence: Evidence
) -> tuple[str, dict[str, Any]]:
    """In words and in numbers: how many rounds would decide a ratio against `limit`, if it is what it seems to be."""
    logs = log_ratios(numerators, denominators)
    if logs is None or len(logs) < 2:
        return "", {}
    mean, spread = mean_and_spread(logs)
    effect = abs(mean - math.log(limit))
    effort = evidence.effort
    needed = rounds_to_decide(spread, effect, effort.attempt)
    noise = f"at this noise ({math.expm1(spread):.1%} a round)"
    if effort.attempt > 1:
        noise += f" and with what attempt {effort.attempt} has left of the error budget"
    remedy = "use a quieter runner" + (" or fewer `threads`" if effort.threads > 1 else "")
    if needed is None:
        return f"{noise} more than {MAX_ROUNDS} rounds would be needed: {remedy}", {
            "noise": spread,
            "needs": _needs(None, effort),
        }
    needed = max(needed, len(logs) + 1)
    details = {"noise": spread, "needs": _needs(needed, effort)}
    about = f"{noise} about {needed} rounds ({format_duration(needed * effort.round_s)}) would"
    if keys := _measure(needed, effort):
        return f"{about}: set `measure: {{{keys}}}`, or {remedy}", details
    return f"{about}; it was measured no further, because another gate had decided", details


def _measure(rounds: int, effort: Effort) -> str:
    """The keys to change so that so many rounds fit."""
    keys = [f"max_rounds: {rounds}"] if rounds > effort.max_rounds else []
    if SPARE * rounds * effort.round_s > effort.budget_s:
        keys.append(f"budget: {_budget(rounds, effort)}")
    return ", ".join(keys)


def _budget(rounds: int, effort: Effort) -> str:
    return format_duration(SPARE * rounds * effort.round_s)


def _needs(rounds: int | None, effort: Effort) -> dict[str, float | None]:
    return {"rounds": rounds, "seconds": None if rounds is None else round(rounds * effort.round_s, 1)}
