"""Answers are kept for questions that come again."""

from __future__ import annotations

from gatekeeper.monitor.actions._base import Change, Serving

DESCRIPTION = "Answers are kept for questions that come again, to the byte; it helps where many do."
ORDER = 20
HELPS = ("latency_p50", "latency_p95", "latency_p99", "error_rate")
KEPT = 4096


def change(serving: Serving) -> Change | str:
    """A model that writes text answers in pieces, which are not kept."""
    if serving.text:
        return "it writes text, which is not kept"
    if serving.cache >= KEPT:
        return f"{serving.cache} answers are kept already"
    return Change(f"{KEPT} answers are kept", {"cache": KEPT})
