"""What every engine shares: a controller of Kubernetes that moves traffic, for which gatekeeper writes files and applies none.
An engine is a module of this folder; its file name is what `gatekeeper deploy --for` takes. It has:

DESCRIPTION         one sentence, for the reference
NOTE                what must be there before its files are applied, in one sentence
STRATEGIES          the strategies of a pipeline file that it can carry out
files(going)        its objects, by file name; pure: the same input gives the same bytes

Every engine asks the judge and decides nothing itself: it promotes on `promote`, goes back on `rollback`, and waits on everything
else. What it waits for at most is `WAITS` looks, `EVERY` apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from gatekeeper.deploy.packages._manifests import Server, network_policy, yaml_of
from gatekeeper.deploy.strategies._base import Ramping, steps
from gatekeeper.errors import UsageError, nearest
from gatekeeper.registry import Registry

ENGINES = Registry("deploy.engines", needs=("DESCRIPTION", "NOTE", "STRATEGIES", "files"))
EVERY, WAITS = "30s", 240
"""Two hours a step: at a limit of 1 % its evidence takes 339 stretches of time, which are 85 minutes where Prometheus looks every
15 seconds.
"""
VERDICT = "/v1/verdict"

Object = dict[str, Any]


@dataclass(frozen=True)
class Going:
    """What goes live and how. `judge` is the address of what answers `VERDICT`, without a slash at its end."""

    server: Server
    strategy: str
    ramping: Ramping
    automatic: bool
    judge: str
    ingress: str = "nginx"  # class

    @property
    def name(self) -> str:
        """Of the objects."""
        return self.server.name

    @property
    def shares(self) -> tuple[int, ...]:
        """Green's shares in percent, step by step."""
        return steps(self.strategy, self.ramping)

    def url(self, **asked: object) -> str:
        """Where the judge is asked."""
        return f"{self.judge}{VERDICT}?" + "&".join(f"{key}={value}" for key, value in {"model": self.name, **asked}.items())


class Engine(Protocol):
    """The shape of an engine module."""

    DESCRIPTION: str
    NOTE: str
    STRATEGIES: tuple[str, ...]

    @staticmethod
    def files(going: Going) -> Mapping[str, str]: ...


def engine(name: str, strategy: str) -> Engine:
    """The engine of that name; a `UsageError` where there is none, or where it has no such strategy."""
    if name not in ENGINES.names:
        raise UsageError(
            f"--for {name!r:.100} is not known{nearest(name, ENGINES.names) or '.'} It is one of {', '.join(ENGINES.names)}."
        )
    found = cast(Engine, ENGINES.get(name))
    if strategy not in found.STRATEGIES:
        can = " or ".join(found.STRATEGIES)
        raise UsageError(f"deployment.strategy is {strategy}, which {name} does not do. Say {can}, or use another engine.")
    return found


def made(kind: str, version: str, name: str, spec: Object, annotations: Mapping[str, str] | None = None) -> Object:
    """An object with the labels that all of them have."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "gatekeeper"}
    told: Object = {"name": name, "labels": labels} | ({"annotations": dict(annotations)} if annotations else {})
    return {"apiVersion": version, "kind": kind, "metadata": told, "spec": spec}


def ingress(going: Going, service: str) -> Object:
    """What brings users' requests of the Open Inference Protocol to a service."""
    backend = {"service": {"name": service, "port": {"name": "http"}}}
    rule = {"http": {"paths": [{"path": "/v2", "pathType": "Prefix", "backend": backend}]}}
    return made("Ingress", "networking.k8s.io/v1", going.name, {"ingressClassName": going.ingress, "rules": [rule]})


def admitted(going: Going) -> Object:
    """The network policy of a package, but for any namespace: an ingress lies in one of its own."""
    found = network_policy(going.server)
    found["spec"]["ingress"] = [{"from": [{"namespaceSelector": {}}], "ports": [{"port": "http", "protocol": "TCP"}]}]
    return found


def written(objects: Mapping[str, Object], comment: str = "") -> dict[str, str]:
    """The objects as files."""
    return {
        f"{name}.yaml": yaml_of(each, comment).replace("gatekeeper package", "gatekeeper deploy", 1)
        for name, each in objects.items()
    }
