"""Argo Rollouts: a Rollout in the place of the Deployment, and the analysis that asks the judge.

The analysis is of the provider `web`: `promote` is a success, `rollback` a failure, and anything else is neither, which is
inconclusive and, after the last look, pauses the rollout for a person. A Job would abort it instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatekeeper.deploy.engines._base import EVERY, WAITS, Going, Object, admitted, ingress, made, written
from gatekeeper.deploy.packages._manifests import autoscaler, deployment, disruption_budget, service

DESCRIPTION = "Argo Rollouts: a Rollout with an AnalysisTemplate that asks the judge; traffic by the nginx ingress."
NOTE = "Argo Rollouts 1.8 or later (consecutiveSuccessLimit), and ingress-nginx for shares of the traffic."
STRATEGIES = ("blue_green", "canary", "rolling")
API = "argoproj.io/v1alpha1"
OLD_STAYS_S = 600
"""How long the old set is kept when it has no traffic any more: it may still answer, and is what one goes back to."""
NO_LOOK_S = 10


def files(going: Going) -> Mapping[str, str]:
    """The Rollout, its analysis, services and ingress."""
    old, new = f"{going.name}-stable", f"{going.name}-canary"
    objects = {
        "analysis": analysis(going),
        "rollout": rollout(going, old, new),
        "service-stable": _service(going, old),
        "service-canary": _service(going, new),
        "ingress": ingress(going, old),
        "network-policy": admitted(going),
    }
    if going.server.scaling in ("horizontal", "gpu_aware"):
        scaler = autoscaler(going.server)
        scaler["spec"]["scaleTargetRef"] |= {"apiVersion": API, "kind": "Rollout"}
        objects["autoscaler"] = scaler
    if going.server.replicas > 1:
        objects["disruption-budget"] = disruption_budget(going.server)
    return written(objects)


def analysis(going: Going) -> Object:
    """One question, again and again: it ends with the first `promote` or `rollback`."""
    metric = {
        "name": "verdict",
        "interval": EVERY,
        "count": WAITS,
        "successCondition": 'result == "promote"',
        # with `rollback: manual` that is no failure, which would go back, but neither: it pauses where it is
        "failureCondition": 'result == "rollback"' if going.automatic else "false",
        "consecutiveSuccessLimit": 1,
        "failureLimit": 0,
        "inconclusiveLimit": WAITS - 1,
        "consecutiveErrorLimit": WAITS - 1,  # a judge that is away for a while is no reason to go back
        "provider": {
            "web": {
                "url": going.url(step="{{args.step}}", green="{{args.green}}"),
                "timeoutSeconds": NO_LOOK_S,
                "jsonPath": "{$.decision}",
            }
        },
    }
    spec = {"args": [{"name": "step"}, {"name": "green"}], "metrics": [metric]}
    return made("AnalysisTemplate", API, f"{going.name}-verdict", spec)


def rollout(going: Going, old: str, new: str) -> Object:
    """The Deployment's own pods, replaced step by step."""
    of = deployment(going.server)["spec"]
    spec = {
        **({"replicas": of["replicas"]} if "replicas" in of else {}),
        "selector": of["selector"],
        "template": of["template"],
        "strategy": _blue_green(going, old, new) if _whole(going) else _canary(going, old, new),
    }
    return made("Rollout", API, going.name, spec)


def _whole(going: Going) -> bool:
    """Whether all traffic moves at once."""
    return going.strategy == "blue_green" and going.ramping == "immediate"


def _blue_green(going: Going, active: str, preview: str) -> Object:
    """Judged on questions to the preview before the switch, and on users' requests after it."""
    return {
        "blueGreen": {
            "activeService": active,
            "previewService": preview,
            "autoPromotionEnabled": True,
            "scaleDownDelaySeconds": OLD_STAYS_S,
            "prePromotionAnalysis": _asked(going, 0),
            "postPromotionAnalysis": _asked(going, 100),
        }
    }


def _canary(going: Going, stable: str, canary: str) -> Object:
    """`blue_green` that is gradual is a canary with all of its pods from the beginning."""
    steps: list[Object] = [{"setCanaryScale": {"weight": 100}}] if going.strategy == "blue_green" else []
    for share in going.shares:
        steps += [{"setWeight": share}, {"analysis": _asked(going, share)}]
    return {
        "canary": {
            "stableService": stable,
            "canaryService": canary,
            "maxUnavailable": 0,
            "abortScaleDownDelaySeconds": OLD_STAYS_S,
            "scaleDownDelaySeconds": OLD_STAYS_S,
            "trafficRouting": {"nginx": {"stableIngress": going.name}},
            "steps": steps,
        }
    }


def _asked(going: Going, share: int) -> Object:
    return {
        "templates": [{"templateName": f"{going.name}-verdict"}],
        "args": [{"name": "step", "value": str(share)}, {"name": "green", "valueFrom": {"podTemplateHashValue": "Latest"}}],
    }


def _service(going: Going, name: str) -> Object:
    made_ = service(going.server)
    made_["metadata"] = made_["metadata"] | {"name": name}
    return made_
