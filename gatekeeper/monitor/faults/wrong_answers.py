"""Answers that look right and are those to another question, as one who holds them against what they were would see."""

from gatekeeper.deploy.sidecar import Injected
from gatekeeper.monitor.faults._base import Scene

DESCRIPTION, ORDER = "Nearly all questions get the answers to other questions.", 20
SHARE = 0.95


def inject(scene: Scene) -> None:
    """From now on."""
    if scene.sidecar is not None:
        scene.sidecar.inject(Injected(wrong=SHARE))
    scene.over.wait()


def arrived(scene: Scene) -> int:
    """Answers that were exchanged for one that is not the same."""
    return scene.sidecar.arrived().wrong if scene.sidecar else 0
