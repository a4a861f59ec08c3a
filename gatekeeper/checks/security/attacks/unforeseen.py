"""Requests that nobody thought of, made up by fuzzers in a process of their own: the same ones for the same seed."""

from __future__ import annotations

from typing import Any, Literal

from gatekeeper.checks.outcome import Broken
from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.fuzz import Fuzz, Fuzzed
from gatekeeper.checks.security.openapi import described
from gatekeeper.checks.security.victim import Victim
from gatekeeper.errors import NotMeasured
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import run_job

Engine = Literal["openapi", "tensors"]
SEED = 20250101
SECONDS: dict[Engine, float] = {"openapi": 15.0, "tensors": 8.0}


def openapi(victim: Victim) -> int:
    """[schemathesis](https://schemathesis.io) on the server's OpenAPI description, 15 seconds, always the same seed."""
    return _fuzzed(victim, "openapi", described(victim.server.address))


def tensors(victim: Victim) -> int:
    """A good request changed at random places by [hypothesis](https://hypothesis.works), 8 seconds, always the same seed."""
    return _fuzzed(victim, "tensors", {})


def _fuzzed(victim: Victim, engine: Engine, description: dict[str, Any]) -> int:
    seconds, space = SECONDS[engine], victim.space
    request = Fuzz(url=victim.server.url, engine=engine, good=victim.good, description=description, seconds=seconds, seed=SEED)
    limit_s = min(4 * seconds + 60, space.timeout_s)
    fuzzed = run_job(space.scratch, request, Fuzzed, limit_s, space.memory_limit, reaching(space.scratch))
    if fuzzed.failures:
        raise Broken(f"{len(fuzzed.failures)} kinds of failure in {fuzzed.cases} requests: " + "; ".join(fuzzed.failures[:3]))
    if not fuzzed.cases:
        raise NotMeasured("unsupported", "the fuzzer made no request.")
    return fuzzed.cases


ATTACKS = (
    Attack("fuzzed_openapi", "comprehensive", openapi, seed=SEED),
    Attack("fuzzed_tensors", "comprehensive", tensors, seed=SEED),
)
