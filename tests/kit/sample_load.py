"""Load as the gates of the testing stage get it, made of the latencies that a test wants."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence, LoadEvidence, Requests, Soak
from gatekeeper.records.measured import Artifact
from gatekeeper.records.tested import Check
from gatekeeper.stats.looks import ALPHA

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)


def requests(latency_ms: Any, failed: Any = None, shed: Any = None, qps: float = 100.0) -> Requests:
    """Requests at even intervals; `failed` and `shed` say which have no answer."""
    latency = np.asarray(latency_ms, dtype=float)
    nothing = np.zeros(latency.size, dtype=bool)
    gone, refused = (nothing if which is None else np.asarray(which, dtype=bool) for which in (failed, shed))
    ok = ~(gone | refused)
    return Requests(
        start_ns=np.round(np.arange(latency.size) * 1e9 / qps).astype(np.int64),
        latency_ns=np.where(ok, np.round(latency * 1e6), 0).astype(np.int64),
        lag_ns=np.zeros(latency.size, dtype=np.int64), ok=ok, shed=refused,
    )  # fmt: skip


def soak(failed: Any = None, memory: Any = None, slower: Any = None, seconds: float = 60.0) -> Soak:
    """A long run: by default level, with the noise of a machine. `slower` has ratios to a fresh server, one a turn."""
    rng = np.random.default_rng(1)
    gone = np.zeros(4000, bool) if failed is None else np.asarray(failed, dtype=bool)
    held = 1e8 * (1 + 0.001 * rng.standard_normal(240)) if memory is None else np.asarray(memory, dtype=float)
    ratios = 1 + 0.03 * rng.standard_normal(10) if slower is None else np.asarray(slower, dtype=float)
    at_s = [float(t) for t in np.linspace(0.25, seconds, held.size)]
    sent = requests(np.full(gone.size, 2.0), gone, qps=max(1, gone.size) / seconds)
    return Soak(sent, at_s, [int(b) for b in held], [2 * float(r) for r in ratios], [2.0] * ratios.size)


def under_load(alpha: float = ALPHA, **load: Any) -> Evidence:
    """Evidence of a variant under load."""
    return Evidence(artifact=ARTIFACT, alpha=alpha, load=LoadEvidence(**load))


def check(
    name: str = "opens",
    verdict: Verdict = Verdict.PASS,
    reason: str = "",
    kind: str = "unit_tests",
    seconds: float = 0.5,
) -> Check:
    """One test of the testing stage."""
    return Check(kind=kind, name=name, verdict=verdict, reason=reason, seconds=seconds)
