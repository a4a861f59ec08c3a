"""KServe: an InferenceService whose newest revision gets a share of the traffic, one file a step.

KServe asks nobody: whoever applies the files asks the judge before each. So there is a file for every step, one that promotes,
and one that goes back.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatekeeper.deploy.engines._base import Going, Object, made, written
from gatekeeper.deploy.packages._manifests import deployment

DESCRIPTION = "KServe: an InferenceService with `canaryTrafficPercent`, one file a step; who applies them asks the judge."
NOTE = "KServe on Knative: only there it splits traffic."
STRATEGIES = ("blue_green", "canary")
CONTAINER = "kserve-container"
LEFT_OUT = ("lifecycle", "startupProbe")
"""Of the container: Knative admits no hooks, and probes are its own until it is ready."""


def files(going: Going) -> Mapping[str, str]:
    """Steps by their order and share, then `promote` or `rollback`."""
    steps = {f"step-{i}-{share:03d}-percent": service(going, share) for i, share in enumerate(going.shares, 1)}
    objects = steps | {"promote": service(going, None), "rollback": service(going, 0)}
    asked = going.url(step="PERCENT", green="REVISION")
    return written(objects, f"Apply the next step when {asked} says promote of this one.")


def service(going: Going, share: int | None) -> Object:
    """The model, with a share of the traffic; None: all of it."""
    server, pod = going.server, deployment(going.server)["spec"]["template"]["spec"]
    container = {key: value for key, value in pod["containers"][0].items() if key not in LEFT_OUT}
    container |= {"name": CONTAINER, "ports": [{"name": "http1", "containerPort": server.port, "protocol": "TCP"}]}
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]
        container[probe] = asked | {"httpGet": {"path": asked["httpGet"]["path"], "port": server.port}}
    container["securityContext"] = container["securityContext"] | {"runAsNonRoot": True, "runAsUser": server.user}
    predictor = {
        **({} if share is None else {"canaryTrafficPercent": share}),
        "minReplicas": server.replicas,
        "maxReplicas": server.most if server.scaling != "none" else server.replicas,
        "containers": [container],
        "volumes": pod["volumes"],
    }
    return made("InferenceService", "serving.kserve.io/v1beta1", going.name, {"predictor": predictor}, server.annotations)
