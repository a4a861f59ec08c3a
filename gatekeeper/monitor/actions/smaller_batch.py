"""Fewer examples are answered together."""

from __future__ import annotations

from gatekeeper.monitor.actions._base import Change, Serving

DESCRIPTION = "Half as many examples are answered together: each waits less for others, and less memory is held."
ORDER = 30
HELPS = ("latency_p50", "latency_p95", "latency_p99", "error_rate")


def change(serving: Serving) -> Change | str:
    """At least one."""
    if serving.max_batch <= 1:
        return "each request is answered by itself already"
    return Change(
        f"{serving.max_batch // 2} examples together instead of {serving.max_batch}", {"max_batch": serving.max_batch // 2}
    )
