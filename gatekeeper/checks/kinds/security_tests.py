"""Hostile requests to a server of the variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.checks.kinds._base import Bench, Outcome
from gatekeeper.checks.security.base import LEVELS as LEVELS
from gatekeeper.gates._checks import checks_gate

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded

DESCRIPTION = (
    "Hostile requests to a server of the variant: no crash, no hang, no 5xx, memory bounded, and a good request is answered as "
    "before. `basic`: tensors, JSON, bodies, paths and HTTP itself that are wrong, that lie about their size, that are too large "
    "or too slow. `comprehensive`: also dozens of bad connections at once, endless texts, and fuzzers. Every attack is in "
    "docs/testing.md."
)
TITLE = "hostile requests"
ORDER = 40
SERVER = True
GATE = checks_gate("security_tests", "Every attack on the server is refused as it should be.")


def expected(loaded: Loaded | None, level: str, text: bool) -> list[str]:
    """The attacks of a level."""
    from gatekeeper.checks.security.base import GOOD, attacks

    return [GOOD.name, *(attack.name for attack in attacks(level, text))]


def run(bench: Bench) -> Outcome:
    """Each group of attacks is a check."""
    from gatekeeper.checks.security.run import security_checks

    return Outcome(checks=security_checks(bench.subject, bench.level))
