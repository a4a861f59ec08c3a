"""`gatekeeper deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.deploy.packages._build import Request


@click.command(short_help="Bring a model that passed to users: on this host, or by files for a controller of Kubernetes.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--result", type=click.Path(path_type=Path), default=Path("gatekeeper-report"), show_default=True,
    help="A report.json, or the folder it is in.",
)  # fmt: skip
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("gatekeeper-live"),
    show_default=True,
    help="Folder of what stands on this host: the journal, models, servers.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Where users ask, when the first model is deployed; 0 takes any free one.",
)
@click.option(
    "--deadline", default="1h", show_default=True, help="Longest time for the whole rollout; then green has no traffic left."
)
@click.option(
    "--burst",
    default="1s",
    show_default=True,
    help="Failures within this time are one observation: as long as yours last together.",
)
@click.option("--status", is_flag=True, help="Say what serves on this host, and change nothing.")
@click.option("--for", "engine", metavar="ENGINE", help="argo, flagger or kserve: write files for it, and touch nothing here.")
@click.option(
    "--judge",
    metavar="URL",
    default="",
    help="With --for: where the engine asks the judge; it adds /v1/verdict (docs/deploy.md).",
)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-deploy"), show_default=True,
    help="Folder to write.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="Replace what was written there before.")
@click.option("--variant", help="What goes live, target/framework/technique [default: what the report selects].")
@click.option("--artifact", type=click.Path(path_type=Path), help="The model, if it is not where the report says that it lies.")
@click.option("--image", default="", metavar="IMAGE", help="Image that was built, name@sha256:...")
@click.option("--name", default="", help="What the model is called in URLs and objects [default: as its file].")
@click.option("--ingress-class", default="nginx", show_default=True, help="Class of the ingress that shares the traffic.")
@click.option(
    "--certificate", "certificates", multiple=True, type=click.Path(path_type=Path),
    help="Certificate of what goes live; with --trust, it must verify.",
)  # fmt: skip
@click.option("--trust", type=click.Path(path_type=Path), help="Trust file: who may sign, and what must hold.")
@click.option("--policy", type=click.Path(path_type=Path), help="Pipeline file to whose limits the result must have been held.")
@click.option("--waivers", type=click.Path(path_type=Path), help="gatekeeper-waivers.yml to apply; no other waiver counts.")
def command(
    file: Path,
    result: Path,
    state: Path,
    port: int,
    deadline: str,
    burst: str,
    status: bool,
    engine: str | None,
    judge: str,
    output: Path,
    replace: bool,
    variant: str | None,
    artifact: Path | None,
    image: str,
    name: str,
    ingress_class: str,
    certificates: tuple[Path, ...],
    trust: Path | None,
    policy: Path | None,
    waivers: Path | None,
) -> int:
    """Bring what passed to users, as FILE's `deployment` says.

    On this host HAProxy stands before the model that serves (first `deployment.current`, or the original model). The new one is
    started beside it and gets its share step by step, by evidence from users' own requests and from questions to both; servers
    and HAProxy outlive the command. A run that was killed, at any moment, is carried to its end by the next: one model serves.
    With --for files are written for a controller of Kubernetes, and nothing is applied.

    The report is judged again, and only what passes goes live; with --certificate and --trust it must verify.

    Exit code 0 promoted, 1 rolled back or may not go live, 2 something is wrong with the files named, or another deploy is at
    work, 3 held until the deadline: there was not enough evidence, and the new model has no traffic.
    """
    from gatekeeper.deploy.packages._base import Asked
    from gatekeeper.deploy.packages._build import Request

    if status:
        return _status(state)
    request = Request(
        result=result,
        output=output,
        asked=Asked(image=image, name=name),
        variant=variant,
        artifact=artifact,
        policy=policy,
        waivers=waivers,
        certificates=certificates,
        trust=trust,
        replace=replace,
    )
    if engine:
        return _write(file, request, engine, judge, ingress_class)
    return _deploy(file, state, request, (deadline, burst), port)


def _write(file: Path, request: Request, engine: str, judge: str, ingress_class: str) -> int:
    from datetime import UTC, datetime

    from gatekeeper.deploy.engines._base import ENGINES
    from gatekeeper.deploy.engines._write import write
    from gatekeeper.reports._plain import plain

    own, files = write(file, request, engine, judge, ingress_class, datetime.now(UTC))
    for each in files:
        click.echo(plain(f"written: {request.output / each}"))
    click.echo(plain(f"for {own.variant.id}, {own.pipeline and own.pipeline.pipeline.deployment.strategy}; nothing was applied."))
    click.echo(f"It takes {ENGINES.get(engine).NOTE}")
    return 0


def _deploy(file: Path, state: Path, request: Request, times: tuple[str, str], port: int) -> int:
    from gatekeeper.deploy.live.host import deploy
    from gatekeeper.deploy.live.models import going
    from gatekeeper.errors import ExitCode, UsageError
    from gatekeeper.records.rollout import Decision
    from gatekeeper.reports._plain import plain
    from gatekeeper.units import parse_duration

    seconds = []
    for option, stated in zip(("--deadline", "--burst"), times, strict=True):
        try:
            seconds.append(parse_duration(stated))
        except ValueError as error:
            raise UsageError(f"{option}: {error}. Durations are written 100ms, 90s or 2h.") from None
    with going(file, state, request, (seconds[0], seconds[1]), port, lambda text: click.echo(plain(text))) as what:
        ruling = deploy(state, what)
    why = f"{ruling.metric}: {ruling.reason}" if ruling.metric else ruling.reason
    click.echo(plain(f"{ruling.decision}{': ' if why else ''}{why}"))
    return {Decision.PROMOTE: ExitCode.PASS, Decision.ROLLBACK: ExitCode.FAILED, Decision.HOLD: ExitCode.INCONCLUSIVE}[
        ruling.decision
    ]


def _status(state: Path) -> int:
    from gatekeeper.deploy.live.host import said
    from gatekeeper.reports._plain import plain

    for line in said(state):
        click.echo(plain(line))
    return 0
