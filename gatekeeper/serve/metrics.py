"""What a server tells Prometheus at /metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gatekeeper.evaluate.tasks._base import REGISTRY as TASKS
from gatekeeper.serve.tensors import Feed

LATENCIES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, task: str | None):
        self.registry = CollectorRegistry()
        self.classifies = task in TASKS.names and TASKS.get(task).ANSWERS == "class"
        own = self.registry
        self.requests = Counter("gatekeeper_requests", "Requests by HTTP status.", ["code"], registry=own)
        self.latency = Histogram(
            "gatekeeper_request_seconds", "From a request's head to its answer.", buckets=LATENCIES_S, registry=own
        )
        self.batches = Histogram("gatekeeper_batch_size", "Examples answered together.", buckets=SIZES, registry=own)
        self.restarts = Counter("gatekeeper_session_restarts", "Session processes that died.", registry=own)
        self.remembered = Counter("gatekeeper_cache_hits", "Answers that had been given before.", registry=own)
        self.confidence = Histogram(
            "gatekeeper_confidence", "Largest class probability of each example.", buckets=SHARES, registry=own
        )
        self._queue = Gauge("gatekeeper_queue_depth", "Requests that wait for a session.", registry=own)

    def watch(self, depth: Callable[[], float]) -> None:
        """Where the depth of the queue can be read."""
        self._queue.set_function(depth)

    def answered(self, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(str(status)).inc()
        self.latency.observe(seconds)

    def confident(self, answer: Feed) -> None:
        """Keep how sure a classifier was: the largest probability, by a softmax where the output holds logits."""
        for array in answer.values() if self.classifies else ():
            if array.ndim == 2 and array.dtype.kind == "f" and array.shape[1] > 1:
                for row in array[: SIZES[-1]]:
                    if np.isfinite(row).all():
                        self.confidence.observe(_largest(row.astype(float)))
                return

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _largest(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    if row.min() >= 0 and abs(row.sum() - 1) < 1e-3:
        return float(row.max())
    return float(1 / np.exp(row - row.max()).sum())
