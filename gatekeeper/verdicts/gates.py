"""From evidence to the result of one gate, tied to its limit in the pipeline file."""

from __future__ import annotations

from typing import Any

from gatekeeper.config.limits import Limit, as_number
from gatekeeper.ids import on_set, set_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision, GateResult


def judge_gate(limit: Limit, evidence: Evidence, known: Decision | None = None) -> GateResult:
    """One gate on one variant; `known` is what is concluded where its evidence could not be had."""
    left = _disabled(limit) or _of_others(limit, evidence.name)
    return left or _result(limit, known or limit.gate.judge(limit.config, evidence))  # type: ignore[arg-type]


def holds(limit: Limit, name: str, stated: dict[str, Any] | None = None) -> bool:
    """Whether a limit is one of that variant; `stated` is what its report says of whose it is, where nothing else does."""
    applies = getattr(limit.gate, "applies", None)
    return applies is None or limit.config is None or bool(applies(limit.config, name, stated))


def unmeasured_gate(limit: Limit, reason: str) -> GateResult:
    """A gate on a variant that could not be made or run."""
    return _disabled(limit) or _result(limit, Decision(verdict=Verdict.ERROR, reason=reason))


def _disabled(limit: Limit) -> GateResult | None:
    if limit.config is not None:
        return None
    return _result(limit, Decision(verdict=Verdict.SKIP, reason="disabled in the pipeline file"))


def _of_others(limit: Limit, name: str) -> GateResult | None:
    if holds(limit, name):
        return None
    details: dict[str, Any] = limit.gate.scope(limit.config)  # type: ignore[attr-defined]
    whose = " ".join(filter(None, (str(details.get(key, "")) for key in ("framework", "quantization"))))
    reason = f"only of {whose}, of which the package is made"
    return _result(limit, Decision(verdict=Verdict.SKIP, reason=reason, applies=False, details=details))


def _result(limit: Limit, decision: Decision) -> GateResult:
    value = getattr(limit.config, limit.gate.limit_key) if limit.config else None
    return GateResult(
        gate=on_set(decision.name, set_of(limit.name)) if decision.name else limit.name,
        verdict=decision.verdict if decision.applies else Verdict.SKIP,
        observed=decision.observed,
        lower=decision.lower,
        upper=decision.upper,
        limit=decision.limit if value is None else as_number(value),
        bound=limit.gate.BOUND,
        unit=limit.gate.UNIT,
        reason=decision.reason,
        where=limit.where,
        blocking=limit.config is not None and limit.config.blocks and decision.applies,
        details=decision.details | _as_before(decision),
        brief=decision.brief,
        settled=decision.settled,
        measured_limit=decision.measured_limit,
        control=decision.control,
    )


def _as_before(decision: Decision) -> dict[str, Any]:
    """Where readers of version 1 look for what has fields of its own by now."""
    details: dict[str, Any] = {"settled": True} if decision.settled else {}
    if decision.measured_limit:
        details["measured_limit"] = True
    if decision.control is not None:
        details["control"] = [decision.control.lower, decision.control.upper]
    return details
