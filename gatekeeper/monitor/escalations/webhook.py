"""A webhook, which is sent the evidence as JSON."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatekeeper.monitor.escalations._base import Unsent

if TYPE_CHECKING:
    from gatekeeper.monitor.resolution.evidence import Evidence

DESCRIPTION = "A POST of the evidence as JSON (`gatekeeper/escalation/v1`); 2xx is heard."
TIMEOUT_S = 15.0


def send(to: str, evidence: Evidence, environ: Mapping[str, str]) -> str:
    """Once. A redirect is not followed: a POST would become a GET."""
    import msgspec

    headers = {"Content-Type": "application/json", "User-Agent": "gatekeeper"}
    request = urllib.request.Request(to, msgspec.json.encode(evidence), headers, method="POST")
    host = urlsplit(to).netloc.rpartition("@")[2]
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as answer:
            return f"webhook at {host} ({answer.status})"
    except urllib.error.HTTPError as error:
        raise Unsent(
            f"{host} answers {error.code}. Correct monitoring.resolution.webhook, or look at who listens there."
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise Unsent(f"{host} does not answer: {why}. Start it, or correct monitoring.resolution.webhook.") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
