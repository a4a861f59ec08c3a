"""Inputs that take different times: what a round says of the short and of the long ones, and of latencies brought to one size.

Every round times the same inputs equally often, so that latencies fall into rows of one pass each. What an input takes beside the
others is known from other rounds: what a round itself is noisy by must not hide in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.ids import BASELINE
from gatekeeper.measure.rounds import CONTROL, Round
from gatekeeper.records.measured import RoundData

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DIFFER = 1.1
"""Long inputs that take so many times as long as short ones are another size, not noise."""


def with_sizes(rounds: Sequence[Round]) -> list[Round]:
    """The same rounds, with what each arm took for short and long inputs where there are such.

    The control says which inputs are long, and the baseline has to agree: one of them alone would take its own noise for size.
    """
    passes = {name: _passes(name, rounds) for name in dict.fromkeys(name for each in rounds for name in each.data)}
    known = {name: own for name, own in passes.items() if len(own) > 1}
    long = _long(known.get(CONTROL, {}), known.get(BASELINE, {}))
    if long is None:
        return list(rounds)
    found: list[Round] = [replace(each, data=dict(each.data)) for each in rounds]
    for name, own in known.items():
        if next(iter(own.values())).shape[1] != len(long):
            continue
        relative = {index: _relative(times) for index, times in own.items()}
        for index, times in own.items():
            usual = _usual([each for other, each in relative.items() if other != index])
            found[index].data[name] = _sized(rounds[index].data[name], times, usual, long)
    return found


def _passes(name: str, rounds: Sequence[Round]) -> dict[int, Array]:
    """Position of a round -> latencies of shape [passes, inputs]; a round begins with the input of its own number."""
    import numpy as np

    found = {}
    for position, each in enumerate(rounds):
        own = each.samples.get(name)
        if name in each.data and own and each.inputs > 1 and len(own) % each.inputs == 0:
            rows = np.asarray(own, dtype=float).reshape(-1, each.inputs)
            found[position] = np.roll(rows, each.index % each.inputs, axis=1)
    widths = {rows.shape[1] for rows in found.values()}
    return found if len(widths) == 1 else {}


def _relative(times: Array) -> Array:
    """ln of what each input took in a round beside the others: a process that is slow as a whole is so for all of them."""
    import numpy as np

    logs = np.log(np.median(times, axis=0))
    return logs - logs.mean()  # type: ignore[no-any-return]


def _usual(relative: Sequence[Array]) -> Array:
    """What each input takes in those rounds, the mean of all inputs being 1."""
    import numpy as np

    usual = np.exp(np.median(relative, axis=0))
    return usual / usual.mean()  # type: ignore[no-any-return]


def _long(control: dict[int, Array], baseline: dict[int, Array]) -> NDArray[np.bool_] | None:
    """Which inputs are long; None where that is not known, or none are."""
    import numpy as np

    if not control or not baseline:
        return None
    one, other = (np.median([_relative(times) for times in arm.values()], axis=0) for arm in (control, baseline))
    long = one > (one.min() + one.max()) / 2
    if len(one) != len(other) or long.all() or not long.any():
        return None
    apart = other[long].mean() - other[~long].mean()
    return long if apart >= math.log(DIFFER) else None


def _sized(data: RoundData, times: Array, usual: Array, long: NDArray[np.bool_]) -> RoundData:
    import numpy as np

    alike, each = times / usual, np.median(times, axis=0)
    p10, p50, p95 = np.percentile(alike, [10, 50, 95], method="weibull")
    return msgspec.structs.replace(
        data,
        short_ns=float(np.median(each[~long])),
        long_ns=float(np.median(each[long])),
        alike_p10_ns=float(p10),
        alike_median_ns=float(p50),
        alike_p95_ns=float(p95),
    )
