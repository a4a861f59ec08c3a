"""MLX computes lazily, and has no profiler of operators: on a Mac, Xcode captures what the GPU does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.explain.profilers._base import Times
from gatekeeper.frameworks._spec import ModelSpec

DESCRIPTION = "None: MLX does not time its operators."


def profile(spec: ModelSpec, feeds: Sequence[dict[str, Any]], folder: Path, seconds: float) -> Times:
    """There is none."""
    raise NotMeasured(
        "unsupported", "MLX has no profiler of operators. On a Mac, mx.metal.start_capture shows the GPU's in Xcode."
    )
