"""What every alert shares. An alert is a module of this folder; its file name is its key under `monitoring.alerts`. It has:

DESCRIPTION, SEVERITY      what it means, and whether somebody is woken (`page`) or finds it in the morning (`ticket`)
REMEDY                     what to do first
ORDER                      a number: where it stands
Config, DEFAULT            its limits, and those where the file says nothing; None: it is off unless the file or a certificate
has one rules(config, site)        Prometheus rules, and with each the trials it must stand (gatekeeper/monitor/written/rules.py)

One whose limit a certificate may hold:

CERTIFIED                  the gate whose limit that is
limited(limit)             the Config of that limit

One that `gatekeeper watch` decides from counts (by gatekeeper/monitor/drift/performance.py) has one of:

counted(window, config)    how many of how many were over a limit, step by step, and which share of them may be: `Counted`
exceeded(window, config)   a number and the most it may be: `Exceeded`

One that a fault of a served model raises has its name, which the stage `monitoring` injects:

FAULT                      a module of gatekeeper/monitor/faults

One that a step of automated resolution (gatekeeper/monitor/actions) may end says by what a rollout shows that it did:

METRIC                     `error_rate` or `p99_latency` (gatekeeper/stats/improvement.py)

An alert without `counted` and `exceeded` is raised by a test of gatekeeper/monitor/drift, of what counters do not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site

REGISTRY = Registry("monitor.alerts", ("DESCRIPTION", "SEVERITY", "REMEDY", "ORDER", "Config", "DEFAULT", "rules"))
DISABLED = "disabled"
Severity = Literal["page", "ticket"]


@dataclass(frozen=True)
class Counted:
    """`over` of `every` that were counted, of shape [steps] each, of which the share `allowed` may be. `observed` and `limit`
    are how people say it, in `unit`.
    """

    over: NDArray[np.float64]
    every: NDArray[np.float64]
    allowed: float
    observed: float | None
    limit: float
    unit: str
    family: str = ""  # of which most requests must have a value


@dataclass(frozen=True)
class Exceeded:
    """A number and what it may be at most, or at least: no chance is in it."""

    observed: float
    limit: float
    unit: str
    fires: bool


@dataclass(frozen=True)
class Trial:
    """Series as promtool writes them (a value or more each `MINUTE`), and whether the rule must fire after so many minutes."""

    what: str
    series: Sequence[tuple[str, str]]
    minutes: int
    fires: bool


@dataclass(frozen=True)
class Rule:
    """One alerting rule: `expr` must hold for so many seconds. `trials` must hold one that fires and one that
    does not; `least` is the number of observations below which it says nothing.
    """

    name: str
    expr: str
    wait: float
    trials: Sequence[Trial]
    least: int = 0


class Alert(Protocol):
    """The shape of an alert module."""

    DESCRIPTION: str
    SEVERITY: Severity
    REMEDY: str
    ORDER: int
    Config: Any
    DEFAULT: Any

    @staticmethod
    def rules(config: Any, site: Site, reference: Reference | None) -> list[Rule]: ...


def alert(name: str) -> Alert:
    """The alert of that name."""
    return cast(Alert, REGISTRY.get(name))


def in_order() -> list[tuple[str, Alert]]:
    """All of them."""
    return sorted(((name, alert(name)) for name in REGISTRY.names), key=lambda each: (each[1].ORDER, each[0]))


def camel(name: str) -> str:
    """As Prometheus writes the names of alerts: GatekeeperErrorRate."""
    return "Gatekeeper" + "".join(part.capitalize() for part in name.split("_"))
