"""Another variant that passed, and that is faster."""

from __future__ import annotations

from gatekeeper.monitor.actions._base import Change, Serving

DESCRIPTION = "The fastest variant of the report that passed and is not what serves: of the original model, its quantized form."
ORDER = 40
HELPS = ("latency_p50", "latency_p95", "latency_p99", "error_rate")


def change(serving: Serving) -> Change | str:
    """What serves may be in the report as well; then only a faster one."""
    known = [each.faster for each in serving.variants if each.id == serving.variant]
    least = known[0] if known else 0.0
    others = [each for each in serving.variants if each.id != serving.variant and each.faster >= least]
    if not others:
        return "the report has no other variant that passed and is faster"
    best = others[0]
    return Change(f"{best.id} instead of {serving.variant or 'what serves'}", variant=best.id)
