"""What the gates on checks of the testing stage share: every check of their kind must pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, cast

from msgspec import Meta

from gatekeeper.gates._base import Gate, GateConfig, unmeasured
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.tested import Check

MOST_NAMED = 3
CHECKS = "checks"
"""Where a result keeps how many checks there were, the skipped ones among them: none can be left out of a report unseen."""


class ChecksConfig(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many checks may fail."""

    max_failed: Annotated[int, Meta(ge=0, description="Checks that may fail; one that could not run is never tolerated.")] = 0


def checks_gate(kind: str, description: str) -> Gate:
    """The gate of a kind of check, under the kind's own name."""
    return cast(Gate, _ChecksGate(kind, description))


class _ChecksGate:
    """What a module of this folder has, for any kind of check."""

    UNIT = "failed checks"
    BOUND: Literal["at_most"] = "at_most"
    BASIS: Literal["checks"] = "checks"
    Config = ChecksConfig
    DEFAULT = ChecksConfig()
    limit_key = "max_failed"

    def __init__(self, kind: str, description: str):
        self.TESTED_BY, self.DESCRIPTION = kind, description

    def judge(self, config: ChecksConfig, evidence: Evidence) -> Decision:
        """PASS if no more checks failed than allowed."""
        return judge_checks(self.TESTED_BY, config, evidence)


def judge_checks(kind: str, config: ChecksConfig, evidence: Evidence) -> Decision:
    """FAIL if more checks failed than allowed, or all did; ERROR if there are none, or one could not be run."""
    checks = [check for check in evidence.checks if check.kind == kind]
    ran = [check for check in checks if check.verdict is not Verdict.SKIP]
    details = {CHECKS: len(checks)}
    if not ran:
        return unmeasured(f"no check of {kind} was run")
    failed = [check for check in ran if check.verdict is Verdict.FAIL]
    broken = [check for check in ran if check.verdict not in (Verdict.FAIL, Verdict.PASS)]
    count = float(len(failed))
    if len(failed) > config.max_failed or len(failed) == len(ran):
        verdict, reason = Verdict.FAIL, f"{len(failed)} of {len(ran)} checks failed: {_said(failed)}"
    elif broken:
        return Decision(verdict=Verdict.ERROR, reason=f"{len(broken)} of {len(ran)} checks could not run: {_said(broken)}")
    else:
        verdict = Verdict.PASS
        reason = f"{len(ran) - len(failed)} of {len(ran)} checks passed" + (f"; failed: {_said(failed)}" if failed else "")
    return Decision(verdict=verdict, reason=reason, observed=count, lower=count, upper=count, details=details)


def lost(checks: Sequence[Check], expected: Sequence[str]) -> list[str]:
    """Checks that must be there, and are not; of a file of tests any of it is enough."""
    here = {name for check in checks for name in (check.name, check.name.partition("::")[0])}
    return [name for name in expected if name not in here]


def _said(checks: list[Check]) -> str:
    shown = "; ".join(f"{check.name}: {check.reason}" for check in checks[:MOST_NAMED])
    return shown + (f"; and {len(checks) - MOST_NAMED} more" if len(checks) > MOST_NAMED else "")
