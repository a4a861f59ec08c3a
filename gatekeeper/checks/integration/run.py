"""The variant behind a real server: it answers over HTTP exactly as its session does, whatever happens to its processes."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from gatekeeper.checks.asking import asked, call
from gatekeeper.checks.integration.base import READY, Case, cases
from gatekeeper.checks.integration.service import Service
from gatekeeper.checks.outcome import Broken, checked, not_run
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check
from gatekeeper.serve.behind import NAME, ready_s, served
from gatekeeper.serve.child import Server

KIND = "integration_tests"


def integration_checks(subject: Subject, level: str, dataset: Path | None = None) -> list[Check]:
    """The tests of a level; `dataset` is the prepared evaluation set."""
    with tempfile.TemporaryDirectory(dir=subject.space.scratch, prefix="served-") as scratch:
        return _in_order(Service(subject, Path(scratch), level, dataset))


def _in_order(service: Service) -> list[Check]:
    """Where no server comes up, the others are not tried."""
    chosen = cases(service.level, service.subject.spec.text is not None)
    with Server(served(service.subject), service.scratch) as server:
        checks = [checked(KIND, READY.name, lambda: _ready(service, server))]
        if checks[0].verdict is not Verdict.PASS:
            return checks + not_run(KIND, [case.name for case in chosen], checks[0].reason)
        checks += [checked(KIND, case.name, partial(_shared, case, service, server)) for case in chosen if not case.fresh]
    return checks + [checked(KIND, case.name, partial(_fresh, case, service)) for case in chosen if case.fresh]


def _ready(service: Service, server: Server) -> str:
    with asked():
        started = time.monotonic()
        server.wait_ready(ready_s(service.subject))
        took = time.monotonic() - started
        for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{NAME}/ready"):
            status, _ = call(server.address, "GET", path)
            if status != 200:
                raise Broken(f"{path} is answered with {status}")
    return f"ready after {took:.1f} s"


def _shared(case: Case, service: Service, server: Server) -> str:
    """On a server that others have used."""
    if not server.alive:
        raise Broken("the server has ended")
    with asked():
        return case.run(service, server)


def _fresh(case: Case, service: Service) -> str:
    with asked(), service.started() as server:
        return case.run(service, server)
