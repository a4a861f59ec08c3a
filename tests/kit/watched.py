"""The record of alerts that were raised, made up as an honest one is."""

from __future__ import annotations

from gatekeeper.monitor.alerts._base import in_order
from gatekeeper.records.watched import Alerted, Watching


def watching(variant: str = "edge/onnx_runtime/int8", artifact: str = "a" * 64) -> Watching:
    """Every alert that a fault raises."""
    ruled = {name: module.FAULT for name, module in in_order() if hasattr(module, "FAULT")}
    alerts = [
        Alerted(alert=name, fault=fault, arrived=7, fired_s=3.5, silent=True, least=299, seen=900)
        for name, fault in ruled.items()
    ]
    left = [name for name, module in in_order() if not hasattr(module, "FAULT")]
    told = {"how": "real_time", "rate_qps": 100.0, "window_s": 6.0, "seconds": 60.0}
    return Watching(variant=variant, artifact=artifact, alerts=alerts, not_shown=left, **told)  # type: ignore[arg-type]
