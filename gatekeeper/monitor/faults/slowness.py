"""The model is kept from running, again and again, for longer than an answer may take."""

import signal
import time

import numpy as np

from gatekeeper.monitor.faults._base import Scene

DESCRIPTION, ORDER = "The model's process is held up for several times as long as an answer may take, again and again.", 10
TIMES, LEAST_S, LET_S = 8.0, 0.3, 0.03


def longest_s(limits: dict[str, object]) -> float:
    """How long it is held up at a time: most of what comes meanwhile is late."""
    bounds = [ms / 1000 for each in limits.values() if (ms := getattr(each, "max_ms", None)) is not None]
    return max(LEAST_S, TIMES * max(bounds, default=0.0))


def inject(scene: Scene) -> None:
    """Stopped, and let go on for a moment."""
    try:
        while not scene.over.wait(LET_S):
            scene.signal_sessions(signal.SIGSTOP)
            scene.over.wait(longest_s(scene.limits))
            scene.signal_sessions(signal.SIGCONT)
            time.sleep(LET_S)
    finally:
        scene.signal_sessions(signal.SIGCONT)


def arrived(scene: Scene) -> int:
    """Answers that took longer than any alert allows, as the load generator counts them."""
    requests = scene.traffic.requests
    late = requests["latency_ns"] > 1e9 * longest_s(scene.limits) / TIMES
    return int(np.sum(late & (requests["start_ns"] > scene.began_ns)))
