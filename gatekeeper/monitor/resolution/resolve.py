"""What is done about a look: steps one after another until one is kept, and a person where none is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import UsageError
from gatekeeper.monitor.actions._base import action, in_order
from gatekeeper.monitor.resolution.evidence import Evidence, evidence_of
from gatekeeper.monitor.resolution.host import Host
from gatekeeper.monitor.resolution.journal import NAME, Entry, Event, Journal, episodes
from gatekeeper.monitor.resolution.manifests import Manifests
from gatekeeper.monitor.resolution.moves import Move, metric_of, next_move, worst
from gatekeeper.monitor.resolution.place import Ended, Place, Waits

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.sections.resolution import Resolution
    from gatekeeper.monitor.decide import Look

Tell = Callable[[Evidence], tuple[list[str], list[str]]]
"""Sends what a person must know: whom it reached, and whom not and why."""


@dataclass
class Resolver:
    """A place, its journal, the steps in their order, and who tells people."""

    place: Place
    journal: Journal
    steps: tuple[str, ...]
    tell: Tell
    pipeline: str = ""
    note: Callable[[str], None] = lambda _: None

    def answer(self, look: Look) -> None:
        """All that is to be done about a look. What cannot be done now is said, and waits for the next."""
        try:
            self._finish()
            while (move := next_move(look, self.journal.entries, self.steps)) is not None:
                if move.do == "try":
                    self._try(move, look)
                elif move.do == "close":
                    self._add(Event.CLOSED, move.alert)
                    self.note(f"{move.alert}: is fine again")
                elif not self._escalate(move, look):
                    return
        except Waits as error:
            self.note(f"nothing was tried: {error}")

    def _finish(self) -> None:
        """How steps ended whose process was killed amid them: none of them is tried again."""
        for episode in episodes(self.journal.entries).values():
            if (cut := episode.cut) is not None and (ended := self.place.settle(cut)) is not None:
                self._tried(cut.alert, cut.step, cut.what, cut.slot, ended)

    def _try(self, move: Move, look: Look) -> None:
        finding = worst(look, move.alert)
        assert finding is not None  # it fires
        try:
            change = action(move.step).change(self.place.serving())
        except UsageError as error:
            change = str(error)
        if isinstance(change, str):
            self._tried(move.alert, move.step, "", "", Ended("not_possible", change))
            return
        slot: list[str] = []

        def begun(started: str) -> None:
            slot.append(started)
            self._add(Event.TRYING, move.alert, step=move.step, what=change.what, slot=started)

        self.note(f"{move.alert}: trying {move.step}: {change.what}")
        ended = self.place.attempt(change, finding, metric_of(move.alert), begun)
        self._tried(move.alert, move.step, change.what, slot[0] if slot else "", ended)

    def _tried(self, alert: str, step: str, what: str, slot: str, ended: Ended) -> None:
        told: dict[str, Any] = {"kept": ended.kept, "decision": ended.decision, "reason": ended.reason}
        self._add(Event.TRIED, alert, step=step, what=what, slot=slot, **told)
        became = "kept" if ended.kept else "not possible" if ended.decision == "not_possible" else ended.decision
        undone = ", undone" if slot and not ended.kept else ""
        self.note(f"{alert}: {step}: {became}{undone}: {ended.reason}")

    def _escalate(self, move: Move, look: Look) -> bool:
        """Tell a person; False where nobody could be reached: it is tried again at the next look."""
        found = evidence_of(look, move.alert, episodes(self.journal.entries).get(move.alert), self.pipeline)
        self._add(Event.ESCALATING, move.alert)
        sent, unsent = self.tell(found)
        for said in sent:
            self.note(f"{move.alert}: escalated: {said}")
        for said in unsent:
            self.note(f"{move.alert}: NOT SENT: {said}")
        if not sent and not unsent:
            self.note(f"{move.alert}: nothing helped, and nobody is named to be told (monitoring.resolution.webhook, issue)")
        if unsent and not sent:
            return False
        self._add(Event.ESCALATED, move.alert, sent=sent, unsent=unsent)
        return True

    def _add(self, event: Event, alert: str, **told: Any) -> None:
        self.journal.add(Entry(event=event, alert=alert, **told))


@contextmanager
def resolver(loaded: Loaded, state: Path, environ: Mapping[str, str], note: Callable[[str], None]) -> Iterator[Resolver | None]:
    """The one that a pipeline file asks for; None where it asks for none. `UsageError` where another one is at work there."""
    from gatekeeper.monitor.escalations._base import telling
    from gatekeeper.monitor.state import alone

    own = loaded.pipeline.monitoring.resolution if loaded.pipeline.monitoring else None
    if own is None:
        yield None
        return
    place, journal = _place(loaded, own, state, note)
    with alone(journal):
        steps = tuple(own.steps) or tuple(name for name, _ in in_order())
        yield Resolver(place, Journal(journal), steps, telling(own, environ), str(loaded.path), note)


def _place(loaded: Loaded, own: Resolution, state: Path, note: Callable[[str], None]) -> tuple[Place, Path]:
    from gatekeeper.units import parse_duration

    if own.kubernetes is not None:
        patches = state.with_name(f"{state.stem}-patches")
        return Manifests(loaded.folder / own.kubernetes, patches), state.with_name(f"{state.stem}-{NAME}")
    live = loaded.folder / str(own.live)
    return Host(
        file=Path(loaded.path),
        live=live,
        result=loaded.folder / own.result,
        improvement=own.improvement,
        deadline_s=parse_duration(own.deadline),
        burst_s=parse_duration(own.burst),
        note=note,
    ), live / NAME
