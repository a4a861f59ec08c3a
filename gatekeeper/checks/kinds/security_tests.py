"""What is hostile: in the variant's own files, and sent to a server of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.checks.kinds._base import Bench, Outcome
from gatekeeper.checks.security.base import LEVELS as LEVELS
from gatekeeper.checks.security.base import SCAN
from gatekeeper.gates._checks import checks_gate

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded

DESCRIPTION = (
    "Hostile requests to a server of the variant: no crash, no hang, no 5xx, memory bounded, and a good request is answered as "
    "before. `basic`: tensors, JSON, bodies, paths and HTTP itself that are wrong, that lie about their size, that are too large "
    "or too slow. `comprehensive`: also dozens of bad connections at once, endless texts, and fuzzers, after the files of every "
    "variant were scanned for hostile content. Every attack is in docs/testing.md."
)
TITLE = "hostile requests"
ORDER = 40
SERVER = True
GATE = checks_gate("security_tests", "Every attack on the server is refused as it should be, and the files hold none.")


def extras(loaded: Loaded) -> list[str]:
    """What scanning takes."""
    from gatekeeper.config.scanned import scanned_by

    return scanned_by(loaded) if loaded.level("security_tests") == SCAN.level else []


def expected(loaded: Loaded | None, level: str, text: bool) -> list[str]:
    """The scan, and the attacks of a level."""
    from gatekeeper.checks.security.base import tests

    return [test.name for test in tests(level, text)]


def upfront(bench: Bench) -> Outcome:
    """The files themselves, of every variant: whether they pass says nothing of a server."""
    from gatekeeper.checks.security.scan import scan_checks
    from gatekeeper.config.scanned import allowed_domains

    scanned = bench.level == SCAN.level
    return Outcome(checks=scan_checks(bench.subject, bench.level, allowed_domains(bench.loaded)) if scanned else [])


def run(bench: Bench) -> Outcome:
    """Each group of attacks is a check."""
    from gatekeeper.checks.security.run import security_checks

    return Outcome(checks=security_checks(bench.subject, bench.level))
