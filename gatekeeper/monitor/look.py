"""One look: what there is to read is read, every signal and every test is asked, and what cannot be answered is said."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.decide import WATCH_SCHEMA, Look, Seen, decided, verdict
from gatekeeper.monitor.drift import _base as tests
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.signals._base import in_order
from gatekeeper.monitor.sources._base import Asked, source
from gatekeeper.monitor.window import COUNTERS, Window
from gatekeeper.stats.drift import spending
from gatekeeper.stats.looks import PROMISE

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference

COUNTED, LOGGED = ("prometheus", "metrics"), "requests"


@dataclass(frozen=True)
class Watched:
    """What is looked at: an address for each source that the file names, the limits that hold, and what was normal."""

    sources: Mapping[str, str]
    window_s: float
    limits: Mapping[str, Any]
    selector: Mapping[str, str] = field(default_factory=dict)
    labels: str = ""
    reference: Reference | Unread | None = None
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> Reference | None:
        """The reference, where it could be read."""
        return None if isinstance(self.reference, Unread) else self.reference


def look(watched: Watched, number: int, now: float, kept: dict[str, dict[str, object]]) -> Look:
    """The `number`-th look (from 1). `kept` is what each source found before, and afterwards what it wants to find again."""
    window, unread = _window(watched, now, kept)
    view = tests.View(window, watched.limits, watched.known, bool(watched.labels))
    questions = [each for _, test in tests.in_order() for each in test.ask(view)]
    if isinstance(watched.reference, Unread):
        unread.append(str(watched.reference))
    findings = decided(questions, number)
    said = [*unread, *(each.why for each in findings if each.status == "unread")]
    return Look(
        schema=WATCH_SCHEMA,
        time=datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        look=number,
        spends=spending(number, PROMISE),
        window=(window.start, window.end),
        verdict=verdict(findings, unread),
        signals=_signals(window),
        findings=findings,
        unread=list(dict.fromkeys(said)),
        notes=list(dict.fromkeys([*window.notes, *watched.notes])),
    )


def _window(watched: Watched, now: float, kept: dict[str, dict[str, object]]) -> tuple[Window, list[str]]:
    """What all sources say together: counters count where there are any, and the log what they do not."""
    windows, unread, down = dict[str, Window](), list[str](), dict[str, Unread]()
    known = watched.known
    for name, address in watched.sources.items():
        asked = Asked(
            address,
            now,
            watched.window_s,
            watched.selector,
            known.contents.inputs if known else {},
            watched.labels if name == LOGGED else "",
            kept.setdefault(name, {}),
        )
        try:
            windows[name] = source(name).read(asked)
        except Unread as error:
            unread.append(str(error))
            if name in COUNTED:
                down = dict.fromkeys(COUNTERS, error)
    counted = next((windows[name] for name in COUNTED if name in windows), None)
    logged = windows.get(LOGGED)
    if counted is None and logged is None:
        return Window(now - watched.window_s, now, {}, down), unread
    if counted is None or logged is None:
        only = counted or logged
        assert only is not None
        missing = {name: error for name, error in down.items() if not only.families.get(name)}
        return replace(only, unread={**only.unread, **missing}), unread
    families = {**logged.families, **{name: series for name, series in counted.families.items() if series}}
    both = replace(
        counted,
        families=families,
        rows=logged.rows,
        answers=logged.answers,
        had={name: share for name, share in logged.had.items() if not counted.families.get(name)},
        notes=[*counted.notes, *logged.notes],
    )
    return both, unread


def _signals(window: Window) -> list[Seen]:
    found = []
    for name, signal in in_order():
        try:
            read = signal.read(window)
        except Unread as error:
            found.append(Seen(name=name, value=None, unit=signal.UNIT, n=0, why=str(error)))
            continue
        found.append(Seen(name=name, value=read.value, unit=signal.UNIT, n=read.n, why=read.why, more=read.more))
    return found


def watched_of(loaded: Any) -> Watched:
    """What a pipeline file says is to be watched."""
    from gatekeeper.errors import UsageError
    from gatekeeper.monitor.limits import certified_by, limits_of
    from gatekeeper.monitor.reference import Reference, read_reference
    from gatekeeper.units import parse_duration

    own = loaded.pipeline.monitoring
    if own is None:
        said = "has no `monitoring`. Add it, with `prometheus`, `metrics` or `requests` (docs/monitoring.md)."
        raise UsageError(f"{loaded.path}: {said}")

    def place(name: str | None) -> str:
        return str(loaded.folder / name) if name else ""

    certified = certified_by(Path(place(own.certificate)), Path(place(own.trust))) if own.certificate else None
    limits, unseen = limits_of(own, certified.monitoring if certified else [])
    known: Any = None
    stated = loaded.stated("monitoring", "reference") is not None
    if stated or Path(place(own.reference)).exists():
        try:
            known = read_reference(Path(place(own.reference)))
        except Unread as error:
            known = error
    if certified and isinstance(known, Reference) and known.contents.model and known.contents.model != certified.artifact:
        said = f"{own.reference}: is of the artifact {known.contents.model[:12]}, and {certified.artifact[:12]} was certified"
        known = Unread("file", f"{said}. Make it anew: gatekeeper watch FILE --learn ARTIFACT.")
    notes = [] if known is not None else [f"there is no reference ({own.reference}), so that no drift from it is looked for"]
    named = {"prometheus": own.prometheus, "metrics": own.metrics, LOGGED: place(own.requests)}
    return Watched(
        sources={name: address for name, address in named.items() if address},
        window_s=parse_duration(own.window),
        limits=limits,
        selector=own.selector,
        labels=place(own.labels),
        reference=known,
        notes=(*unseen, *notes),
    )
