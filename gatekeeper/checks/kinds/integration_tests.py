"""The variant behind a real server, asked by a public client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.checks.integration.base import LEVELS as LEVELS
from gatekeeper.checks.kinds._base import Bench, Outcome
from gatekeeper.gates._checks import checks_gate

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded

DESCRIPTION = (
    "The variant behind a server, asked by a public client. `smoke`: it comes up, describes the model, answers some examples as "
    "the session does bit for bit, refuses what is no request, and stops. `full_pipeline`: it answers the whole evaluation set, "
    "and under traffic its processes are killed and it is told to stop. Every test is in docs/testing.md."
)
TITLE = "behind a server"
ORDER = 20
SERVER = True
GATE = checks_gate("integration_tests", "Every test of the variant behind its server passes.")


def expected(loaded: Loaded | None, level: str, text: bool) -> list[str]:
    """The tests of a level."""
    from gatekeeper.checks.integration.base import READY, cases

    return [READY.name, *(case.name for case in cases(level, text))]


def run(bench: Bench) -> Outcome:
    """It answers over HTTP exactly as its session does, whatever happens to its processes."""
    from gatekeeper.checks.integration.run import integration_checks

    return Outcome(checks=integration_checks(bench.subject, bench.level, bench.dataset))
