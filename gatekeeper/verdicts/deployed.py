"""What the stages share that act on what would be deployed, variant by variant: rehearsals, rollouts, alerts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.stats.rehearsal import Said
from gatekeeper.verdicts.judge import all_of

RECORDS = ("rehearsals", "packages", "production", "watched")
"""Where each of them keeps what it did, one entry a variant, or a part of a package."""


def judged_together(found: Iterable[tuple[str, Verdict, str]], nothing: str) -> Said:
    """What variants come to, each by name, verdict and why; `nothing` is what is missing where there is none: that is no pass."""
    every = list(found)
    if not every:
        return Verdict.ERROR, f"its report holds no {nothing}"
    verdict = all_of(each for _, each, _ in every)
    return verdict, "; ".join(f"{name}: {why}" for name, each, why in every if each is verdict)


def together(stages: Sequence[StageReport]) -> StageReport | None:
    """The same stage of several reports as one. A leg with nothing to deploy has nothing to show: another's is chosen."""
    if not stages:
        return None
    ran = [stage for stage in stages if stage.verdict is not Verdict.SKIP] or stages[:1]
    verdict = all_of(stage.verdict for stage in ran) if len(ran) > 1 else ran[0].verdict
    worst = next((stage for stage in ran if stage.verdict is verdict), ran[0])
    records = {name: [each for stage in ran for each in getattr(stage, name)] for name in RECORDS}
    return msgspec.structs.replace(worst, verdict=verdict, **records)


def other_files(targets: Sequence[TargetReport], shown: Mapping[str, str]) -> list[str]:
    """Variants that are chosen and whose file, by SHA-256, is not the one that a stage acted on; one without a digest is none."""
    files = {each.id: each.artifact.sha256 for target in targets for each in target.variants if each.artifact}
    chosen = [target.selected for target in targets if target.selected]
    return [name for name in chosen if name in shown and (not shown[name] or shown[name] != files.get(name))]


def left_out(targets: Sequence[TargetReport], shown: Iterable[str]) -> list[str]:
    """Variants that are chosen, and that a stage says nothing of."""
    names = set(shown)
    return [target.selected for target in targets if target.selected and target.selected not in names]
