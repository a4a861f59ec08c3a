"""Which models stand for all: tests of every family and kind run with these always, with the others in `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

ALWAYS = {"llama", "mlp", "cnn", "embedding", "encoder"}
"""The family every framework reads, plain; a quantizer's ways with tensors: matrices, convolutions, look-ups, what is fused."""


def representative(cases: Iterable[str]) -> list[Any]:
    """Values of a parameter, each "family" or "family, and what is special about it": most of them thorough."""
    thorough = pytest.mark.thorough
    return [case if case in ALWAYS else pytest.param(case, marks=thorough) for case in cases]
