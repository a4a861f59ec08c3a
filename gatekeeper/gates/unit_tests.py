"""The variant keeps the contract of the original model: shapes, batches, determinism, odd values, concurrency."""

from __future__ import annotations

from typing import Literal

from gatekeeper.gates._checks import ChecksConfig, judge_checks
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision

DESCRIPTION = "Every contract test of the variant passes, your own pytest files among them."
UNIT = "failed checks"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["checks"] = "checks"
TESTED_BY = "unit_tests"
limit_key = "max_failed"


class Config(ChecksConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of `unit_tests`."""


DEFAULT = Config()


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if no more checks failed than allowed."""
    return judge_checks(TESTED_BY, config, evidence)
