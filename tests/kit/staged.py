"""The record of packages that were built and tried, made up as an honest one is."""

from __future__ import annotations

from typing import Any

import msgspec

from gatekeeper.records.packaged import Packaged, RoundTrip, Tampered, Validated
from gatekeeper.verdicts.packaged import checks_of

PACKAGING = """\
  packaging:
    kubernetes: {memory: 300MiB}
    mobile_deployment:
      cross_platform: {framework: onnx_runtime, quantization: int8, packaging: {format: onnx}}
"""
KUBERNETES, PHONE = "packaging.kubernetes", "packaging.mobile_deployment.cross_platform"


def packaged(
    key: str = KUBERNETES, variant: str = "edge/onnx_runtime/int8", artifact: str = "a" * 64, **changes: Any
) -> Packaged:
    """One that is well, but for what is changed of it; its checks are those of what it then holds, unless changed, too."""
    cluster = key == KUBERNETES
    known: dict[str, Any] = {
        "key": key, "kind": "kubernetes" if cluster else "mobile", "variant": variant, "artifact": artifact, "files": 9,
        "sums": "c" * 64, "pulled": cluster, "stand_in": ["image"] if cluster else [],
        "framework": "" if cluster else "onnx_runtime", "quantization": "" if cluster else "int8",
        "objects": [Validated(file="manifests/service.yaml", kind="Service", schema="Kubernetes 1.34")] if cluster else [],
        "round_trip": RoundTrip(
            registry="docker-registry 2.8.2", digest="sha256:" + "d" * 64, layer="sha256:" + "e" * 64, came_back="c" * 64
        ),
        "tampered": Tampered(handed_out="sha256:" + "f" * 64, refused="It was changed there"),
    }  # fmt: skip
    made = Packaged(**known | changes)
    return made if "checks" in changes else msgspec.structs.replace(made, checks=checks_of(made))


def both(variant: str = "edge/onnx_runtime/int8", artifact: str = "a" * 64) -> list[Packaged]:
    """What `PACKAGING` asks for."""
    return [packaged(key, variant, artifact) for key in (KUBERNETES, PHONE)]
