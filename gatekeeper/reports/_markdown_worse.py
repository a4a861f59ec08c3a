"""Examples that a variant answers worse than the original: what to look at first."""

from __future__ import annotations

from gatekeeper.records.flips import Flips
from gatekeeper.records.report import TargetReport, VariantReport
from gatekeeper.reports._flips import counted
from gatekeeper.reports._markdown_text import code, folded, row, table, text

MOST, MAX_NAME = 20, 60
HEAD = ("", "example", "right", "the original's answer", "its own")


def worse(target: TargetReport) -> str:
    """Those of every variant of a target, one by one where answers are right or wrong; empty where there are none."""
    lines, rows = [], []
    for variant in target.variants:
        quality = variant.quality
        if quality is None:
            continue
        if quality.flips is not None:
            lines += [f"- {_name(variant)}: {counted(quality.flips)}"] if quality.flips.lost or quality.flips.gained else []
            rows += _rows(_name(variant), quality.flips)
        elif named := quality.worse:
            count = quality.details.get("answers_worse", 0)
            left = int(count) - len(named[:MOST]) if 0 <= count < 1e12 else 0
            said = ", ".join(code(name, MAX_NAME) for name in named[:MOST]) + (f" and {left:,} more" if left > 0 else "")
            lines.append(f"- {_name(variant)}: {said}")
    listed = ["", *table(HEAD, rows)] if rows else []
    return folded(f"Answers on {text(target.name)} that got worse, the worst first", [*lines, *listed]) if lines else ""


def _name(variant: VariantReport) -> str:
    return code(f"{variant.framework}/{variant.technique}")


def _rows(name: str, flips: Flips) -> list[str]:
    shown = ((each.example, each.label, each.baseline, each.variant) for each in flips.shown[:MOST])
    return [row([name, *(code(cell, MAX_NAME) for cell in cells)]) for cells in shown]
