"""Answers that look right and are those to another question."""

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene
from gatekeeper.deploy.sidecar import Injected

DESCRIPTION, ORDER, MUST = (
    "Half of green's answers are its answers to other questions, with 200 and on time.",
    30,
    NOT_PROMOTED,
)


def inject(scene: Scene) -> None:
    """From now on."""
    scene.sidecar().inject(Injected(wrong=0.5))


def arrived(scene: Scene) -> int:
    """Answers that were exchanged for one that is not the same."""
    return scene.sidecar().arrived().wrong
