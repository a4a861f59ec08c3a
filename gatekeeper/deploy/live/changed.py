"""A change of what serves, as something that goes live: the same model served otherwise, or another variant served as it is."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.policy import limits_file
from gatekeeper.deploy.engines._write import chosen
from gatekeeper.deploy.live.host import LIMITS, Going
from gatekeeper.deploy.live.models import asked_as, green_of, terms_of
from gatekeeper.deploy.live.slots import Slot, free_port
from gatekeeper.deploy.packages._build import Request
from gatekeeper.deploy.rehearsal import Terms
from gatekeeper.deploy.strategies._base import steps
from gatekeeper.errors import UsageError
from gatekeeper.making.cache import Cache
from gatekeeper.making.workspace import workspace
from gatekeeper.models.files import assess
from gatekeeper.records.rollout import RolloutLimits
from gatekeeper.stats.rollout import Judge

BLUE_FAILS = 0.99
"""What is to be mended may fail as often as this and still be compared with."""
EVEN = 50
"""Percent of users' requests that the change must have in a step at least."""


@dataclass(frozen=True)
class Wanted:
    """What is changed: settings of the server, with `threads` of its session, or the variant of the report `result`. `judge`
    decides, and `begun` is told the id of the new server before it is started.
    """

    settings: Mapping[str, Any]
    variant: str
    result: Path
    judge: Callable[[RolloutLimits, int], Judge]
    begun: Callable[[str], None]
    deadline_s: float
    burst_s: float
    slow_ms: float | None = None
    note: Callable[[str], None] = field(default=lambda _: None)


@contextmanager
def changing(file: Path, state: Path, wanted: Wanted) -> Iterator[Going]:
    """What goes live. A variant's report is judged again first; it is undone by itself whatever `deployment.rollback` says."""
    loaded = limits_file(file)
    path = loaded.model_path()
    if path is None:
        raise UsageError(f"{file}: names no model. Add `model: {{path: ...}}`.")
    about = assess(path)
    own = None
    if wanted.variant:
        request = Request(result=wanted.result, output=state, variant=wanted.variant)
        own = chosen(file, request, datetime.datetime.now(datetime.UTC))

    def first() -> Slot:
        raise UsageError(f"{state}: nothing was deployed here. Deploy a model with `gatekeeper deploy` first.")

    def green(serving: Slot) -> Slot:
        new = otherwise(serving, wanted.settings)
        if own is not None:
            as_is = green_of(state, own, path, about, serving.served.name, loaded)
            spec = msgspec.structs.replace(as_is.served.spec, threads=serving.served.spec.threads)
            served = msgspec.structs.replace(new.served, spec=spec)
            new = msgspec.structs.replace(as_is, served=served)
        wanted.begun(new.id)
        return new

    with workspace(Cache(state / "cache"), loaded.pipeline.measure) as space:
        yield Going(
            sha256="",
            first=first,
            green=green,
            subject=lambda slot, scratch: asked_as(slot, about, scratch, space, loaded),
            terms=fair(terms_of(loaded)),
            automatic=True,
            deadline_s=wanted.deadline_s,
            burst_s=wanted.burst_s,
            limits=msgspec.structs.replace(LIMITS, blue_fails=BLUE_FAILS),
            slow_ms=wanted.slow_ms,
            judge=wanted.judge,
            note=wanted.note,
        )


def fair(terms: Terms) -> Terms:
    """The same, and gradual where a step at once would leave the change less of the traffic than what serves has: who has less to
    do is faster whatever was changed. `UsageError` where no step gives it as much.
    """
    if max(steps(terms.strategy, terms.ramping)) >= EVEN:
        return terms
    if max(steps(terms.strategy, "gradual")) >= EVEN:
        return replace(terms, ramping="gradual")
    raise UsageError(
        f"deployment.strategy {terms.strategy} gives a change no users' traffic beside what serves, and without as much to do it "
        "is faster whatever was changed. Use canary, blue_green or rolling."
    )


def otherwise(serving: Slot, settings: Mapping[str, Any]) -> Slot:
    """A new server of the same files, served otherwise."""
    spec = serving.served.spec
    if "threads" in settings:
        spec = msgspec.structs.replace(spec, threads=int(settings["threads"]))
    rest = {name: value for name, value in settings.items() if name != "threads"}
    served = msgspec.structs.replace(serving.served, spec=spec, port=free_port(), **rest)
    return msgspec.structs.replace(serving, id=f"{serving.sha256[:12]}-{secrets.token_hex(4)}", served=served)
