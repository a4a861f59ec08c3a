"""What every fault shares. A fault is a module of this folder; its file name is the scenario's name in the report. It has:

DESCRIPTION         one sentence, for the reference
ORDER               a number: what leaves the server alive comes first
MUST                the rulings that are right; never `promote`
inject(scene)       do it, once green has had some requests
arrived(scene)      how often it arrived, as who injects it or HAProxy counts it, never as the judge sees it; 0 is an error

and, where it has something to say:

DIRECT              HAProxy reaches the servers themselves, with no sidecar between
LOSES               "nothing": no request may be lost; "in_flight": those on their way when it happened; not said: it is not asked
DEADLINE_S          how long it waits for a ruling, where that is known beforehand
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.records.rollout import Decision
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.deploy.scene import Scene

FAULTS = Registry("deploy.faults", needs=("DESCRIPTION", "ORDER", "MUST", "inject", "arrived"))
NOT_PROMOTED = (Decision.ROLLBACK, Decision.HOLD)


class Fault(Protocol):
    """The shape of a fault module."""

    DESCRIPTION: str
    ORDER: int
    MUST: tuple[Decision, ...]

    @staticmethod
    def inject(scene: Scene) -> None:
        """Do it."""

    @staticmethod
    def arrived(scene: Scene) -> int:
        """How often it arrived."""
        raise NotImplementedError


def fault(name: str) -> Fault:
    """The fault of that name."""
    return cast(Fault, FAULTS.get(name))


def in_order() -> list[str]:
    """Their names, as they are rehearsed."""
    return sorted(FAULTS.names, key=lambda name: (fault(name).ORDER, name))
