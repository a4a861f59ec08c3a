"""llama.cpp's own timings: prompts and single tokens. It does not time operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.explain.profilers._base import WARM_UP, Node, Times, repeated
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.frameworks.llama_cpp import open_session

DESCRIPTION = "llama.cpp's timings: how much goes into prompts, and how much into each further token."

LEAST, MOST = 3, 50


def profile(spec: ModelSpec, feeds: Sequence[dict[str, Any]], folder: Path, seconds: float) -> Times:
    """Prompts as they are timed in rounds, and as many tokens."""
    session = open_session(Path(spec.artifact), spec.threads, spec.device, timed=True)

    def answer(feed: dict[str, Any]) -> None:
        for _ in session.generate(feed):
            pass

    runs = max(repeated(answer, feeds, seconds, LEAST, MOST))
    told = session.timings()
    if not sum(ms for ms, _ in told.values()):
        raise NotMeasured("unsupported", "this llama.cpp keeps no times.")
    nodes = [Node(operator=name, ns=ms * 1e6 / (runs + WARM_UP)) for name, (ms, _) in told.items()]
    counted = ", ".join(f"{count} {name}s" for name, (_, count) in told.items())
    return Times(nodes=nodes, runs=runs, notes=[f"by llama.cpp's own clock, not operator by operator: {counted}"], phases=True)
