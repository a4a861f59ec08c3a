"""The sign of the variants that are worth a look."""

from __future__ import annotations

from gatekeeper.records.report import TargetReport

PARETO = "◆"
PARETO_LEGEND = (
    f"{PARETO} no other variant of its target beats it in speed, memory or quality beyond noise, being no worse in all"
)


def worth_a_look(target: TargetReport) -> set[str]:
    """The variants on the frontier of speed, memory and quality, where there is more than one to choose from."""
    placed = [v for v in target.variants if v.pareto is not None]
    return {v.id for v in placed if v.pareto} if len(placed) > 1 else set()
