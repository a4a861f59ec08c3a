"""Scores as a run has them: what a metric of the user's says is written down first, and scored by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.evaluate.own_metric import AskMetric
from gatekeeper.evaluate.score import Score, Scored, score
from gatekeeper.process.messages import Held


def scored(request: Score) -> Scored:
    """The answer to a request, both parts of it in this process."""
    told = str(Path(request.destination).with_name("told.npz"))
    request = msgspec.structs.replace(request, told=told)
    if request.metric and ":" in request.metric:
        AskMetric(score=request, told=told).answer(Held())
    return score(request)
