"""Which inputs of a set take most memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gatekeeper.evaluate.heaviest import MOST, Watch, read, write


class Marks:
    """The kernel's mark, as it is told."""

    def __init__(self, marks: list[int | None]):
        self.marks = iter(marks)

    def reset_high_water(self) -> int | None:
        return next(self.marks)

    high_water = reset_high_water


def heaviest(*mib: float | None) -> list[int]:
    watch = Watch.__new__(Watch)
    watch._footprint = Marks([None if each is None else int(each * 2**20) for each in mib])  # type: ignore[assignment]
    watch._peak, watch._rises = watch._footprint.reset_high_water(), []
    for index in range(len(mib) - 1):
        watch.saw(index)
    return watch.heaviest()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((100, 140, 140, 140), [0]),  # the first inference allocates
        ((100, 140, 140, 200, 200), [2, 0]),  # one rare input
        ((100, 140, 140.1, 140.2, 140.3), [0]),  # a list that grows
        ((100, 200, 200, 204, 206), [0, 3]),  # the last that raised the mark, too
        ((100, 110, 120, 130, 140), [3, 2]),  # sorted by size
        ((100, 100, 100), []),
        ((None, 100, 200), []),  # a system that keeps no mark
    ],
)
def test_the_inputs_that_raise_the_mark_are_the_heaviest(marks: tuple[float | None, ...], expected: list[int]) -> None:
    assert heaviest(*marks) == expected and len(expected) <= MOST


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_array_among_small_ones_is_found(tmp_path: Path) -> None:
    watch = Watch()
    for index in range(20):
        bytearray(256 << 20 if index == 13 else 1000)
        watch.saw(index)
    write(tmp_path, watch)
    assert read([tmp_path / "predictions.npy", tmp_path / "predictions.npy"]) == [13]
    assert read([tmp_path / "elsewhere" / "predictions.npy"]) == []
