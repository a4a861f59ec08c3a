"""Memory that grows with every request."""

from gatekeeper.deploy.faults._base import NOT_PROMOTED
from gatekeeper.deploy.scene import Scene
from gatekeeper.deploy.sidecar import Injected

DESCRIPTION, ORDER, MUST = "Green keeps 2 MiB of memory for ever with each request.", 40, NOT_PROMOTED
KEPT_BYTES = 2 << 20


def inject(scene: Scene) -> None:
    """From now on."""
    scene.sidecar().inject(Injected(leak_bytes=KEPT_BYTES))


def arrived(scene: Scene) -> int:
    """Requests that kept memory, if the system says that the process holds as much more."""
    kept = scene.sidecar().arrived().leaked_bytes
    return kept // KEPT_BYTES if scene.sidecar().memory() >= 0.9 * kept else 0
