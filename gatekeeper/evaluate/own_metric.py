"""Asks the user's metric, in a process that does nothing else: what it says goes into a file, to be judged by elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.evaluate.metrics._told import write_told
from gatekeeper.evaluate.score import Score, score
from gatekeeper.process.messages import Done, Held, Request


class AskMetric(Request, frozen=True, kw_only=True):
    """Call the user's metric as this scoring calls it; what it says goes to `told`."""

    score: Score
    told: str

    def answer(self, held: Held) -> Done:
        """Write what it says. The scores that come of it are nobody's: where this ran, so did the user's code."""
        kept: list[Any] = []
        score(self.score, kept)
        write_told(Path(self.told), kept)
        return Done()
