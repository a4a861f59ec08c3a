"""More of the processor."""

from __future__ import annotations

from gatekeeper.monitor.actions._base import Change, Serving

DESCRIPTION = "Twice as many threads, up to the cores that the machine has."
ORDER = 10
HELPS = ("latency_p50", "latency_p95", "latency_p99", "error_rate")


def change(serving: Serving) -> Change | str:
    """Threads of a session: what runs beside it is at most what the machine has."""
    most = serving.cores // serving.workers
    threads = min(2 * serving.threads, most)
    if threads <= serving.threads:
        return f"its {serving.workers} session(s) of {serving.threads} thread(s) have all {serving.cores} core(s)"
    return Change(f"{threads} threads instead of {serving.threads}", {"threads": threads}, cores=threads * serving.workers)
