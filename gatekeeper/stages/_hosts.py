"""The rollout on the host that the pipeline file names, if that is the machine of this run and this run may deploy."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError

if TYPE_CHECKING:
    from gatekeeper.config.sections.hosts import Host
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Known, Setup
    from gatekeeper.records.rollout import Live

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def here(host: str) -> bool:
    """Whether a host is this machine, by loopback or by its own name."""
    own = {socket.gethostname(), socket.getfqdn()}
    return host in LOOPBACK or host in own | {name.partition(".")[0] for name in own}


def checked(host: Host) -> Host:
    """The host; a `UsageError` where it is another machine."""
    if not here(host.host):
        raise UsageError(
            f"deployment.hosts names {host.host}, and this machine is {socket.gethostname()}: a stage deploys on the machine "
            "that its job runs on, and nowhere else. Run the job there (a self-hosted runner), run `gatekeeper deploy` there, or "
            "let a controller do it: gatekeeper deploy --for argo, flagger or kserve."
        )
    return host


def why_not(setup: Setup, known: Known, going: list[tuple[str, Leg]], environ: Mapping[str, str] = os.environ) -> str:
    """Why this run only rehearses although a host is named; empty where it deploys: a run that is a pass, as `gatekeeper deploy`
    wants of its report.
    """
    from gatekeeper.certificate.certify import EVENTS

    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_EVENT_NAME", "") not in EVENTS:
        return f"a run of the event {environ.get('GITHUB_EVENT_NAME', '') or 'unknown'} deploys nothing"
    ran = {leg.id for leg in setup.legs}
    if left := [each.id for each in setup.planned if each.id not in ran and not each.skip]:
        return f"this job ran {len(ran)} of {len(ran) + len(left)} legs, and the merged report decides: deploy that"
    if len(going) > 1:
        return f"one host takes one variant, and {len(going)} targets have each their own"
    if amiss := _amiss(setup, known):
        return f"only what passes as a whole goes live, and {amiss}"
    return ""


def _amiss(setup: Setup, known: Known) -> str:
    """What keeps the run so far from being a pass, in words; empty where nothing does."""
    from gatekeeper.config.policy import unheld
    from gatekeeper.records.base import Verdict
    from gatekeeper.verdicts.targets import report_verdict

    gone = unheld(setup.loaded) if setup.loaded.policy else []
    if not gone and report_verdict(known.targets, known.stages) is Verdict.PASS:
        return ""
    said = [f"{each.name} is {each.verdict}" for each in known.targets if each.verdict is not Verdict.PASS]
    said += [f"the stage {each.stage} is {each.verdict}" for each in known.stages if each.verdict is not Verdict.PASS]
    said += [why for why, _ in gone]
    return "; ".join(said) or "nothing was judged"


def live(setup: Setup, known: Known, name: str, leg: Leg, host: Host) -> Live:
    """Bring a variant to the users of this machine, as `gatekeeper deploy` does."""
    from gatekeeper.deploy.live.host import deploy
    from gatekeeper.deploy.live.measured import measured
    from gatekeeper.deploy.rollout import Outcome, Plan
    from gatekeeper.ids import file_name
    from gatekeeper.legs.setup import Artifacts, Data
    from gatekeeper.records.rollout import Live
    from gatekeeper.units import parse_duration

    loaded, made = setup.loaded, known.get(Artifacts).made[name]
    inputs = leg.feeds(f"live-{file_name(leg.id)}", known.get(Data).evaluation)
    seen: list[tuple[Plan, Outcome]] = []
    state = loaded.folder / host.state
    times = parse_duration(host.deadline), parse_duration(host.burst)
    setup.progress.step(f"{name}: going live on {host.host}")
    note = setup.progress.note
    with measured(
        loaded, state, leg.subject(name, made, inputs), times, host.port, note, lambda *each: seen.append(each)
    ) as going:
        ruling = deploy(state, going)
    return Live(
        host=host.host,
        artifact=made.sha256,
        already=not seen,
        steps=list(seen[0][0].steps) if seen else [],
        limits=seen[0][0].limits if seen else None,
        windows=seen[0][1].windows if seen else [],
        ruling=ruling,
    )
