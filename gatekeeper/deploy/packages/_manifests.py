"""Kubernetes objects around one server image: what runs it, who reaches it, how many there are, and what it may not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.deploy.packages._base import DRAIN_S, PORT, USER
from gatekeeper.deploy.packages._resources import Needs, needs_of
from gatekeeper.errors import UsageError

if TYPE_CHECKING:
    from gatekeeper.deploy.packages._approved import Approved

UNREADY_S = 5
"""How long a pod that shall end still answers: so long others may not know it yet."""
CPU_BUSY = 70
"""Percent of the requested cores at which there is one more server."""
GPU_BUSY = 70
GPU_METRIC = "DCGM_FI_DEV_GPU_UTIL"
"""What NVIDIA's DCGM exporter calls the percentage, as an adapter for custom metrics hands it on."""

Object = dict[str, Any]
Scaling = Literal["horizontal", "vertical", "gpu_aware", "none"]


@dataclass(frozen=True)
class Server:
    """One image and how it is run. `port` answers /v2/health/live and /v2/health/ready."""

    name: str
    image: str
    needs: Needs
    replicas: int
    most: int
    scaling: Scaling
    gpus: int = 0
    port: int = PORT
    annotations: dict[str, str] = field(default_factory=dict)
    user: int = USER


def server_of(approved: Approved, stated: Any, key: str, name: str, image: str) -> Server:
    """A server of a variant, with what its section says; `key` is where that stands in the pipeline file."""
    if stated.max_replicas < stated.replicas:
        raise UsageError(f"{key}.max_replicas is {stated.max_replicas}, less than replicas, {stated.replicas}. Raise it.")
    artifact = approved.variant.artifact
    assert artifact is not None
    return Server(
        name=name,
        image=image,
        needs=needs_of(approved, stated, key),
        replicas=stated.replicas,
        most=stated.max_replicas,
        scaling=stated.scaling,
        annotations={
            "edge-gatekeeper/variant": approved.variant.id,
            "edge-gatekeeper/artifact": artifact.sha256,
            "edge-gatekeeper/report": approved.judged.digest,
        },
    )


def manifests(server: Server) -> dict[str, str]:
    """The objects as files, by name."""
    made = {"deployment": deployment(server), "service": service(server), "network-policy": network_policy(server)}
    if server.replicas > 1:
        made["disruption-budget"] = disruption_budget(server)
    if server.scaling in ("horizontal", "gpu_aware"):
        made["autoscaler"] = autoscaler(server)
    elif server.scaling == "vertical":
        made["vertical-autoscaler"] = vertical_autoscaler(server)
    return {f"{name}.yaml": yaml_of(each, f"Memory and cores: {server.needs.why}.") for name, each in made.items()}


def yaml_of(data: Object, comment: str = "") -> str:
    """YAML with keys in the order they were given, and a line that says what numbers rest on."""
    import yaml

    head = f"# Made by gatekeeper package. {comment}".rstrip()
    return f"{head}\n{yaml.safe_dump(data, sort_keys=False, width=120)}"


def deployment(server: Server) -> Object:
    """The servers. No limit on cores: being throttled amid an answer is what makes p99 bad; nodes go by requests."""
    memory, gpus = f"{server.needs.memory_mib}Mi", {"nvidia.com/gpu": server.gpus} if server.gpus else {}
    container = {
        "name": "server",
        "image": server.image,
        "ports": [{"name": "http", "containerPort": server.port}],
        "resources": {
            "requests": {"cpu": str(server.needs.cpus), "memory": memory, **gpus},
            "limits": {"memory": memory, **gpus},
        },
        "startupProbe": _probe("ready", periodSeconds=5, failureThreshold=60),
        "readinessProbe": _probe("ready", periodSeconds=5, failureThreshold=2),
        "livenessProbe": _probe("live", periodSeconds=10, failureThreshold=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": UNREADY_S}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _selector(server)},
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": UNREADY_S + DRAIN_S + 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": server.user,
            "runAsGroup": server.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
    }
    scaled = server.scaling in ("horizontal", "gpu_aware")
    return _object("apps/v1", "Deployment", server) | {
        "spec": {
            **({} if scaled else {"replicas": server.replicas}),  # else every apply would undo what the autoscaler did
            "selector": {"matchLabels": _selector(server)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": _labels(server), "annotations": server.annotations}, "spec": pod},
        }
    }


def service(server: Server) -> Object:
    """One address for all of them, inside the cluster."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return _object("v1", "Service", server) | {"spec": {"type": "ClusterIP", "selector": _selector(server), "ports": ports}}


def autoscaler(server: Server) -> Object:
    """More servers where those that run are busy: by their cores, or by their GPUs."""
    metric: Object = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": CPU_BUSY}},
    }
    if server.scaling == "gpu_aware":
        busy = {"metric": {"name": GPU_METRIC}, "target": {"type": "AverageValue", "averageValue": str(GPU_BUSY)}}
        metric = {"type": "Pods", "pods": busy}
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", server) | {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": server.name},
            "minReplicas": server.replicas,
            "maxReplicas": server.most,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        }
    }


def vertical_autoscaler(server: Server) -> Object:
    """A larger server: an object of the vertical pod autoscaler, which a cluster has only where it was installed."""
    return _object("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", server) | {
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": server.name},
            "updatePolicy": {"updateMode": "Auto"},
            "resourcePolicy": {
                "containerPolicies": [{"containerName": "server", "minAllowed": {"memory": f"{server.needs.memory_mib}Mi"}}]
            },
        }
    }


def disruption_budget(server: Server) -> Object:
    """Nobody drains more than one at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(server)}}
    return _object("policy/v1", "PodDisruptionBudget", server) | {"spec": spec}


def network_policy(server: Server) -> Object:
    """Others of its namespace may ask it; it asks nobody: the model is in the image."""
    return _object("networking.k8s.io/v1", "NetworkPolicy", server) | {
        "spec": {
            "podSelector": {"matchLabels": _selector(server)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "http", "protocol": "TCP"}]}],
            "egress": [],
        }
    }


def _object(version: str, kind: str, server: Server) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": server.name, "labels": _labels(server)}}


def _selector(server: Server) -> Object:
    return {"app.kubernetes.io/name": server.name}


def _labels(server: Server) -> Object:
    return _selector(server) | {"app.kubernetes.io/managed-by": "gatekeeper"}


def _probe(what: str, **times: int) -> Object:
    return {"httpGet": {"path": f"/v2/health/{what}", "port": "http"}, "timeoutSeconds": 2, **times}
