"""An issue in a repository on GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gatekeeper.monitor.escalations._base import Unsent
from gatekeeper.monitor.resolution.evidence import text, title
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.monitor.resolution.evidence import Evidence

DESCRIPTION = "An issue with the evidence; the token is in GITHUB_TOKEN (`issues: write`)."
CALLS = Registry("github.calls", ("call",))
"""By name: who knows GitHub stands above this room."""


def send(to: str, evidence: Evidence, environ: Mapping[str, str]) -> str:
    """Opened once an escalation."""
    url, why = CALLS.get("open_issue").call(environ, to, title(evidence), text(evidence))
    if why:
        raise Unsent(why)
    return f"issue {url}"
