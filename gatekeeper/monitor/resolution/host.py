"""Steps on one host: each goes live beside what serves, as a new model does, and stays only if it helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.monitor.resolution.journal import Entry
from gatekeeper.monitor.resolution.place import Ended, Waits
from gatekeeper.records.rollout import Decision

if TYPE_CHECKING:
    from gatekeeper.deploy.live.slots import Standing
    from gatekeeper.monitor.actions._base import Change, Serving, Variant
    from gatekeeper.monitor.decide import Finding


@dataclass
class Host:
    """The folder of `gatekeeper deploy`, and the terms of a step: which part of what is too much must go, and for how long it
    is tried.
    """

    file: Path
    live: Path
    result: Path
    improvement: float
    deadline_s: float
    burst_s: float
    note: Callable[[str], None] = field(default=lambda _: None)

    def settle(self, cut: Entry | None) -> Ended | None:
        """What the journal of the deploy says serves, serves; a step that was cut short is kept if it was promoted by then."""
        from gatekeeper.deploy.live.host import left_by

        if cut is None:
            return None
        try:
            standing = left_by(self.live)
        except GatekeeperError as error:  # another deploy is at work, HAProxy is gone: until it is settled nothing is tried
            raise Waits(str(error)) from None
        kept = standing is not None and standing.blue == cut.slot
        return Ended("cut_short", "it had been promoted" if kept else "it was undone", kept)

    def serving(self) -> Serving:
        """What stands there; `UsageError` where nothing does."""
        from gatekeeper.hardware.machine import this_machine
        from gatekeeper.monitor.actions._base import serving_of

        standing = self._standing()
        slot = standing.slots[standing.blue]
        return serving_of(slot.served, slot.variant, this_machine().threads, self.variants)

    @cached_property
    def variants(self) -> list[Variant]:
        """Of the report, judged again; none where it is not a pass."""
        import datetime

        from gatekeeper.deploy.packages._approved import judged

        try:
            report = judged(self.result, None, None, datetime.datetime.now(datetime.UTC)).report
        except GatekeeperError as error:
            self.note(f"no variant of {self.result} can be tried: {error}")
            return []
        return fastest(report)

    def attempt(self, change: Change, finding: Finding, metric: str, begun: Callable[[str], None]) -> Ended:
        """The rollout of a change, from what serves."""
        from functools import partial

        from gatekeeper.deploy.journal import Busy
        from gatekeeper.deploy.live.changed import Wanted, changing
        from gatekeeper.deploy.live.host import deploy
        from gatekeeper.stats.improvement import Improving, bound
        from gatekeeper.stats.rollout import SLOW

        least = bound(finding.over or 0.0, finding.allowed or 0.0, self.improvement)
        wanted = Wanted(
            settings=change.settings,
            variant=change.variant,
            result=self.result,
            judge=partial(Improving, metric=metric, least=least),
            begun=begun,
            deadline_s=self.deadline_s,
            burst_s=self.burst_s,
            slow_ms=finding.limit if metric == SLOW else None,
            note=self.note,
        )
        try:
            with changing(self.file, self.live, wanted) as going:
                ruling = deploy(self.live, going)
        except Busy as error:
            raise Waits(str(error)) from None
        except GatekeeperError as error:
            return Ended("failed", str(error))
        why = f"{ruling.metric}: {ruling.reason}" if ruling.metric else ruling.reason
        return Ended(str(ruling.decision), why, ruling.decision is Decision.PROMOTE)

    def _standing(self) -> Standing:
        from gatekeeper.deploy.live import slots

        found = slots.read(self.live)
        if found is None:
            raise UsageError(
                f"{self.live}: nothing was deployed here, so that nothing can be changed. Correct monitoring.resolution.live."
            )
        return found


def fastest(report: object) -> list[Variant]:
    """Variants of a report that passed, by their measured speed beside the original, the fastest first. Where one of several was
    enough only those that are shown to pass among all: the fastest of many that pass alone may be one that got through by luck.
    """
    from gatekeeper.monitor.actions._base import Variant
    from gatekeeper.records.report import Report
    from gatekeeper.verdicts.chosen import ships

    assert isinstance(report, Report)
    shown = {target.name: ships(target) for target in report.targets}
    found = [
        Variant(each.id, max((gate.observed or 0.0 for gate in each.gates if gate.gate == "speedup"), default=0.0))
        for target in report.targets
        for each in target.variants
        if each.id in shown[target.name] and each.artifact is not None
    ]
    return sorted(found, key=lambda each: (-each.faster, each.id))
