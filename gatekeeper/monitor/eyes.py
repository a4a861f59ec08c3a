"""Who watches a served model in a rehearsal: Prometheus with the written rules and Alertmanager, or `gatekeeper watch`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from gatekeeper.monitor.alerts._base import camel
from gatekeeper.monitor.look import Watched, look
from gatekeeper.monitor.programs import Told, both, put_rules
from gatekeeper.monitor.site import Site, span
from gatekeeper.monitor.written.rules import rules_of

WAIT_S, EVERY_S = 2.0, 1.0
"""How long a condition must hold, and how often it is looked at where nothing scrapes."""
ABSENT, IDLE = "absent", "no_traffic"
"""The alerts that stand for no answer, and for no requests."""


class Eyes(Protocol):
    """Use as a context manager."""

    def __enter__(self) -> Eyes: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def watch(self, job: str) -> None:
        """This job from now on."""

    def settle(self) -> None:
        """Wait until what is there by now would have been told."""

    def told(self) -> dict[str, float]:
        """Alerts of the job that somebody was told of, and when, by `time.monotonic`."""
        raise NotImplementedError


@dataclass
class Rules:
    """The rules as they are written, in a Prometheus of their own."""

    limits: Mapping[str, Any]
    site: Site
    pages: Mapping[str, str]
    folder: Path
    found: Told = field(default_factory=Told)
    job: str = ""
    url: str = ""
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Rules:
        self.url = self.stack.enter_context(both(self.folder, self.pages, self.found))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stack.close()

    def watch(self, job: str) -> None:
        """Its rules alone: those of another would say that it is gone."""
        self.job = job
        watched = Watched(sources={}, window_s=self.site.long, limits=self.limits)
        listed = []
        for module, rule in rules_of(watched, replace(self.site, selector={"job": job})):
            wait = span(min(WAIT_S, rule.wait)) if rule.wait else "0s"
            labels = {"job": job, "severity": module.SEVERITY}
            listed.append({"alert": rule.name, "expr": rule.expr, "for": wait, "labels": labels})
        put_rules(self.folder, self.url, listed)

    def settle(self) -> None:
        """As long as a rule waits, and some of their evaluations."""
        time.sleep(3 * WAIT_S)

    def told(self) -> dict[str, float]:
        """By Alertmanager's webhook."""
        return {name: when for name in self.limits if (when := self.found.times.get((camel(name), self.job))) is not None}


@dataclass
class Looks:
    """Looks at the server's own metrics, each the first of its kind: it may spend what a first look may."""

    limits: Mapping[str, Any]
    site: Site
    pages: Mapping[str, str]
    folder: Path
    found: dict[str, float] = field(default_factory=dict)
    job: str = ""
    kept: dict[str, dict[str, object]] = field(default_factory=dict)
    lately: dict[str, dict[str, object]] = field(default_factory=dict)

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing runs."""

    def watch(self, job: str) -> None:
        """What is there now is where it begins to count."""
        self.job, self.found, self.kept, self.lately = job, {}, {}, {}
        self._look()
        self.found = {}

    def settle(self) -> None:
        """A look sees what is there."""

    def told(self) -> dict[str, float]:
        """What a look says now, and what one before said."""
        time.sleep(EVERY_S)
        for name in self._look():
            self.found.setdefault(name, time.monotonic())
        return dict(self.found)

    def _look(self) -> list[str]:
        """Back to the beginning of the job, where everything is counted from; for what has ended since, only a little."""
        sources = {"metrics": self.pages[self.job]}
        begun = {source: dict(kept) for source, kept in self.kept.items()}
        seen = look(Watched(sources, self.site.long, self.limits), 1, time.time(), begun)
        self.kept = self.kept or begun
        late = look(Watched(sources, self.site.short, self.limits), 1, time.time(), self.lately)
        gone = [ABSENT] if seen.unread and ABSENT in self.limits else []
        ended = [each.alert for each in late.findings if each.alert == IDLE and each.status == "fires"]
        return [*gone, *ended, *(each.alert for each in seen.findings if each.status == "fires" and each.alert != IDLE)]
