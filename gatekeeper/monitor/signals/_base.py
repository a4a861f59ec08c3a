"""What every signal shares. A signal is a module of this folder; its file name is what reports and dashboards call it. It has:

DESCRIPTION, UNIT        for people; a unit of gatekeeper/units.py, or that of a gate
ORDER                    a number: where it stands
read(window) -> Reading  its value in a window, from counters alone; raises `Unread` where they could not be read
query(site) -> str       the same in PromQL, for the dashboard; empty where Prometheus is never told
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.records.base import Record
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

REGISTRY = Registry("monitor.signals", ("DESCRIPTION", "UNIT", "ORDER", "read", "query"))


class Reading(Record, frozen=True, kw_only=True):
    """What a signal says: a value of `n` things that were counted; None where there were none, and `why` says what is missing."""

    value: float | None
    n: int
    why: str = ""
    more: dict[str, float] = {}


class Signal(Protocol):
    """The shape of a signal module."""

    DESCRIPTION: str
    UNIT: str
    ORDER: int

    @staticmethod
    def read(window: Window) -> Reading: ...
    @staticmethod
    def query(site: Site) -> str: ...


def signal(name: str) -> Signal:
    """The signal of that name."""
    return cast(Signal, REGISTRY.get(name))


def in_order() -> list[tuple[str, Signal]]:
    """All of them."""
    return sorted(((name, signal(name)) for name in REGISTRY.names), key=lambda each: (each[1].ORDER, each[0]))


def nothing(what: str) -> Reading:
    """No value."""
    return Reading(value=None, n=0, why=what)
