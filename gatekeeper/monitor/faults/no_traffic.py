"""Requests end."""

import time

from gatekeeper.monitor.faults._base import Scene

DESCRIPTION, ORDER = "No more requests are sent.", 50


def inject(scene: Scene) -> None:
    """Once those that were sent have their answers."""
    scene.traffic.finish()
    ended = time.monotonic()
    scene.over.wait()
    scene.count = int(time.monotonic() - ended)


def arrived(scene: Scene) -> int:
    """Whole seconds without a request."""
    return scene.count
