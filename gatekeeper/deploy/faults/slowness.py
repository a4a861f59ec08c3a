"""Answers that come seconds late."""

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene
from gatekeeper.deploy.sidecar import Injected

DESCRIPTION, ORDER, MUST = "Three answers of green in ten are late, by three seconds or twice what is slow.", 20, NOT_PROMOTED
DELAY_S = 3.0


def inject(scene: Scene) -> None:
    """From now on."""
    scene.sidecar().inject(Injected(slow=0.3, delay_s=max(DELAY_S, 2 * scene.slow_ms / 1000)))


def arrived(scene: Scene) -> int:
    """Answers that were kept back."""
    return scene.sidecar().arrived().slow
