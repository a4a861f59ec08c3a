"""What is shipped is built and tried, and the rollout rehearsed: the chosen variant goes live beside its baseline on this
machine, well and with every fault there is.

It runs for the variant of each target that would be deployed: its packages first, through a registry on loopback, then with
HAProxy, real servers and real traffic. Nothing of it reaches a user; that is what `production_deployment` is for.
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
    "What `packaging` asks for, built, held to its schemas, pushed to a registry on this machine and read back; a changed copy "
    "must be refused. And a rehearsal of `deployment`: baseline and variant behind HAProxy, under load. A healthy ramp must "
    "be promoted, every injected fault must be seen to arrive and must not be, and no request may be lost."
)
ORDER = 40


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs: HAProxy, and what sends requests; where it packages, what speaks with registries and knows objects."""
    if NAME not in loaded.pipeline.stages:
        return []
    return ["rollout", "deploy"] if loaded.pipeline.packaging else ["rollout"]


def run(setup: Setup, known: Known) -> Added:
    """Package and rehearse what every target of this machine would deploy."""
    import msgspec

    from gatekeeper.deploy.haproxy import program
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.legs.setup import Added
    from gatekeeper.stages._packaging import packages
    from gatekeeper.stages._rollouts import NOTHING, Rehearsed, chosen, rehearsed, served_now

    going = chosen(setup, known)
    if not going:
        return Added(report(setup.loaded, NAME, Verdict.SKIP, NOTHING, NAME))
    try:
        program()
        built = packages(setup, known, going)
        blue = served_now(setup.loaded)
        made = {name: rehearsed(setup, known, name, leg, blue) for name, leg in going}
    except GatekeeperError as error:
        return Added(report(setup.loaded, NAME, Verdict.ERROR, str(error), NAME))
    line = report(setup.loaded, NAME, Verdict.PASS, "", NAME)
    line = msgspec.structs.replace(line, packages=built, rehearsals=list(made.values()))
    verdict, reason = _judge(line)
    return Added(msgspec.structs.replace(line, verdict=verdict, reason=reason), facts=[Rehearsed(made)])


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What its packages and its rehearsals show."""
    return _judge(line)


def lacks(loaded: Loaded, line: StageReport) -> str:
    """A package that the file asks for, or a rehearsal of another rollout than the file's."""
    from gatekeeper.stages._packaging import unlike
    from gatekeeper.stages._rollouts import other_way

    if said := unlike(loaded, line.packages):
        return said
    return next((f"{each.variant}: {said}" for each in line.rehearsals if (said := other_way(loaded, each))), "")


def _judge(line: StageReport) -> tuple[Verdict, str]:
    """Both together: what is wrong with one of them, else what is well with both."""
    from gatekeeper.verdicts.judge import all_of
    from gatekeeper.verdicts.packaged import judge_packages
    from gatekeeper.verdicts.rehearsed import judge_rehearsals

    both = [judge_packages(line.packages), judge_rehearsals(line)]
    verdict = all_of(each for each, _ in both)
    return verdict, "; ".join(why for each, why in both if each is verdict)
