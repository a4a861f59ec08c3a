"""The load that a pipeline file asks for: `testing.load` and `testing.soak`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.config.section import Duration, Section

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded

Scenario = Literal["single_stream", "server", "offline"]
SCENARIOS: tuple[Scenario, ...] = ("single_stream", "server", "offline")

MOST_REQUESTS = 2_000_000
"""More of one run cannot be kept; nothing asks for more, and a rate that nobody can reach ends here."""


class LoadProfile(Section, frozen=True, kw_only=True):
    """The load that `load_tests` puts on a variant. What is left out is found by measuring."""

    target_qps: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(
            description="Requests per second that must be served; default: half of what the baseline answers when all requests "
            "are there at once, or less where it does not bear that.",
        ),
    ] = None
    p99_ms: Annotated[
        Annotated[float, Meta(gt=0, le=3.6e6)] | None,
        Meta(description="The same limit as `gates.p99_latency.max_ms`; give one of them."),
    ] = None
    duration: Annotated[
        Duration | None,
        Meta(
            description="Length of the server scenario, from 1s to 24h, from which the others follow; default: by the level. It "
            "goes on for longer where that is too few requests to judge a p99."
        ),
    ] = None
    scenarios: Annotated[
        tuple[Scenario, ...],
        Meta(
            min_length=1,
            description="MLPerf scenarios to run: one request at a time, requests at random times at the target's rate, all at "
            "once. `p99_latency` and `error_rate` are judged on `server`, `throughput` on `offline`.",
        ),
    ] = SCENARIOS
    over: Annotated[
        Literal["http", "in_process"],
        Meta(
            description="Where requests go: to `gatekeeper serve` over HTTP, or to a session in the load generator's process. "
            "`endurance` is measured behind a server in both cases, `overload` only over HTTP."
        ),
    ] = "http"


class SoakProfile(Section, frozen=True, kw_only=True):
    """A long run, for leaks and slow decay, at the target's rate or half of what the variant bears if that is less."""

    duration: Annotated[
        Duration,
        Meta(
            description="How long, from 8s to 24h. Without this section there is a long run at production_scale, and only there."
        ),
    ] = "60s"


def profile(loaded: Loaded) -> LoadProfile:
    """What is put on a variant; a policy that sends more a second, or allows less time for an answer, holds."""
    own: LoadProfile = loaded.section("testing").load
    both = loaded.stated_in_both()
    rates = [rate for each in both if (rate := each.section("testing").load.target_qps) is not None]
    bounds = [_p99_ms(each) for each in both if each is loaded or each.tests("load_tests")]
    bound = None if bounds[-1] is None else min(ms for ms in bounds if ms is not None)
    return msgspec.structs.replace(own, target_qps=max(rates, default=None), p99_ms=bound)


def _p99_ms(loaded: Loaded) -> float | None:
    """The latency limit, under either of its two names; of targets that have one of their own, the common one."""
    gates: Any = loaded.pipeline.gates
    own: float | None = getattr(gates.p99_latency, "max_ms", None)
    stated: float | None = loaded.section("testing").load.p99_ms
    return stated if own is None else own
