"""Profilers: where the time of an inference goes. A profiler is a module of this folder, named as the framework. It has:

DESCRIPTION                          what it times, and how
profile(spec, feeds, folder, seconds) -> Times   in a worker; `NotMeasured` where this model has no profile. It may write into
                                     `folder`, and takes about so many seconds.

A framework without a module has no profiler. Its module says why where it could be thought to have one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.registry import Registry

REGISTRY = Registry("explain.profilers", ("DESCRIPTION", "profile"))
WARM_UP = 3


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One operator as it ran. `index` is its number in the artifact's graph; None where it is none of them. `moved` are bytes
    read and written in a run, None where that is not known.
    """

    operator: str
    ns: float
    index: int | None = None
    moved: int | None = None


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds a run of each operator, slowed down as they are by being timed. `phases`: they are parts of the work, such as
    prompts and tokens, not operators.
    """

    nodes: list[Node]
    runs: int
    notes: list[str] = []
    phases: bool = False


class Profiler(Protocol):
    """The shape of a module of this folder."""

    DESCRIPTION: str

    @staticmethod
    def profile(spec: ModelSpec, feeds: Sequence[dict[str, Any]], folder: Path, seconds: float) -> Times: ...


def profiler(framework: str) -> Profiler:
    """The framework's; `NotMeasured` where it has none."""
    if framework not in REGISTRY.names:
        raise NotMeasured("unsupported", f"there is no profiler of {framework}.")
    return cast(Profiler, REGISTRY.get(framework))


def repeated(
    run: Callable[[dict[str, Any]], object], feeds: Sequence[dict[str, Any]], seconds: float, least: int, most: int
) -> Iterator[int]:
    """Run feeds in turn for so many seconds, and yield after each; `least` and `most` bound how often, after warming up."""
    turn = cycle(feeds)
    for _ in range(WARM_UP):
        run(next(turn))
    start = time.monotonic()
    for number in range(1, most + 1):
        run(next(turn))
        yield number
        if number >= least and time.monotonic() - start > seconds:
            return
