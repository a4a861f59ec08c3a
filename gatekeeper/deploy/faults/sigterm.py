"""The system asks green's server to end while it has requests."""

import signal

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene

DESCRIPTION, ORDER, MUST = "SIGTERM to green's server under traffic: it answers what it has and ends.", 60, NOT_PROMOTED
DIRECT, LOSES = True, "nothing"


def inject(scene: Scene) -> None:
    """As Kubernetes and systemd end a program."""
    scene.signal_green(signal.SIGTERM)


def arrived(scene: Scene) -> int:
    """1 if the server ended, and HAProxy took it out."""
    return int(scene.ended_green() and scene.saw_green_down)
