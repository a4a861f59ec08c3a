"""What every escalation shares: a way to reach a person when no step ended an alert. It is a module of this folder; its file
name is the key of `monitoring.resolution` that says whom. It has:

DESCRIPTION                       for the reference
send(to, evidence, environ)       tell `to`; what it returns says where, and `Unsent` why it could not
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from gatekeeper.errors import GatekeeperError
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.monitor.resolution.evidence import Evidence

ESCALATIONS = Registry("monitor.escalations", ("DESCRIPTION", "send"))


class Unsent(GatekeeperError):
    """Nobody was reached; the message says why, and holds no secret."""


class Escalation(Protocol):
    """The shape of an escalation module."""

    DESCRIPTION: str
    send: Callable[[str, Evidence, Mapping[str, str]], str]


def telling(own: Any, environ: Mapping[str, str]) -> Callable[[Evidence], tuple[list[str], list[str]]]:
    """Whoever the section names, each by itself: one that fails keeps nobody from hearing by another."""

    def tell(evidence: Evidence) -> tuple[list[str], list[str]]:
        sent, unsent = list[str](), list[str]()
        for name in ESCALATIONS.names:
            if not (to := getattr(own, name, None)):
                continue
            try:
                sent.append(cast(Escalation, ESCALATIONS.get(name)).send(to, evidence, environ))
            except GatekeeperError as error:
                unsent.append(f"{name}: {error}")
        return sent, unsent

    return tell
