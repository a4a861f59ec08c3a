"""One scenario of a rehearsal while it runs: what a fault may take hold of, and what an independent eye sees of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.deploy.haproxy import Colour, Control
from gatekeeper.deploy.sidecar import Sidecar
from gatekeeper.records.rollout import Window
from gatekeeper.serve.child import Server
from gatekeeper.stats.rehearsal import GREEN_FIRST

SEEN_S, ENDED_S = 3.0, 15.0


@dataclass
class Scene:
    """Both servers behind HAProxy, with traffic. Faults use its methods; `marks` is for what they want to remember."""

    control: Control
    servers: dict[Colour, Server]
    sidecars: dict[Colour, Sidecar]
    slow_ms: float
    differ: float  # share of the answers that may differ
    stop: Path
    stopped: Callable[[], None]  # waits until all traffic has its answers
    marks: dict[str, int] = field(default_factory=dict)
    signalled_ns: int = 0
    saw_green_down: bool = False

    def sidecar(self) -> Sidecar:
        """Green's."""
        return self.sidecars[Colour.GREEN]

    def stop_traffic(self) -> None:
        """No more requests; waits for the answers of those that were sent."""
        self.stop.touch()
        self.stopped()

    def proxied(self, colour: Colour) -> int:
        """Requests that HAProxy has given to a colour since it began."""
        return self.control.sides()[colour].requests

    def signal_green(self, number: signal.Signals) -> None:
        """To green's server itself, as the system would."""
        os.kill(self.servers[Colour.GREEN].child.pid, number)
        if number is signal.SIGKILL:
            self.servers[Colour.GREEN].child.ended(ENDED_S)
        self.signalled_ns = time.monotonic_ns()

    def ended_green(self) -> int | bool:
        """How it ended, as its exit code, a signal's number below zero; True for 0, False where it runs."""
        code = self.servers[Colour.GREEN].child.ended(ENDED_S)
        return False if code is None else code or True

    def memory(self, colour: Colour) -> int:
        """Bytes that a colour holds; its sidecar counts as a part of it."""
        beside = self.sidecars.get(colour)
        own = self.servers[colour].memory()
        return own + (beside.memory() if beside else 0) if own else 0


@dataclass
class Striking:
    """Eyes that let a fault happen once green has had some requests."""

    look_at: Callable[[int, bool], Window]
    scene: Scene
    strike: Callable[[Scene], None] | None
    green: int = 0
    struck: bool = False

    def look(self, step: int, count_asked: bool = False) -> Window:
        """The window, and then the fault."""
        window = self.look_at(step, count_asked)
        self.green += window.green.requests
        self.scene.saw_green_down |= not window.green_up
        if self.strike is not None and not self.struck and self.green >= GREEN_FIRST:
            self.struck = True
            self.strike(self.scene)
        return window
