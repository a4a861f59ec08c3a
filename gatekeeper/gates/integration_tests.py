"""The variant answers over HTTP as it does directly, also when the server is killed or drained."""

from __future__ import annotations

from typing import Literal

from gatekeeper.gates._checks import ChecksConfig, judge_checks
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision

DESCRIPTION = "Every test of the variant behind its server passes."
UNIT = "failed checks"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["checks"] = "checks"
TESTED_BY = "integration_tests"
limit_key = "max_failed"


class Config(ChecksConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of `integration_tests`."""


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if no more checks failed than allowed."""
    return judge_checks(TESTED_BY, config, evidence)
