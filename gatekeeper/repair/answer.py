"""Why there is no repair, in one of three words, each with the numbers that it rests on.

*bounded*: even at the highest rate that any kernel of it reached here, the limit is not reached. *not_reached*: nothing that was
tried reached it, and so much would be needed. *not_tried*: what was left out, and why. None of them says that it cannot be done.

The rate that a speed limit needs is Amdahl's law turned round (G. Amdahl, AFIPS 1967): where a share q of the original's time can
be quantized and becomes r times as fast, the whole becomes 1 / (1 - q + q / r) times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from gatekeeper.gates._base import gate
from gatekeeper.records.repaired import Lost, No, Tried

SPEEDUP = "speedup"
CHEAPLY = "it was tried cheaply alone: neither time nor attempts were left to measure it fully"
ALIKE = 1.05
"""Within so much two rounds, and 64 examples, tell nothing apart."""


def cap(share: float) -> float:
    """Speedup if a share of the time took none at all; infinite where that is all of it."""
    return math.inf if share >= 1 else 1 / (1 - share)


def rate_needed(share: float, speedup: float) -> float | None:
    """How many times as fast a share must become for a speedup of the whole; None where no rate is enough."""
    left = 1 / speedup - (1 - share)
    return share / left if share > 0 and left > 0 else None


def rate_reached(share: float, speedup: float) -> float | None:
    """How many times as fast a share became, where the whole became so much faster; None: that is more than a share can do."""
    return rate_needed(share, speedup)


def at_rate(share: float, rate: float) -> float:
    """Speedup of the whole where a share becomes so many times as fast."""
    return 1 / (1 - share + share / rate)


def answers(failed: Sequence[Lost], tried: Sequence[Tried], share: float | None, fastest: float | None) -> list[No]:
    """What can be said of each gate that the file loses, and of what was not tried.

    `share` of the original's time can be quantized, None: nobody has looked; `fastest` is the highest rate that a kernel of it
    was seen to reach here.
    """
    found = [_gate(each, tried, share, fastest) for each in failed if each.limit is not None]
    return [*found, *_untried(tried)]


def beside(each: Tried, best: Tried) -> Tried:
    """A remedy that was not measured fully, with what is worse about it than about the one that passes, where that is known."""
    if each.step != "cheap" or each.lost or each.reason:
        return each
    said = []
    if each.kl is not None and best.kl is not None and each.kl > ALIKE * best.kl:
        said.append(f"these answers are further from the original's ({each.kl:.2g} to {best.kl:.2g})")
    if each.speedup is not None and best.speedup is not None and each.speedup * ALIKE < best.speedup:
        said.append(f"this is slower ({each.speedup:.2f}x to {best.speedup:.2f}x in two rounds)")
    return msgspec.structs.replace(each, reason=f"{best.remedy} is better: {', and '.join(said)}" if said else "")


def _gate(lost: Lost, tried: Sequence[Tried], share: float | None, fastest: float | None) -> No:
    best, remedy = _best(lost, tried)
    said = f"the best that was seen is {_number(best, lost.unit)}, by {remedy or 'the file as it stands'}"
    if remedy and best is not None and lost.limit is not None and _sign(lost) * (best - lost.limit) >= 0:
        others = [one.gate for each in tried if each.remedy == remedy for one in each.lost if one.gate != lost.gate]
        said = f"{remedy} alone reaches it ({_number(best, lost.unit)})"
        said += f", and loses {' and '.join(dict.fromkeys(others))}" if others else ", and does not show it"
    known = No(word="not_reached", gate=lost.gate, limit=lost.limit, reached=best, unit=lost.unit, reason=said)
    if lost.gate != SPEEDUP or share is None or lost.limit is None:
        return known
    most, rate = cap(share), rate_needed(share, lost.limit)
    if best is not None and best > most:  # seen, so that something else became faster as well: the share bounds nothing
        return known
    rates = [each for each in (fastest, rate_reached(share, best) if best else None) if each]
    seen = max(rates, default=None)
    bounded = rate is None or (fastest is not None and at_rate(share, fastest) < lost.limit)
    part = f"{share:.0%} of the original's time can be quantized, so that {_number(most, 'x')} is the most there can be"
    if rate is None:
        said = f"{part}, which is less than {_number(lost.limit, 'x')}"
    else:
        at = f", and {seen:.1f} times is the most that was seen" if seen else ""
        said = f"{said}; {part}. For {_number(lost.limit, 'x')} that part must be {rate:.1f} times as fast{at}"
    return No(
        word="bounded" if bounded else "not_reached", gate=lost.gate, limit=lost.limit, reached=best, unit=lost.unit, share=share,
        cap=None if math.isinf(most) else most, rate=rate, fastest=seen, reason=said,
    )  # fmt: skip


def _best(lost: Lost, tried: Sequence[Tried]) -> tuple[float | None, str]:
    """What was seen of a gate at its best, and by which remedy."""
    seen = [(lost.observed, "")] if lost.observed is not None else []
    for each in tried:
        own = next((one.observed for one in each.lost if one.gate == lost.gate and one.observed is not None), None)
        if own is None and each.step in ("cheap", "confirmed"):
            own = {SPEEDUP: each.speedup, "memory": None if each.memory is None else 1 - each.memory}.get(lost.gate)
        if own is not None:
            seen.append((own, each.remedy))
    return max(seen, key=lambda pair: _sign(lost) * pair[0], default=(None, ""))


def _sign(lost: Lost) -> int:
    """1 where more is better."""
    return 1 if gate(lost.gate).BOUND == "at_least" else -1


def _untried(tried: Sequence[Tried]) -> list[No]:
    """Of those that were not tried, one answer for each reason."""
    by_reason: dict[str, list[str]] = {}
    for each in tried:
        if each.step in ("waiting", "unsuited"):
            by_reason.setdefault(each.reason, []).append(each.remedy)
        elif each.step == "cheap" and not each.lost:
            by_reason.setdefault(CHEAPLY, []).append(each.remedy)
    return [No(word="not_tried", remedies=list(dict.fromkeys(names)), reason=reason) for reason, names in by_reason.items()]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "nothing"
    if math.isinf(value):
        return "any speedup"
    return f"{value:.1%}" if unit == "fraction" else f"{value:.2f}{unit if unit == 'x' else f' {unit}' if unit else ''}"
