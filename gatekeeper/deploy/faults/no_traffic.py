"""Nobody asks anything any more."""

from gatekeeper.deploy.haproxy import Colour
from gatekeeper.deploy.scene import Scene
from gatekeeper.records.rollout import Decision

DESCRIPTION, ORDER, MUST = "The traffic ends after green's first requests; what was seen is too little.", 50, (Decision.HOLD,)
DEADLINE_S = 6.0


def inject(scene: Scene) -> None:
    """Stop it, and note what HAProxy has counted when the last answer came."""
    scene.stop_traffic()
    scene.marks["requests"] = scene.proxied(Colour.GREEN) + scene.proxied(Colour.BLUE)


def arrived(scene: Scene) -> int:
    """1 if HAProxy counted requests before and none since."""
    before, now = scene.marks["requests"], scene.proxied(Colour.GREEN) + scene.proxied(Colour.BLUE)
    return int(before > 0 and now == before)
