"""How Prometheus is asked about one server: its labels and stretches of time, put into PromQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Site:
    """`selector` are the labels that tell this server's series from others'. `short` is what rules look back for what comes with
    every request, `long` for what is rarer, in seconds.
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    short: float = 3600.0
    long: float = 86400.0

    def series(self, name: str, *also: str, **labels: str) -> str:
        """A selector: `name{job="a",code="500"}`; `also` are further matchers as they stand."""
        equal = [f"{key}={json.dumps(value)}" for key, value in {**self.selector, **labels}.items()]
        return f"{name}{{{','.join([*equal, *also])}}}"

    def rise(self, name: str, *also: str, over: float | None = None, **labels: str) -> str:
        """By how much the counters rose together."""
        return f"sum(increase({self.series(name, *also, **labels)}[{span(over or self.short)}]))"


def span(seconds: float) -> str:
    """A stretch of time as Prometheus writes it."""
    whole = max(1, round(seconds))
    for unit, size in (("h", 3600), ("m", 60)):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
