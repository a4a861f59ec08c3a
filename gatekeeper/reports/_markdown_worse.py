"""Prompts that a variant answers worse than the original, by name: what to look at first."""

from __future__ import annotations

from gatekeeper.records.report import TargetReport
from gatekeeper.reports._markdown_text import code, folded, text

MOST, MAX_NAME = 20, 60


def worse(target: TargetReport) -> str:
    """Those of every variant of a target, the worst first; empty where none is named."""
    lines = []
    for variant in target.variants:
        named = variant.quality.worse if variant.quality else []
        if not named or variant.quality is None:
            continue
        count = variant.quality.details.get("answers_worse", 0)
        left = int(count) - len(named[:MOST]) if 0 <= count < 1e12 else 0
        said = ", ".join(code(name, MAX_NAME) for name in named[:MOST]) + (f" and {left:,} more" if left > 0 else "")
        lines.append(f"- {code(f'{variant.framework}/{variant.technique}')}: {said}")
    return folded(f"Answers on {text(target.name)} that got worse, the worst first", lines) if lines else ""
