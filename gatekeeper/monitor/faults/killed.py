"""The server is gone."""

from gatekeeper.monitor.faults._base import Scene

DESCRIPTION, ORDER = "The server is killed.", 90


def inject(scene: Scene) -> None:
    """At once, as a crash would end it."""
    scene.server.kill()
    scene.over.wait()


def arrived(scene: Scene) -> int:
    """Whether its process is gone."""
    return int(not scene.server.alive)
