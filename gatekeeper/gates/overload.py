"""With more requests than it bears, the variant's server refuses what it cannot take, and is itself again soon after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gatekeeper.gates._checks import ChecksConfig, judge_checks

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.gates import Decision

DESCRIPTION = "Over its capacity the server sheds, loses no accepted request, and recovers; at `production_scale` over HTTP."
UNIT = "failed checks"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["checks"] = "checks"
TESTED_BY = "load_tests"
JUDGES = ("stress",)
CHECKS = "load_tests"
limit_key = "max_failed"

Config = ChecksConfig
DEFAULT = Config()


def judge(config: ChecksConfig, evidence: Evidence) -> Decision:
    """PASS if no more checks failed than allowed."""
    return judge_checks(CHECKS, config, evidence)
