"""The written rules before the real Prometheus and Alertmanager, on loopback: each fault is injected, and somebody is told of it.

Every trial of every rule is a page of metrics of its own that Prometheus scrapes, so that all run at once, each in a job of
its own with its own copy of the rule. A minute of a trial takes `MINUTE_S`, and what the rules look back is shortened alike.
The rules are put in place once the trials have counted; whoever is told then, by Alertmanager's webhook, must be those that
have a fault.
"""

from __future__ import annotations

import http.server
import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import UsageError
from gatekeeper.monitor.alerts._base import Trial
from gatekeeper.monitor.programs import Told, answer, both, check_programs, put_rules, query, serving, until
from gatekeeper.monitor.site import Site, span
from gatekeeper.monitor.written.rules import rules_of

if TYPE_CHECKING:
    from gatekeeper.monitor.look import Watched

MINUTE_S = 0.4
WAIT_S, PATIENCE_S = 2.0, 60.0
"""How long a condition must hold, and how long is waited for somebody to be told."""


@dataclass(frozen=True)
class Rehearsed:
    """One trial: whether its series arrived in Prometheus, whether somebody had to be told, and was."""

    rule: str
    trial: str
    arrived: bool
    expected: bool
    told: bool

    @property
    def holds(self) -> bool:
        """A fault that never arrived proves nothing, whoever was told."""
        return self.arrived and self.told == self.expected


@dataclass
class _Clock:
    """Trials begin once every page is read: on a busy machine what ends early would be over before."""

    began: float = math.inf

    @property
    def minute(self) -> float:
        """Of the trials."""
        return max(0.0, time.monotonic() - self.began) / MINUTE_S


def rehearse(watched: Watched, site: Site, folder: Path) -> list[Rehearsed]:
    """Every trial of every rule; `UsageError` with what to install where a program is missing."""
    check_programs()
    staged = list(_staged(watched, site))
    if not staged:
        raise UsageError("no alert is on that counters show: there is nothing to rehearse. Turn one on in monitoring.alerts.")
    told, clock = Told(), _Clock()
    with _pages({job: trial for job, _, trial in staged}, clock) as pages, both(folder, pages, told) as url:
        until(lambda: len(query(url, "up == 1") or []) == len(pages), PATIENCE_S)
        clock.began = time.monotonic()
        time.sleep(max(trial.minutes for _, _, trial in staged) * MINUTE_S)
        arrived = _arrived(url, staged)
        put_rules(folder, url, _rules(staged, site))
        expected = {(rule.name, job) for job, rule, trial in staged if trial.fires}
        until(lambda: expected <= told.alerts, PATIENCE_S)
        time.sleep(3 * WAIT_S)  # for those that should not be told
    return [
        Rehearsed(rule.name, trial.what, job in arrived, trial.fires, (rule.name, job) in told.alerts)
        for job, rule, trial in staged
    ]


def _staged(watched: Watched, site: Site) -> Iterator[tuple[str, Any, Trial]]:
    """A job for each trial, with the rule as it asks for that job alone, and the trial's series as they are on a page."""
    plain = replace(site, selector={})
    count = len([trial for _, rule in rules_of(watched, plain) for trial in rule.trials])
    for number in range(count):
        job = f"trial{number}"
        own = [(rule, trial) for _, rule in rules_of(watched, replace(site, selector={"job": job})) for trial in rule.trials]
        bare = [trial for _, rule in rules_of(watched, plain) for trial in rule.trials]
        yield job, own[number][0], bare[number]


def _arrived(url: str, staged: Sequence[tuple[str, Any, Trial]]) -> set[str]:
    """Jobs all of whose series have been in Prometheus: of a trial that has none, its page, which is empty."""
    seen = query(url, 'count by (job) (count_over_time({__name__=~"gatekeeper_.+"}[10m]))') or []
    counts = {each["metric"]["job"]: float(each["value"][1]) for each in seen}
    pages = {each["metric"]["job"] for each in query(url, "up == 1") or []}
    return {job for job, _, trial in staged if job in pages and counts.get(job, 0) == len(trial.series)}


def value_at(values: str, minute: float) -> float | None:
    """What a series is at that minute, as promtool's notation says; None where it has no value. After its end it goes on as at
    its end: a counter that rises goes on rising.
    """
    sequence, step = list[float | None](), 0.0
    for part in values.split():
        match = re.fullmatch(r"(_|-?[\d.]+(?:e[-+]?\d+)?)(?:\+([\d.]+(?:e[-+]?\d+)?))?(?:x(\d+))?", part)
        if match is None:
            raise ValueError(values)
        first, rise, times = match.groups()
        step, count = float(rise or 0), int(times or 0) + (first != "_")
        sequence += [None if first == "_" else float(first) + step * i for i in range(count)]
    if minute < len(sequence) - 1:
        return sequence[int(minute)]
    last = sequence[-1]
    return None if last is None else last + step * (minute - len(sequence) + 1)


@contextmanager
def _pages(trials: dict[str, Trial], clock: _Clock) -> Iterator[dict[str, str]]:
    """An address for each trial."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trial, minute = trials[self.path.strip("/")], clock.minute
            lines = [f"{series} {value:.6f}\n" for series, v in trial.series if (value := value_at(v, minute)) is not None]
            answer(self, "".join(lines).encode())

        def log_message(self, *words: object) -> None:
            """Nothing."""

    with serving(Handler) as url:
        yield {job: f"{url}/{job}" for job in trials}


def _rules(staged: Sequence[tuple[str, Any, Trial]], site: Site) -> list[dict[str, Any]]:
    """The rules as they are written, with every stretch of time shortened."""
    listed = []
    for job, rule, _ in staged:
        expr = rule.expr
        for seconds in (site.short, site.long):
            expr = expr.replace(f"[{span(seconds)}]", f"[{round(seconds / 60 * MINUTE_S * 1000)}ms]")
        listed.append({"alert": rule.name, "expr": expr, "for": span(WAIT_S), "labels": {"job": job, "severity": "page"}})
    return listed
