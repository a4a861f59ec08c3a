"""What became of requests to a server to which something was done meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.checks.integration.client.traffic import Sent
from gatekeeper.checks.outcome import Broken

MARGIN_NS = 100_000_000
"""A request that was sent so long before the server was told to stop has reached it; of later ones a client cannot know."""


@dataclass(frozen=True)
class Aftermath:
    """Requests, and when something was done to the server among them."""

    sent: list[Sent]
    acted_ns: int

    def count(self, outcome: str) -> int:
        """How many ended in this way."""
        return sum(sent.outcome == outcome for sent in self.sent)

    def none(self, *outcomes: str) -> None:
        """`Broken` where a request ended in one of these ways."""
        bad = [sent for sent in self.sent if sent.outcome in outcomes]
        if bad:
            raise Broken(
                f"{len(bad)} of {len(self.sent)} requests went wrong; the first was {bad[0].outcome}: "
                f"{bad[0].said or 'no answer'}"
            )

    def accepted(self) -> Aftermath:
        """Those that had reached the server by then."""
        return Aftermath([sent for sent in self.sent if sent.began_ns < self.acted_ns - MARGIN_NS], self.acted_ns)

    def in_flight(self) -> int:
        """How many were on their way then, and were answered right."""
        return sum(sent.began_ns < self.acted_ns < sent.ended_ns and sent.outcome == "right" for sent in self.sent)

    def answered(self, after: bool = True) -> None:
        """A test in which nothing was answered, before and `after`, has tested nothing."""
        right = [sent for sent in self.sent if sent.outcome == "right"]
        if not any(sent.ended_ns < self.acted_ns for sent in right):
            raise Broken("no request was answered before")
        if after and not any(sent.began_ns > self.acted_ns for sent in right):
            raise Broken("no request was answered afterwards")
