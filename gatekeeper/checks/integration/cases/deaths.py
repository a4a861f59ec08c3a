"""Processes that are killed under traffic."""

from __future__ import annotations

import os
import signal
import time

from gatekeeper.checks.integration.base import Case
from gatekeeper.checks.integration.service import Service
from gatekeeper.checks.outcome import Broken
from gatekeeper.serve.child import Server

GONE_S = 10.0


def session_killed(service: Service, server: Server) -> str:
    """The model's process is killed under traffic: every request is answered right all the same."""
    before = server.session_pids()

    def kill() -> None:
        for pid in before:
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    traffic = service.traffic(server, kill)
    traffic.none("wrong", "failed", "lost", "unreached")
    traffic.answered()
    after = server.session_pids()
    if not after or set(after) & set(before):
        raise Broken(f"the session's process was killed, and no other took its place (it was {before}, and is {after})")
    refused = traffic.count("refused")
    more = f"; {refused} were refused with 503 meanwhile" if refused else ""
    return f"{len(traffic.sent) - refused} requests around the kill were answered, all of them right{more}"


def server_killed(service: Service, server: Server) -> str:
    """The server is killed under traffic: nothing of it is left, and it comes up again on its port."""
    sessions, port = server.session_pids(), server.port
    traffic = service.traffic(server, server.kill)
    traffic.none("wrong", "failed")
    deadline = time.monotonic() + GONE_S
    while left := [pid for pid in sessions if _runs(pid)]:
        if time.monotonic() > deadline:
            raise Broken(f"the server was killed, and its process {left[0]} is still there {GONE_S:g} s later")
        time.sleep(0.05)
    server.close()
    with service.started(port=port) as again:
        said = service.exchange(again)
    return f"{traffic.count('right')} requests answered right before; ready again on the same port, and {said}"


def _runs(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


CASES = (
    Case("session_killed", "full_pipeline", session_killed),
    Case("server_killed", "full_pipeline", server_killed, fresh=True),
)
