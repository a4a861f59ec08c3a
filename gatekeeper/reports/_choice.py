"""What was chosen of those that pass and why, what `auto` chose to try, and where the measurement differs from the rule."""

from __future__ import annotations

from gatekeeper.records.report import Report, TargetReport


def lines(report: Report) -> list[str]:
    """A line for each thing there is to say of each target."""
    return [line for target in report.targets for line in _lines(target)]


def _lines(target: TargetReport) -> list[str]:
    said = []
    if target.selected and target.because:
        said.append(f"{target.selected} is chosen: {target.because}.")
    if target.rule and target.rule.measured:
        said.append(f"{target.name}: {target.rule.measured}.")
    return said


def chosen_to_try(report: Report) -> list[str]:
    """What `frameworks: auto` and `techniques: auto` took, with the reason."""
    said = []
    for target in report.targets:
        for leg in target.legs:
            if leg.why:
                said.append(f"{leg.id} was tried: {leg.why}")
            by_why: dict[str, list[str]] = {}
            for variant in target.variants:
                if variant.why and target.leg_of(variant) is leg:
                    by_why.setdefault(variant.why, []).append(variant.technique)
            said += [f"{leg.id} was tried with {', '.join(names)}: {why}" for why, names in by_why.items()]
    return said
