"""Green's server is gone from one moment to the next."""

import signal

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene

DESCRIPTION, ORDER, MUST = "SIGKILL to green's server under traffic, as the system does for lack of memory.", 70, NOT_PROMOTED
DIRECT, LOSES = True, "in_flight"


def inject(scene: Scene) -> None:
    """At once."""
    scene.signal_green(signal.SIGKILL)


def arrived(scene: Scene) -> int:
    """1 if the server was ended by that signal, and HAProxy took it out."""
    return int(scene.ended_green() == -signal.SIGKILL and scene.saw_green_down)
