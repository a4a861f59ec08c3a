"""The stage that raises alerts by faults, judged again from what its report holds of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.records.watched import Alerted, Watching
from gatekeeper.registry import Registry
from gatekeeper.stats.rehearsal import Said
from gatekeeper.verdicts.deployed import judged_together, left_out, other_files

MONITORING = "monitoring"
ALERTS = Registry("monitor.alerts")
"""By their names: the room they lie in stands above this one."""
_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def judge_watched(stage: StageReport) -> Said:
    """What a stage shows of its alerts, on every variant that it watched; none is no pass."""
    return judged_together(((each.variant, *_judge(each)) for each in stage.watched), "alert")


def _judge(watching: Watching) -> Said:
    problems = list(_problems(watching))
    for verdict in _WORST:
        if said := [why for each, why in problems if each is verdict]:
            return verdict, "; ".join(said)
    names = ", ".join(each.alert for each in watching.alerts)
    whom = "Alertmanager told its webhook" if watching.how == "real_time" else "looks of `gatekeeper watch` told"
    left = f". No fault of a server shows {', '.join(watching.not_shown)}" if watching.not_shown else ""
    return Verdict.PASS, f"{whom} of each fault, and of nothing on identical data: {names}{left}"


def _problems(watching: Watching) -> Iterator[Said]:
    names = [each.alert for each in watching.alerts]
    if not names:
        yield Verdict.ERROR, "its record holds no alert"
    if len(set(names)) != len(names) or set(names) & set(watching.not_shown):
        yield Verdict.ERROR, "its record has an alert twice"
    for each in watching.alerts:
        yield from _of_one(each)


def _of_one(each: Alerted) -> Iterator[Said]:
    own = getattr(ALERTS.get(each.alert), "FAULT", "") if each.alert in ALERTS.names else ""
    if not own or each.fault != own:
        yield Verdict.ERROR, f"{each.alert}: its record holds the fault {each.fault}, and {own or 'none'} raises it"
    elif not each.arrived:
        yield Verdict.ERROR, f"{each.alert}: the fault {each.fault} did not arrive, so that nothing is known of it"
    elif each.fired_s is None:
        yield Verdict.FAIL, f"{each.alert}: {each.fault} arrived {each.arrived} times, and nobody was told"
    if not each.silent:
        yield Verdict.FAIL, f"{each.alert}: somebody was told on identical data"
    elif each.seen < max(each.least, 1):
        yield Verdict.ERROR, f"{each.alert}: silent on {each.seen} observations, of which it needs {max(each.least, 1)}"


def of_watched(stage: StageReport, targets: Sequence[TargetReport]) -> StageReport:
    """An error in its place where what was watched is not what is chosen."""
    if stage.stage != MONITORING or stage.verdict is not Verdict.PASS:
        return stage
    shown = {each.variant: each.artifact for each in stage.watched}
    if left := left_out(targets, shown):
        reason = f"{', '.join(left)} would be deployed, and another was watched. Run its leg again."
    elif other := other_files(targets, shown):
        reason = f"{', '.join(other)}: the file that was watched is not the one that passed. Run its leg again."
    else:
        return stage
    return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=reason)
