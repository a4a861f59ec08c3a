"""Servers that are told to stop."""

from __future__ import annotations

from gatekeeper.checks.integration.base import Case
from gatekeeper.checks.integration.service import Service
from gatekeeper.checks.outcome import Broken
from gatekeeper.serve.behind import DRAIN_S
from gatekeeper.serve.child import Server


def stops(service: Service, server: Server) -> str:
    """Told to stop, it ends with exit code 0 and leaves no process."""
    _ended_well(_told_to_stop(server))
    return "it stops with exit code 0 and leaves no process"


def drained(service: Service, server: Server) -> str:
    """Told to stop under traffic: no accepted request is lost, exit code 0, no process left."""
    codes: list[int] = []
    traffic = service.traffic(server, lambda: codes.append(_told_to_stop(server)))
    _ended_well(codes[0] if codes else None)
    traffic.none("wrong", "failed")
    traffic.accepted().none("lost", "unreached")
    traffic.answered(after=False)
    return (
        f"{traffic.count('right')} requests answered right, {traffic.in_flight()} of them in flight when it was told to stop; "
        "none that it had accepted was lost; exit code 0, and no process left"
    )


def two_servers(service: Service, server: Server) -> str:
    """Two servers beside each other; one is told to stop, and the other goes on."""
    with service.started() as other:
        if server.url == other.url:
            raise Broken(f"both say they are at {server.url}")
        service.exchange(server)
        _ended_well(_told_to_stop(server))
        service.exchange(other)
    return "both answer right, the second also after the first has stopped"


def _told_to_stop(server: Server) -> int:
    return server.drain(DRAIN_S + 10)


def _ended_well(code: int | None) -> None:
    if code != 0:
        raise Broken(f"told to stop, the server ended with code {code}, not 0")


CASES = (
    Case("stops", "smoke", stops, fresh=True),
    Case("drained", "full_pipeline", drained, fresh=True, replaces="stops"),
    Case("two_servers", "full_pipeline", two_servers, fresh=True),
)
