"""`gatekeeper deploy`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Bring a model that passed to users: files for a controller of Kubernetes.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--result", type=click.Path(path_type=Path), default=Path("gatekeeper-report"), show_default=True,
    help="A report.json, or the folder it is in.",
)  # fmt: skip
@click.option("--for", "engine", metavar="ENGINE", required=True, help="argo, flagger or kserve: whose files to write.")
@click.option(
    "--judge", metavar="URL", required=True, help="Where the engine asks the judge; it adds /v1/verdict (docs/deploy.md)."
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
    engine: str,
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
    """Write the rollout of FILE's `deployment` for a controller of Kubernetes: Argo Rollouts, Flagger or KServe.

    The report is judged again, and only what passes goes live. Nothing is applied: that is for you, or for whoever watches the
    repository that you put the files in. The controller asks the judge at --judge and decides nothing itself.

    Exit code 1 where nothing may go live, 2 where something is wrong with the files named.
    """
    from datetime import UTC, datetime

    from gatekeeper.deploy.engines._base import ENGINES
    from gatekeeper.deploy.engines._write import write
    from gatekeeper.deploy.packages._base import Asked
    from gatekeeper.deploy.packages._build import Request
    from gatekeeper.reports._plain import plain

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
    own, files = write(file, request, engine, judge, ingress_class, datetime.now(UTC))
    for each in files:
        click.echo(plain(f"written: {output / each}"))
    click.echo(plain(f"for {own.variant.id}, {own.pipeline and own.pipeline.pipeline.deployment.strategy}; nothing was applied."))
    click.echo(f"It takes {ENGINES.get(engine).NOTE}")
    return 0
