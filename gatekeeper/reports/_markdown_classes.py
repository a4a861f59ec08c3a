"""Classes, and groups of slices, one by one: how many examples each has, and how much of them each variant keeps."""

from __future__ import annotations

from typing import Any

from gatekeeper.records.report import TargetReport, VariantReport
from gatekeeper.reports._markdown_text import code, folded, row, table, text

MOST = 20
"""Rows that are shown, those of which most is lost."""
GATE = "worst_class"


def classes(target: TargetReport) -> str:
    """Those of which some variant keeps least, the worst first; empty where no classes were looked at."""
    named = {v.id: _classes(v) for v in target.variants}
    looked = [v for v in target.variants if named[v.id]]
    if not looked:
        return ""
    every: dict[str, dict[str, Any]] = {}
    for variant in looked:
        for name, each in named[variant.id].items():
            every.setdefault(name, each)
    kept = {name: [named[v.id].get(name, {}).get("kept") for v in looked] for name in every}
    worst = sorted(every, key=lambda name: (min(k for k in kept[name] if k is not None), -every[name]["examples"]))
    head = ["", "examples", "right", *(code(f"{v.framework}/{v.technique}") for v in looked)]
    lines = [
        row([text(name, 60), f"{every[name]['examples']:,}", _right(every[name]), *map(_share, kept[name])])
        for name in worst[:MOST]
    ]
    left = len(worst) - len(lines)
    said = [f"\n{left:,} more, of which no less is kept, are in report.json"] if left else []
    legend = "**right**: answers of the baseline that are right; a column each: the share of them that a variant has. "
    legend += "Of answers that are given, right or wrong, it is what is left where a variant adds wrong ones"
    return folded(f"Classes and groups on {text(target.name)}, the worst first", [*table(head, lines), *said, "", legend])


def _right(each: dict[str, Any]) -> str:
    """Right answers; of examples that are counted in parts, what these come to. Of answers, right or wrong, how many they are."""
    parts, given = each.get("parts", 1), each.get("given", 0)
    if type(given) is int and given > 0:
        return f"{given:,} given"
    return f"{each['right'] / parts:,.1f}".removesuffix(".0") if type(parts) is int and parts > 0 else ""


def _share(kept: float | None) -> str:
    return "" if kept is None else f"{kept:.1%}"


def _classes(variant: VariantReport) -> dict[str, dict[str, Any]]:
    """What the gate's details say, as far as it is numbers: the report may be a stranger's."""
    gate = next((gate for gate in variant.gates if gate.gate == GATE), None)
    stated = gate.details.get("classes") if gate else None
    if not isinstance(stated, dict):
        return {}
    return {str(name): each for name, each in stated.items() if isinstance(each, dict) and _whole(each)}


def _whole(each: dict[str, Any]) -> bool:
    counts = all(type(each.get(key)) is int for key in ("examples", "right"))
    return counts and isinstance(each.get("kept"), int | float) and not isinstance(each["kept"], bool)
