"""One answer in ten is an error."""

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene
from gatekeeper.deploy.sidecar import Injected

DESCRIPTION, ORDER, MUST = "One request in ten to green is answered with 500.", 10, NOT_PROMOTED


def inject(scene: Scene) -> None:
    """From now on."""
    scene.sidecar().inject(Injected(errors=0.1))


def arrived(scene: Scene) -> int:
    """Requests that were answered so."""
    return scene.sidecar().arrived().errors
