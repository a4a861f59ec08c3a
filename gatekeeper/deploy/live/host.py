"""A deploy on this host: green beside what serves, HAProxy before both, until it is promoted or has no traffic left.

Whatever ended an earlier run, the next one begins by letting one model serve and ending every other (`settled`). Nothing here
ends the model that serves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gatekeeper.deploy.haproxy import Colour, program
from gatekeeper.deploy.journal import Event, Journal
from gatekeeper.deploy.live import slots
from gatekeeper.deploy.live.front import Gate, new
from gatekeeper.deploy.live.slots import Slot, Standing
from gatekeeper.deploy.rehearsal import Company, Terms
from gatekeeper.deploy.rollout import POLL_S, Outcome, Plan, roll, settle
from gatekeeper.deploy.strategies._base import steps
from gatekeeper.deploy.traffic import Traffic
from gatekeeper.deploy.watching import Watcher
from gatekeeper.errors import UsageError
from gatekeeper.making.subject import Subject
from gatekeeper.records.rollout import Decision, RolloutLimits, Ruling
from gatekeeper.stats.rollout import Judge

JOURNAL, MODELS = "journal.jsonl", "models"
LIMITS = RolloutLimits()
ASKED_QPS = 5.0
"""Questions to both a second: they take of the cores that users' requests need."""
OFTEN_S = 0.05
"""How often it looks at most, where bursts are said to be shorter than what lies between two looks otherwise."""


Seen = Callable[[Plan, Outcome], None]
"""Is told what a rollout was judged by and on."""


@dataclass(frozen=True)
class Going:
    """What goes live. `first` is what serves where nothing was deployed yet; `green` what comes in the place of what serves;
    `subject` says how a server's model is asked. What serves already by its `sha256` is not deployed again; empty: it is.
    """

    sha256: str
    first: Callable[[], Slot]
    green: Callable[[Slot], Slot]
    subject: Callable[[Slot, Path], Subject]
    terms: Terms
    automatic: bool
    deadline_s: float
    burst_s: float = LIMITS.burst_s
    entry: int = 0
    limits: RolloutLimits = LIMITS
    slow_ms: float | None = None  # from when on an answer is slow; None: as it is found before the ramp
    judge: Callable[[RolloutLimits, int], Judge] = Judge
    seen: Seen = lambda plan, outcome: None
    note: Callable[[str], None] = field(default=lambda _: None)


def deploy(folder: Path, going: Going) -> Ruling:
    """`promote`, `rollback`, or `hold` where the deadline came first; a `UsageError` where another deploy is at work."""
    program()
    with Journal(folder / JOURNAL) as journal:
        standing = slots.read(folder) or _begun(folder, going)
        standing, gate = settled(folder, standing, journal)
        going.note(f"users at {gate.url}: {standing.slots[standing.blue].variant} serves")
        serving = standing.slots[standing.blue]
        if going.sha256 and serving.sha256 == going.sha256:
            return Ruling(decision=Decision.PROMOTE, reason="it serves already")
        green = going.green(serving)
        standing = msgspec.structs.replace(standing, slots=standing.slots | {green.id: green})
        slots.keep(folder, standing)
        try:
            slots.start(folder, green)
            gate.point(Colour.GREEN, green.address)
            gate.wait_up(Colour.GREEN)
            ruling = _rolled(folder, going, gate, journal, serving, green)
        finally:
            if not _waiting(journal):
                settled(folder, standing, journal)
        return ruling


def left_by(folder: Path) -> Standing | None:
    """What serves now, once what an earlier run left is settled; None where nothing was deployed."""
    if slots.read(folder) is None:
        return None
    program()
    with Journal(folder / JOURNAL) as journal:
        standing = slots.read(folder)
        return settled(folder, standing, journal)[0] if standing else None


