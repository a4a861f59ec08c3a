"""What every fault of a watched server shares. A fault is a module of this folder, and an alert names the one that must raise it
(`FAULT`, see gatekeeper/monitor/alerts/_base.py). It has:

DESCRIPTION         one sentence, for the reference
ORDER               a number: what leaves the server alive comes first
inject(scene)       do it, and go on doing it until `scene.over` is set
arrived(scene)      how often it arrived, as who injects it or sends the requests counts it, never as the alert sees it; 0 is an
                    error
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.deploy.sidecar import Sidecar
    from gatekeeper.deploy.traffic import Traffic
    from gatekeeper.serve.child import Server

FAULTS = Registry("monitor.faults", ("DESCRIPTION", "ORDER", "inject", "arrived"))
LOOK_S = 0.05


@dataclass
class Scene:
    """A served model under traffic. `limits` are the alerts' configurations; `count` is for what an injector counts itself, and
    `answered` says how many good answers the server has given.
    """

    server: Server
    limits: dict[str, Any]
    traffic: Traffic
    answered: Callable[[], float]
    sidecar: Sidecar | None = None
    over: threading.Event = field(default_factory=threading.Event)
    count: int = 0
    began_ns: int = field(default_factory=time.monotonic_ns)

    def signal_sessions(self, number: signal.Signals) -> int:
        """To every process that holds the model; how many there were."""
        reached = 0
        for pid in self.server.session_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                reached += 1
        return reached


class Fault(Protocol):
    """The shape of a fault module."""

    DESCRIPTION: str
    ORDER: int

    @staticmethod
    def inject(scene: Scene) -> None: ...

    @staticmethod
    def arrived(scene: Scene) -> int: ...


def fault(name: str) -> Fault:
    """The fault of that name."""
    return cast(Fault, FAULTS.get(name))
