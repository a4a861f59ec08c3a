"""Flagger: a Canary beside the Deployment, whose webhooks ask the judge.

Flagger reads nothing but the status of an answer: 200 is yes. Traffic is increased, and the model promoted, only on a yes to
`promote`, and goes back on a yes to `rollback`; without an answer it waits. It has no metrics of its own here: those promote
where there is no traffic.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatekeeper.deploy.engines._base import EVERY, Going, Object, admitted, ingress, made, written
from gatekeeper.deploy.packages._manifests import manifests

DESCRIPTION = "Flagger: a Canary beside the Deployment, with webhooks that ask the judge; traffic by the nginx ingress."
NOTE = "Flagger with ingress-nginx; it makes the services itself."
STRATEGIES = ("blue_green", "canary")
PORT, FAILED = 80, 5
OWN = ("service.yaml", "network-policy.yaml")
"""Services are made by Flagger, and an ingress lies in another namespace."""


def files(going: Going) -> Mapping[str, str]:
    """The Canary, the Deployment with all that belongs to it but its service, and the ingress."""
    of = {name: text for name, text in manifests(going.server).items() if name not in OWN}
    objects = {"canary": canary(going), "network-policy": admitted(going)} | (
        {"ingress": ingress(going, going.name)} if not _whole(going) else {}
    )
    return {name: text.replace("gatekeeper package", "gatekeeper deploy", 1) for name, text in of.items()} | written(objects)


def canary(going: Going) -> Object:
    """How it goes live."""
    of = {"apiVersion": "apps/v1", "kind": "Deployment", "name": going.name}
    ways: Object = {"iterations": 1} if _whole(going) else {"stepWeights": list(going.shares)}
    spec: Object = {
        "provider": "kubernetes" if _whole(going) else "nginx",
        "targetRef": of,
        "service": {"port": PORT, "portName": "http", "targetPort": "http"},
        "analysis": {"interval": EVERY, "threshold": FAILED, **ways, "webhooks": _webhooks(going)},
        "skipAnalysis": False,
    }
    if not _whole(going):
        spec["ingressRef"] = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": going.name}
    if going.server.scaling in ("horizontal", "gpu_aware"):
        spec["autoscalerRef"] = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": going.name}
    return made("Canary", "flagger.app/v1beta1", going.name, spec)


def _whole(going: Going) -> bool:
    """Whether all traffic moves at once."""
    return going.strategy == "blue_green" and going.ramping == "immediate"


def _webhooks(going: Going) -> list[Object]:
    """With `rollback: manual` nobody goes back but a person."""
    asked = (
        [("confirm-promotion", {"is": "promote", "of": "promotion"})]
        if _whole(going)
        else [
            ("confirm-traffic-increase", {"is": "promote", "of": "traffic"}),
            ("confirm-promotion", {"is": "promote", "of": "promotion"}),
        ]
    )
    asked += [("rollback", {"is": "rollback"})] if going.automatic else []
    return [{"name": kind, "type": kind, "url": going.url(**want), "timeout": "10s"} for kind, want in asked]
