"""What every action shares: a step that may end an alert. An action is a module of this folder; its file name is what
`monitoring.resolution.steps` says. It has:

DESCRIPTION, ORDER         for people; where it stands among the steps where the file does not list any
HELPS                      the alerts that it may end, by their keys under `monitoring.alerts`
change(serving) -> Change  what would serve instead of what serves now; text says why there is nothing to change

An action changes nothing itself. On one host the change goes live as a new model does, beside what serves, and stays if the
alert's own metric gets better (gatekeeper/stats/improvement.py); on Kubernetes it is written down as a patch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.serve.config import Served

ACTIONS = Registry("monitor.actions", ("DESCRIPTION", "ORDER", "HELPS", "change"))
Setting = int | float | str


@dataclass(frozen=True)
class Variant:
    """A variant of the report that passed: its id, and how many times as fast as the original it was, where that was measured."""

    id: str
    faster: float = 0.0


@dataclass(frozen=True)
class Serving:
    """What serves now: how (`threads`, `workers`, `max_batch`, `cache`, `queue`), which variant, and what there is beside it.
    `cores` are those that it may use. `variants` passed in the report, the fastest first; what serves may be one of them.
    """

    threads: int = 1
    workers: int = 1
    max_batch: int = 1
    cache: int = 0
    queue: int = 64
    variant: str = ""
    cores: int = 1
    text: bool = False
    variants: Sequence[Variant] = ()


@dataclass(frozen=True)
class Change:
    """What is changed, in words, and by its settings (the fields of `Serving`, beside `threads` those of a server); or another
    variant that is served as this one is. `cores` are what it may use at once, where that changes.
    """

    what: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    variant: str = ""
    cores: int | None = None


class Action(Protocol):
    """The shape of an action module."""

    DESCRIPTION: str
    ORDER: int
    HELPS: Sequence[str]
    change: Callable[[Serving], Change | str]


def action(name: str) -> Action:
    """The action of that name."""
    return cast(Action, ACTIONS.get(name))


def in_order() -> list[tuple[str, Action]]:
    """All of them."""
    return sorted(((name, action(name)) for name in ACTIONS.names), key=lambda each: (each[1].ORDER, each[0]))


def serving_of(served: Served, variant: str, cores: int, variants: Sequence[Variant]) -> Serving:
    """What a server on this host serves."""
    return Serving(
        threads=served.spec.threads,
        workers=served.workers,
        max_batch=served.max_batch,
        cache=served.cache,
        queue=served.queue,
        variant=variant,
        cores=cores,
        text=served.spec.text is not None,
        variants=variants,
    )
