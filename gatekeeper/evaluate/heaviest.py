"""Which inputs of a whole evaluation set take most memory: a peak may be that of one example in a thousand."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from gatekeeper.data.outputs import said_beside
from gatekeeper.process.memory import Footprint

FILE = "heaviest.json"
MOST = 3
Heaviest = Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=MOST)]
LEAST_RISE, LEAST_SHARE = 1 << 20, 1 / 16
"""What an input must raise the peak by to be worth a look, in bytes and of all that the peak rose."""


class Watch:
    """Reads this process's own peak after every input. Where the system keeps none, nothing is known."""

    def __init__(self) -> None:
        self._footprint = Footprint(os.getpid())
        self._peak = self._footprint.reset_high_water()
        self._rises: list[tuple[int, int]] = []

    def saw(self, index: int) -> None:
        """The input of that number has just been run."""
        high = self._footprint.high_water() if self._peak is not None else None
        if high is None or self._peak is None or high <= self._peak:
            return
        self._rises.append((high - self._peak, index))
        self._peak = high

    def skip(self) -> None:
        """What was taken since is no input's."""
        high = self._footprint.high_water() if self._peak is not None else None
        if high is not None and self._peak is not None:
            self._peak = max(self._peak, high)

    def heaviest(self) -> list[int]:
        """The inputs that raised the peak most, and the last that did so at all: of a sorted set that is the heaviest."""
        least = max(LEAST_RISE, LEAST_SHARE * sum(rise for rise, _ in self._rises))
        worth = [(rise, index) for rise, index in self._rises if rise >= LEAST_RISE]
        most = [index for rise, index in sorted(worth, reverse=True)[: MOST - 1] if rise >= least]
        return list(dict.fromkeys([*most, *(index for _, index in worth[-1:])]))


def write(folder: Path, watch: Watch) -> None:
    """Keep them beside a model's predictions."""
    (folder / FILE).write_bytes(msgspec.json.encode(watch.heaviest()))


def read(predictions: Iterable[Path]) -> list[int]:
    """Those of several models together, each once; `NotMeasured` where a file beside predictions holds something else."""
    return sorted({index for each in predictions for index in said_beside(each, FILE, Heaviest, [])})
