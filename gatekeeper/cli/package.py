"""`gatekeeper package`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write what is shipped of a model that passed: for containers, clusters, phones, edge servers.")
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--for", "kinds", multiple=True, metavar="KIND",
    help="container, kubernetes, compose, mobile or edge_server; several times for several [default: what `packaging` names].",
)  # fmt: skip
@click.option("--part", "parts", multiple=True, metavar="PART", help="Only this part of them, e.g. android or intel_based.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-package"), show_default=True,
    help="Folder to write.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="Replace a package that is there already.")
@click.option("--config", type=click.Path(path_type=Path), help="Pipeline file whose `packaging` counts [default: the report's].")
@click.option("--variant", help="What to package, target/framework/technique [default: what the report selects].")
@click.option("--artifact", type=click.Path(path_type=Path), help="The model, if it is not where the report says that it lies.")
@click.option("--base", default="", metavar="IMAGE", help="Image to build on, name@sha256:...")
@click.option("--image", default="", metavar="IMAGE", help="Image that was built, for what runs it, name@sha256:...")
@click.option("--name", default="", help="What the model is called in URLs and objects [default: as its file].")
@click.option(
    "--certificate", "certificates", multiple=True, type=click.Path(path_type=Path),
    help="Certificate of what is packaged; with --trust, it must verify. More than once for several variants.",
)  # fmt: skip
@click.option("--trust", type=click.Path(path_type=Path), help="Trust file: who may sign, and what must hold.")
@click.option("--policy", type=click.Path(path_type=Path), help="Pipeline file to whose limits the result must have been held.")
@click.option("--waivers", type=click.Path(path_type=Path), help="gatekeeper-waivers.yml to apply; no other waiver counts.")
@click.option("--archive", type=click.Path(path_type=Path, dir_okay=False), help="Also write the package as one .tar file.")
@click.option("--push", metavar="REF", help="Also push it to a registry, host/name[:tag], and read it back.")
@click.option("--plain-http", is_flag=True, help="Ask the registry without TLS; on this machine it always is.")
def command(
    result: Path,
    kinds: tuple[str, ...],
    parts: tuple[str, ...],
    output: Path,
    replace: bool,
    config: Path | None,
    variant: str | None,
    artifact: Path | None,
    base: str,
    image: str,
    name: str,
    certificates: tuple[Path, ...],
    trust: Path | None,
    policy: Path | None,
    waivers: Path | None,
    archive: Path | None,
    push: str | None,
    plain_http: bool,
) -> int:
    """Package what RESULT (a report.json, or the folder it is in) lets ship.

    The report is judged again, and only what passes is packaged: the very files that were measured, by their digests. What
    `packaging` of the pipeline file says holds: a limit on size, a device, a format that cannot be kept is refused. The folder is
    there whole or not at all; the same input gives the same bytes. Nothing is sent anywhere without --push.

    Exit code 1 where it is not packaged, 2 where something is wrong with the files named.
    """
    from datetime import UTC, datetime

    from gatekeeper.deploy.packages._base import Asked
    from gatekeeper.deploy.packages._build import Request, build
    from gatekeeper.deploy.packages._tree import write_archive
    from gatekeeper.reports._plain import plain

    request = Request(
        result=result,
        output=output,
        kinds=kinds,
        parts=parts,
        asked=Asked(base, image, name),
        config=config,
        variant=variant,
        artifact=artifact,
        policy=policy,
        waivers=waivers,
        certificates=certificates,
        trust=trust,
        replace=replace,
    )
    if push:
        from gatekeeper.deploy.packages._oci import check_reference

        check_reference(push)
    built = build(request, datetime.now(UTC))
    for part, made_of in built.made_of.items():
        click.echo(plain(f"packaged: {output / part} of {made_of}"))
    for note in built.notes:
        click.echo(plain(f"not measured: {note}"), err=True)
    click.echo(plain(f"written: {output}, {len(built.digests)} files; check them with: sha256sum -c SHA256SUMS"))
    if archive:
        click.echo(plain(f"written: {archive}, sha256:{write_archive(output, archive, replace)}"))
    if push:
        from gatekeeper.deploy.packages._oci import push as send

        click.echo(plain(f"pushed and read back: {send(output, push, plain_http)}"))
    return 0
