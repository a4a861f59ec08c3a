"""Where steps are taken: what every place has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gatekeeper.monitor.resolution.journal import Entry

if TYPE_CHECKING:
    from gatekeeper.monitor.actions._base import Change, Serving
    from gatekeeper.monitor.decide import Finding


@dataclass(frozen=True)
class Ended:
    """How a step ended: `kept` if it serves from then on; `decision` in one word, `reason` in words."""

    decision: str
    reason: str
    kept: bool = False


class Waits(Exception):
    """Nothing can be tried now, and nothing was: another process is at work there."""


class Place(Protocol):
    """A host, or manifests."""

    def settle(self, cut: Entry | None) -> Ended | None:
        """Let one model serve, whatever an earlier run left, and say how a step ended that was cut short."""

    def serving(self) -> Serving:
        """What serves."""
        raise NotImplementedError

    def attempt(self, change: Change, finding: Finding, metric: str, begun: Callable[[str], None]) -> Ended:
        """Try a change; `begun` is told the id of what is started, before it is."""
        raise NotImplementedError
