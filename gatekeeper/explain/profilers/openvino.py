"""OpenVINO's performance counters: the shortest time of each operator over hundreds of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.explain.profilers._base import Node, Times, repeated
from gatekeeper.frameworks import _openvino_text
from gatekeeper.frameworks._spec import ModelSpec, around
from gatekeeper.frameworks.openvino import OpenVINOSession

DESCRIPTION = "OpenVINO's performance counters: each operator's shortest time over hundreds of runs."

LEAST, MOST = 400, 2000
"""The sum of minima of 40 runs was seen to be 412 us where that of 400 was 61 us."""


def profile(spec: ModelSpec, feeds: Sequence[dict[str, Any]], folder: Path, seconds: float) -> Times:
    """Operators are called as the model's; of fused ones, by the last."""
    artifact = Path(spec.artifact)
    if artifact.is_dir() and (artifact / _openvino_text.MODEL).is_file():
        raise NotMeasured("unsupported", "openvino-genai runs language models itself, and does not time their operators.")
    model = artifact / "model.xml" if artifact.is_dir() else artifact
    inner = OpenVINOSession(model, spec.threads, spec.device, original=not artifact.is_dir(), profile=True)
    session = around(spec, inner)
    shortest: dict[tuple[str, str], int] = {}
    runs = 0
    for number in repeated(session.run, feeds, seconds, LEAST, MOST):
        runs = number
        for name, kind, ns in inner.profiled():
            shortest[name, kind] = min(shortest.get((name, kind), ns), ns)
    nodes = [Node(operator=kind, ns=float(ns)) for (_, kind), ns in shortest.items()]
    return Times(nodes=nodes, runs=runs, notes=[f"each operator's shortest time of {runs} runs"])