def settled(folder: Path, standing: Standing, journal: Journal) -> tuple[Standing, Gate]:
    """One model serves, as blue, and no other runs. Doing it twice is doing it once, and it may be killed anywhere."""
    told, gate = journal.standing(), Gate(standing.front)
    known = dict(zip(Colour, told.models, strict=True))
    serving = standing.slots.get(known[told.serves]) or standing.slots[standing.blue]
    slots.start(folder, serving)
    if not gate.alive:
        gate.start(serving.address, serving.address, 0)
    settle(gate.control, journal)
    if told.serves is Colour.GREEN and known[Colour.GREEN] == serving.id:
        gate.point(Colour.BLUE, serving.address)  # it has no part of the traffic, or is this one already
    gate.wait_up(Colour.BLUE)
    gate.control.give_green(0)
    kept = msgspec.structs.replace(standing, blue=serving.id, slots={serving.id: serving})
    slots.keep(folder, kept)
    slots.end_others(folder, {serving.id})
    return kept, gate


def _begun(folder: Path, going: Going) -> Standing:
    first = going.first()
    standing = Standing(front=new(going.entry), blue=first.id, slots={first.id: first})
    slots.keep(folder, standing)
    return standing


def _waiting(journal: Journal) -> bool:
    """Whether a person is to say what becomes of green."""
    return bool(journal.entries) and journal.entries[-1].event is Event.WAITING


def _rolled(folder: Path, going: Going, gate: Gate, journal: Journal, blue: Slot, green: Slot) -> Ruling:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gk-asked-")))
        company = Company(going.subject(blue, scratch), going.subject(green, scratch), going.terms, stack, name=blue.served.name)
        limits = company.before(gate, msgspec.structs.replace(going.limits, burst_s=going.burst_s))
        limits = msgspec.structs.replace(limits, slow_ms=going.slow_ms or limits.slow_ms)
        asked, stop = company.scratch / "asked.jsonl", company.scratch / "stop"  # where those who ask may write
        traffic = Traffic(stop, asked)
        stack.callback(traffic.join)
        stack.callback(stop.touch)
        traffic.start(company.crew[1], company.ask(gate, asked, stop, ASKED_QPS, going.deadline_s + 60))
        log = stack.enter_context(gate.listening())
        ids = {Colour.BLUE: blue.id, Colour.GREEN: green.id}
        watcher = Watcher(
            gate.control, log, gate.front.word, limits.slow_ms, asked, lambda colour: slots.memory(folder, ids[colour])
        )
        stack.enter_context(watcher)
        plan = Plan(
            steps=steps(going.terms.strategy, going.terms.ramping),
            limits=limits,
            deadline_s=going.deadline_s,
            automatic=going.automatic,
            models=(blue.id, green.id),
            socket=str(gate.control.path),
            poll_s=max(OFTEN_S, min(POLL_S, going.burst_s)),  # a stretch is no shorter than what lies between two looks
            judge=going.judge,
        )
        shares = plan.steps
        outcome = roll(plan, gate.control, watcher, journal, lambda step: going.note(f"green has {shares[step]} %"))
        going.seen(plan, outcome)
        for error in traffic.failed:
            going.note(f"questions to both ended early: {error}")
        return outcome.ruling


def said(folder: Path) -> list[str]:
    """What stands and what the journal says, for people; a `UsageError` where nothing was deployed."""
    from gatekeeper.deploy.journal import read
    from gatekeeper.deploy.journal import standing as told_by

    standing, entries = slots.read(folder), read(folder / JOURNAL)
    if standing is None:
        raise UsageError(f"{folder}: nothing was deployed here. Name the folder of the deploy with --state.")
    told = told_by(entries)
    known = dict(zip(Colour, told.models, strict=True))
    serving = standing.slots.get(known[told.serves]) or standing.slots[standing.blue]
    gate = Gate(standing.front)
    lines = [f"serves: {serving.variant}, sha256 {serving.sha256}, {'ready' if slots.ready(serving) else 'NOT READY'}"]
    lines.append(f"users at {gate.url}: HAProxy {'answers' if gate.alive else 'DOES NOT ANSWER'}")
    if entries:
        lines.append(
            f"last: {entries[-1].event}, green {entries[-1].green} %{' - ' + entries[-1].reason if entries[-1].reason else ''}"
        )
    if told.cut_short:
        lines.append("a deploy is at work, or was cut short: the next one lets what serves have all the traffic")
    return lines
