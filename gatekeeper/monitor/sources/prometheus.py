"""A Prometheus that scrapes the server, through its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).

The samples themselves are asked for, and not `increase()`, which extrapolates to fractions and takes the first value of a counter
that was just born for where it stands.
"""

from __future__ import annotations

import json
import math
import urllib.parse
from typing import Any

from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.sources._http import get
from gatekeeper.monitor.window import CLOCKS_S, COUNTERS, DEPTH, STALE_S, Series, Window, window_of

DESCRIPTION = "Address of a Prometheus that scrapes the server, such as http://127.0.0.1:9090."


def read(asked: Asked) -> Window:
    """The window that ends when Prometheus thinks it is now."""
    now = clock(asked)
    told, unread = dict[str, list[Series]](), dict[str, Unread]()
    for name in (*COUNTERS, DEPTH):
        try:
            told[name] = samples(asked, name, now)
        except Unread as error:
            if error.kind == "down":
                raise
            unread[name] = error
    latest = max((each.times[-1] for series in told.values() for each in series if each.times), default=None)
    where = f"{{{_labels(asked)}}}" if asked.selector else "with any labels"
    if latest is None and not unread:
        raise Unread(
            "absent",
            f"{asked.address} has no series of a gatekeeper server ({DEPTH} and others) {where}. Let it scrape the server's "
            "/metrics, or correct monitoring.selector.",
        )
    if latest is not None and now - latest > STALE_S:
        raise Unread(
            "stale",
            f"the newest sample {where} is {now - latest:,.0f} s old: the server is down or not scraped. Look at `up`.",
        )
    told.pop(DEPTH, None)
    return window_of(told, now - asked.window_s, now, unread)


def clock(asked: Asked) -> float:
    """What time it is there (seconds); `Unread` where that is not this machine's."""
    now = _number(_query(asked.address, "time()", "scalar")[1])
    if not math.isfinite(now):
        raise Unread("garbage", f"the Prometheus at {asked.address} does not know what time it is. Look at it.")
    if abs(now - asked.now) > CLOCKS_S:
        raise Unread(
            "clocks",
            f"the clock of the Prometheus at {asked.address} is {now - asked.now:+,.0f} s off this machine's: no time can be "
            "trusted. Set both by NTP.",
        )
    return now


def samples(asked: Asked, name: str, now: float) -> list[Series]:
    """Every sample of a family from a little before the window on: what a counter stood at when it began."""
    span = int(asked.window_s + STALE_S)
    found = _query(asked.address, f"{name}{{{_labels(asked)}}}[{span}s]", "matrix", now)
    return [
        Series(
            {k: v for k, v in each["metric"].items() if k != "__name__"},
            [_number(t) for t, _ in each["values"]],
            [_number(v) for _, v in each["values"]],
        )
        for each in found
    ]


def _labels(asked: Asked) -> str:
    return ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(asked.selector.items()))


def _number(value: Any) -> float:
    try:
        return float(value)  # "NaN" and "+Inf" are written so, and told apart later
    except (TypeError, ValueError):
        raise Unread("garbage", f"Prometheus answers with {str(value)[:40]!r} where a number should be.") from None


def _query(address: str, query: str, kind: str, time: float | None = None) -> Any:
    """What a query finds; `Unread` where it is refused, or of another kind."""
    values = {"query": query} | ({"time": f"{time:.3f}"} if time is not None else {})
    page = get(f"{address.rstrip('/')}/api/v1/query?{urllib.parse.urlencode(values)}", "Prometheus")
    try:
        told = json.loads(page.body)
        if told["status"] != "success":
            raise Unread("refused", f"Prometheus at {address} refuses {query}: {told.get('error', 'no reason')}.")
        data = told["data"]
        if data["resultType"] != kind:
            raise KeyError(kind)
        result = data["result"]
        if kind == "matrix":
            [(each["metric"].items(), [(t, v) for t, v in each["values"]]) for each in result]
        elif len(result) != 2:
            raise ValueError(result)
    except (ValueError, KeyError, TypeError, AttributeError):
        begin = page.body[:60].decode("utf-8", "replace")
        said = f"what answers at {address} is no Prometheus: status {page.status}, {begin!r}. Correct monitoring.prometheus."
        raise Unread("garbage", said) from None
    return result
