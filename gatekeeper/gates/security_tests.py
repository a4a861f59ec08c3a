"""Hostile input does not crash the server, hang it or make it grow."""

from __future__ import annotations

from typing import Literal

from gatekeeper.gates._checks import ChecksConfig, judge_checks
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision

DESCRIPTION = "Every attack on the server is refused as it should be."
UNIT = "failed checks"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["checks"] = "checks"
TESTED_BY = "security_tests"
limit_key = "max_failed"


class Config(ChecksConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of `security_tests`."""


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if no more checks failed than allowed."""
    return judge_checks(TESTED_BY, config, evidence)
