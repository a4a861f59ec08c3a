"""The server's own /metrics, where no Prometheus keeps them: a look counts from the look before, or from the server's start."""

from __future__ import annotations

import json
import math
from typing import Any

from gatekeeper.errors import UsageError
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.sources._http import Page, get
from gatekeeper.monitor.window import CLOCKS_S, COUNTERS, DEPTH, Series, Window, window_of
from gatekeeper.version import install_hint

DESCRIPTION = "Address of the server's own metrics, such as http://127.0.0.1:8000/metrics, where no Prometheus scrapes them."

BORN = '["gatekeeper_request_seconds_created", []]'
"""When the counters of a server began: another one after a restart, even where more has come since than before."""

MOST = 288
"""Readings that are kept: one in five minutes of a day."""


def read(asked: Asked) -> Window:
    """What has come since the readings of earlier looks; at the first one, since the server started."""
    page = get(asked.address, "the server")
    if page.clock is not None and abs(page.clock - asked.now) > CLOCKS_S:
        off = page.clock - asked.now
        said = f"the clock of {asked.address} is {off:+,.0f} s off this machine's: no time can be trusted. Set both by NTP."
        raise Unread("clocks", said)
    told, began = _parsed(page, asked.address)
    if not any(name == DEPTH for name, _ in told):
        said = f"{asked.address} has no {DEPTH}: it is no gatekeeper server's. Correct monitoring.metrics."
        raise Unread("absent", said)
    before = _kept(asked)
    start = before[0][0] if before else began if began is not None and began < asked.now else asked.now - asked.window_s
    readings = [*before, (asked.now, {_key(name, labels): value for (name, labels), value in told.items()})]
    asked.kept["readings"] = readings
    found: dict[str, list[Series]] = {name: [] for name in COUNTERS}
    for key in dict.fromkeys(key for _, values in readings for key in values):  # also of what is gone since
        name, labels = json.loads(key)
        if name in found:
            seen = _since(readings, key, start)
            found[name].append(Series(dict(labels), [time for time, _ in seen], [value for _, value in seen]))
    if not before:
        for series in found.values():
            series[:] = [Series(each.labels, [start, *each.times], [0.0, *each.values]) for each in series]
    return window_of(found, start, asked.now + 1e-3, {})


def _since(readings: list[tuple[float, dict[str, float]]], key: str, start: float) -> list[tuple[float, float]]:
    """One counter at each reading, and at 0 where it began between two of them: with its server, or later than that."""
    found, age = list[tuple[float, float]](), None
    for time, values in readings:
        born = values.get(BORN)
        if found and born != age:
            found.append(((found[-1][0] + time) / 2, 0.0))
        elif not found and time > start and len(readings) > 1:
            found.append((start, 0.0))
        if key in values:
            found.append((time, values[key]))
        age = born
    return found


def _parsed(page: Page, address: str) -> tuple[dict[tuple[str, tuple[tuple[str, str], ...]], float], float | None]:
    """Every sample by its name and labels, and when the server's counters began, where it tells."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ModuleNotFoundError:
        raise UsageError(f"monitoring.metrics needs the package 'prometheus-client'. {install_hint('serve')}") from None
    if page.status != 200:
        raise Unread("refused", f"{address} answers with status {page.status}. Correct monitoring.metrics, or start the server.")
    told, began = dict[tuple[str, tuple[tuple[str, str], ...]], float](), list[float]()
    try:
        for family in text_string_to_metric_families(page.body.decode()):
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    began.append(float(sample.value))
                told[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    except (ValueError, KeyError, IndexError, UnicodeDecodeError):
        raise Unread("garbage", f"what {address} answers is no text of Prometheus. Correct monitoring.metrics.") from None
    first = min((each for each in began if math.isfinite(each)), default=None)
    return told, first


def _key(name: str, labels: Any) -> str:
    return json.dumps([name, list(labels)])


def _kept(asked: Asked) -> list[tuple[float, dict[str, float]]]:
    """The readings of earlier looks that are of this window, none sooner after another than the most allow."""
    found = list[tuple[float, dict[str, float]]]()
    kept = asked.kept.get("readings")
    for each in kept if isinstance(kept, list) else []:
        if len(each) == 2 and isinstance(each[0], int | float) and isinstance(each[1], dict):
            time = float(each[0])
            apart = not found or time - found[-1][0] >= asked.window_s / MOST
            if asked.now - asked.window_s <= time < asked.now and apart:
                found.append(
                    (time, {key: math.nan if value is None else value for key, value in each[1].items()})
                )  # as JSON has it
    return found
