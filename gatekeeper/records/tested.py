"""What the testing stage found of a model."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record, Verdict


class Check(Record, frozen=True, kw_only=True):
    """One test of the testing stage on one model."""

    kind: Annotated[str, Meta(description="The key of `testing` that asked for it, e.g. unit_tests.")]
    name: Annotated[str, Meta(description="What is tested, e.g. batch_invariance.")]
    verdict: Verdict
    reason: str = ""
    seconds: Amount = 0.0


class LoadRun(Record, frozen=True, kw_only=True):
    """One scenario of load on one model. Latencies count from the intended start; a failed request has none."""

    scenario: Literal["single_stream", "server", "offline", "stress", "soak"]
    over: Literal["http", "in_process"]
    target_qps: Annotated[Amount | None, Meta(description="Requests sent per second; None: as fast as they went.")] = None
    completed_qps: Annotated[Amount, Meta(description="Requests per second that were answered well.")]
    requests: Count
    errors: Annotated[Count, Meta(description="Requests that failed or timed out.")] = 0
    shed: Annotated[Count, Meta(description="Requests refused with 503 because the queue was full; not among the errors.")] = 0
    duration_s: Amount
    p50_ns: Amount | None = None
    p95_ns: Amount | None = None
    p99_ns: Amount | None = None
    max_ns: Amount | None = None
    lag_p99_ns: Annotated[float | None, Meta(description="How late the load generator itself sent its requests.")] = None
    meets: Annotated[bool | None, Meta(description="Whether p99 and errors are within the limits; None: there are none.")] = None


class Tested(Record, frozen=True, kw_only=True):
    """What the testing stage found of one model."""

    checks: list[Check] = []
    load: Annotated[list[LoadRun], Meta(description="A line for each scenario.")] = []
    curve: Annotated[list[LoadRun], Meta(description="Latency against load, by rising rate.")] = []
    peak_qps: Annotated[float | None, Meta(description="The highest rate of `curve` that met the latency limit.")] = None
    bound_ms: Annotated[float | None, Meta(description="The latency limit that the curve was held against.")] = None
    notes: list[str] = []
    seconds: Amount = 0.0
