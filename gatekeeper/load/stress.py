"""Requests over capacity: a server must refuse what it cannot take, answer what it took, and be itself again soon."""

from __future__ import annotations

from gatekeeper.load.sender import Sender
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Requests
from gatekeeper.records.tested import Check
from gatekeeper.units import format_number

OVERLOAD = 3.0
"""Times what it bears."""

AROUND_S, RECOVERY = 2.0, 2.0
"""The seconds right before and after too much; the median after is at most so many times the one before."""


HOLDS = ("loses_no_accepted_request", "sheds_over_capacity", "recovers")
"""What is checked, in the order of the report."""


def stress(sender: Sender, rate: float, capacity: float, seconds: float) -> tuple[Requests, list[Check]]:
    """The requests that were too many, and what holds. `rate` is one that it bears with ease."""
    before = sender.send("server", rate, AROUND_S)
    over = sender.send("server", OVERLOAD * capacity, seconds)
    after = sender.send("server", rate, AROUND_S)
    said = f"at {OVERLOAD * capacity:,.0f}/s, {OVERLOAD:g} times what it bears"
    refused, sent = int(over.shed.sum()), int(over.ok.size) - over.unsent
    lost = sent - int(over.ok.sum()) - refused
    first, last = (median_ms(requests) for requests in (before, after))
    loses, sheds, recovers = HOLDS
    return over, [
        _check(loses, lost == 0, f"{said}: {lost} of {sent - refused:,} accepted requests have no answer"),
        _check(sheds, refused > 0, f"{said}: {refused:,} of {sent:,} requests were refused with 503"),
        _check(
            recovers,
            last <= RECOVERY * first,
            f"median {format_number(first)} ms before, {format_number(last)} ms in the {AROUND_S:g} s after, "
            f"allowed {RECOVERY:g} times",
        ),
    ]


def median_ms(requests: Requests) -> float:
    """Of the requests that were answered; infinite where none was."""
    import numpy as np

    return float(np.median(requests.latency_ns[requests.ok])) / 1e6 if requests.ok.any() else float("inf")


def _check(name: str, holds: bool, reason: str) -> Check:
    return Check(kind="load_tests", name=name, verdict=Verdict.PASS if holds else Verdict.FAIL, reason=reason)
