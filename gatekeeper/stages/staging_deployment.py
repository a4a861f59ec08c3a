"""The rollout, rehearsed: the chosen variant goes live beside its baseline on this machine, well and with every fault there is.

It runs for the variant of each target that would be deployed, with HAProxy, real servers and real traffic. Nothing of it reaches
a user; that is what `production_deployment` is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.report import Report, StageReport

NAME = "staging_deployment"
DESCRIPTION = (
    "A rehearsal of `deployment` on this machine: baseline and chosen variant behind HAProxy, under load. A healthy ramp must be "
    "promoted, every injected fault must be seen to arrive and must not be, and no request may be lost."
)
ORDER = 40


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs: HAProxy, and what sends requests."""
    return ["rollout"] if NAME in loaded.pipeline.stages else []


def run(setup: Setup, known: Known) -> Added:
    """Rehearse what every target of this machine would deploy."""
    import msgspec

    from gatekeeper.deploy.haproxy import program
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.legs.setup import Added
    from gatekeeper.stages._rollouts import NOTHING, Rehearsed, chosen, rehearsed
    from gatekeeper.verdicts.rehearsed import judge_rehearsals

    going = chosen(setup, known)
    if not going:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, NOTHING, NAME))
    try:
        program()
        made = {name: rehearsed(setup, known, name, leg) for name, leg in going}
    except GatekeeperError as error:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, str(error), NAME))
    line = msgspec.structs.replace(report(setup.loaded, NAME, Verdict.PASS, "", NAME), rehearsals=list(made.values()))
    verdict, reason = judge_rehearsals(line)
    return Added(msgspec.structs.replace(line, verdict=verdict, reason=reason), facts=[Rehearsed(made)])


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What its rehearsals show."""
    from gatekeeper.verdicts.rehearsed import judge_rehearsals

    return judge_rehearsals(line)
