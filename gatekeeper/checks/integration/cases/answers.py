"""What the server answers: what the session does, and a refusal where the request is none."""

from __future__ import annotations

import json

from gatekeeper.checks.asking import call
from gatekeeper.checks.integration.base import Case
from gatekeeper.checks.integration.service import Service
from gatekeeper.checks.outcome import Broken
from gatekeeper.serve.behind import NAME
from gatekeeper.serve.child import Server

ALL_FEEDS, ALL_JSON_S = 10_000, 20.0


def answers(service: Service, server: Server) -> str:
    """Answers over HTTP, as binary tensors and as JSON, equal the session's bit for bit, and no process died; some examples at
    smoke, all of the evaluation set at full_pipeline (as JSON for 20 seconds at most).
    """
    if service.whole:
        return service.exchange(server, ALL_FEEDS, ALL_JSON_S, service.dataset)
    return service.exchange(server)


def bad_request(service: Service, server: Server) -> str:
    """Requests that are none get 4xx, and a good one is answered afterwards."""
    path = f"/v2/models/{NAME}/infer"
    for body in (b"", b"{", b'{"inputs": []}', json.dumps({"inputs": [{"name": "no such input"}]}).encode()):
        status, _ = call(server.address, "POST", path, body, {"Content-Type": "application/json"})
        if not 400 <= status < 500:
            raise Broken(f"{body.decode()!r} is answered with {status}, not refused")
    status, _ = call(server.address, "POST", "/v2/models/another/infer", b"{}")
    if status != 404:
        raise Broken(f"a model that is not there is answered with {status}, not 404")
    service.exchange(server, most=1)
    return "refused with 4xx, and a good request is answered right afterwards"


def texts(service: Service, server: Server) -> str:
    """Whole texts and streams are what the session writes."""
    count = service.converse(server)
    return f"{count} texts, whole and as streams, are those that the session writes"


CASES = (
    Case("answers", "smoke", answers),
    Case("bad_request", "smoke", bad_request),
    Case("texts", "smoke", texts, models="text"),
)
