"""The model hangs: its process is there and answers nothing, so that requests come too late."""

import signal

from gatekeeper.monitor.faults._base import LOOK_S, Scene

DESCRIPTION, ORDER = "The model's process is stopped, so that the server answers 504.", 40


def inject(scene: Scene) -> None:
    """Also what is started in its place."""
    try:
        while not scene.over.wait(LOOK_S):
            scene.count += scene.signal_sessions(signal.SIGSTOP)
    finally:
        scene.signal_sessions(signal.SIGCONT)


def arrived(scene: Scene) -> int:
    """Requests after it that got no good answer, as the load generator counts them."""
    return scene.traffic.lost_after(scene.began_ns)
