"""Which examples of a calibration set are used, where a technique is asked for fewer than there are."""

from __future__ import annotations

from gatekeeper.errors import NotMeasured


def evenly(count: int, size: int, wanted: int | None) -> list[int]:
    """Which of `count` batches of `size` examples are calibrated on: `wanted` examples, from all parts of the set."""
    if wanted is None:
        return list(range(count))
    batches = -(-wanted // size)
    if batches > count:
        raise NotMeasured("data", f"the calibration set has {count * size} examples, and {wanted} are asked for. Ask for fewer.")
    return [index * count // batches for index in range(batches)]
