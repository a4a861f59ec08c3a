"""Answers that look right and are those to another question."""

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene
from gatekeeper.deploy.sidecar import Injected

DESCRIPTION, ORDER, MUST = (
    "Green gives its answers to other questions, to half of what it is asked, or nearly all if many differ anyhow.",
    30,
    NOT_PROMOTED,
)

FEW = 0.2
"""Of the answers that may differ: more would hide half of them."""


def inject(scene: Scene) -> None:
    """From now on."""
    scene.sidecar().inject(Injected(wrong=0.5 if scene.differ <= FEW else 0.95))


def arrived(scene: Scene) -> int:
    """Answers that were exchanged for one that is not the same."""
    return scene.sidecar().arrived().wrong
