"""`gatekeeper certify`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Sign what a report passed: the form that a release checks.")
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(path_type=Path),
    help="Private key in PEM (Ed25519 or ECDSA): openssl genpkey -algorithm ed25519 -out release.key",
)  # fmt: skip
@click.option(
    "--keyless", is_flag=True, default=False,
    help="Sign by this GitHub job's identity, with Sigstore; so it does without --key.",
)  # fmt: skip
@click.option("--artifact", type=click.Path(path_type=Path), help="The model, if it is not where the report says that it lies.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate to write [default: certificate.json beside the report].",
)  # fmt: skip
@click.option(
    "--model-signature", type=click.Path(path_type=Path, dir_okay=False),
    help="Write an OpenSSF model signature of the files there, too: model.sig.",
)  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), help="Pipeline file that it must have been measured by, to the byte.")
@click.option("--policy", type=click.Path(path_type=Path), help="Pipeline file to whose limits the result must have been held.")
@click.option("--waivers", type=click.Path(path_type=Path), help="gatekeeper-waivers.yml to apply; no other waiver counts.")
@click.option(
    "--trust-config", type=click.Path(path_type=Path),
    help="Client trust config (JSON) of a Sigstore of your own [default: the public one].",
)  # fmt: skip
def command(
    result: Path,
    key: Path | None,
    keyless: bool,
    artifact: Path | None,
    output: Path | None,
    model_signature: Path | None,
    config: Path | None,
    policy: Path | None,
    waivers: Path | None,
    trust_config: Path | None,
) -> int:
    """Certify the model that RESULT (a report.json, or the folder it is in) lets ship.

    The report is judged again, and only a pass is certified: on measurements that no code of anybody's own could have written
    unheld, and of the very files that were measured. The certificate is an in-toto statement in a DSSE envelope. Beside it
    an ML-BOM is written (CycloneDX 1.6, certificate.cdx.json). Give both to the release together with the report: `gatekeeper
    verify` checks all three.

    With --config the reference of that file's `monitoring` is written as well, for `gatekeeper watch`: what the certified model
    answers to its evaluation set, which is asked here. Where that cannot be, it is said, and the certificate stands.

    With --key nothing is sent anywhere. Without it the job's identity signs (it needs `permissions: id-token: write`), and
    Sigstore logs in public that this workflow signed something.

    Exit code 1 where it is not certified, 2 where something is wrong with the files named, or Sigstore does not sign.
    """
    import os
    from datetime import UTC, datetime

    from gatekeeper.certificate.certify import Asked, certify
    from gatekeeper.errors import UsageError
    from gatekeeper.reports._plain import plain

    if keyless and key is not None:
        raise UsageError("--keyless signs without a key. Give --key, or --keyless.")
    asked = Asked(result, key, artifact, output, policy, waivers, trust_config, model_signature, config)
    written = certify(asked, os.environ, datetime.now(UTC))
    about = written.certified
    click.echo(plain(f"certified: {written.artifact} as {about.variant}, {len(about.gates)} gates, evidence {about.evidence}"))
    click.echo(plain(f"written: {written.path}, signed with {written.who.kind} {written.who.name}, and the BOM {written.bom}"))
    if model_signature is not None:
        click.echo(plain(f"written: {model_signature}, for `model_signing verify`"))
    if config is not None:
        _learn(config, written.artifact)
    return 0


def _learn(config: Path, artifact: Path) -> None:
    """Write what is normal, where the pipeline file says that its model is watched."""
    import time

    from gatekeeper.cli._terminal import watching
    from gatekeeper.config.load import load
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.reports._plain import plain

    try:
        loaded = load(config)
        if loaded.pipeline.monitoring is None:
            return
        from gatekeeper.monitor.learning import learn

        with watching(quiet=False) as progress:
            said = f"written: the reference {learn(loaded, artifact, time.time(), progress)}"
    except GatekeeperError as error:
        said = f"no reference was written: {error}"
    click.echo(plain(said))
