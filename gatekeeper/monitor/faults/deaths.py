"""The processes that hold the model die."""

import signal

from gatekeeper.monitor.faults._base import LOOK_S, Scene

DESCRIPTION, ORDER = "The model's process is killed more often than it may die, each time once it has answered again.", 30
MORE = 2
"""Rates are read between samples, of which each loses a little."""


def inject(scene: Scene) -> None:
    """One after the other: a server whose model dies before any answer gives up, and nothing more dies."""
    most = int(getattr(scene.limits.get("restarts"), "max", 0)) + MORE
    while scene.count < most and not scene.over.is_set():
        if killed := scene.signal_sessions(signal.SIGKILL):
            scene.count += killed
            before = scene.answered()
            while scene.answered() <= before and not scene.over.wait(LOOK_S):
                pass
        scene.over.wait(LOOK_S)
    scene.over.wait()


def arrived(scene: Scene) -> int:
    """Processes that were killed."""
    return scene.count
