"""Results judged again, and merged: the one way from reports that somebody hands over to a verdict that is believed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekeeper.records.answers import Answers
from gatekeeper.records.report import Report
from gatekeeper.verdicts.data import check_code, check_pinned
from gatekeeper.verdicts.even import check_even
from gatekeeper.verdicts.glance import confirmed
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.merge import merge, none_came
from gatekeeper.verdicts.rules import Rules


def merged(
    reports: Sequence[Report], names: Sequence[str], rules: Rules, answers: Callable[[int], Answers] = none_came
) -> Report:
    """One report of these, every gate of which was judged again by these rules; `names` are their files, for what is wrong."""
    check_pinned(reports, names, rules)
    check_code(reports, names, rules)
    sure = confirmed(reports, rules)
    held = [held_report(report, name, rules, sure) for report, name in zip(reports, names, strict=True)]
    check_even(held, names)
    return merge(held, rules.plan, answers)
