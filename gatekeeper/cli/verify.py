"""`gatekeeper verify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.certificate.verify import Outcome


@click.command(short_help="Check a model's certificate before it is released, offline.")
@click.argument("certificate", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(path_type=Path), help="The file or folder that is to be released.")
@click.option("--trust", required=True, type=click.Path(path_type=Path), help="Trust file: who may sign, and what must hold.")
@click.option("--report", type=click.Path(path_type=Path), help="The report [default: report.json beside the certificate].")
@click.option("--model-signature", type=click.Path(path_type=Path), help="An OpenSSF model signature that must hold, too.")
@click.option("--bom", type=click.Path(path_type=Path), help="The ML-BOM [default: the certificate's name with .cdx.json].")
def command(
    certificate: Path, model: Path, trust: Path, report: Path | None, model_signature: Path | None, bom: Path | None
) -> int:
    """Check that CERTIFICATE lets this model be released, and say why it is believed.

    The signature must be by a signer of the trust file, of the right age and not revoked; every file must be the one that was
    certified, with none added, removed, renamed or linked; the report must be the certified one, and every gate in it is judged
    again, by the limits of the trust file too. A BOM that came along must be the certified one. Nothing is fetched, and
    nothing of the release says what is trusted.

    Exit code 0: release it. 1: do not; every reason is printed. 2: the trust file, or the command, is wrong.
    """
    from datetime import UTC, datetime

    from gatekeeper.certificate.verify import Asked, verify
    from gatekeeper.errors import ExitCode
    from gatekeeper.reports._plain import plain

    outcome = verify(Asked(certificate, model, trust, report, model_signature, bom), datetime.now(UTC))
    for said in outcome.trusted:
        click.echo(plain(f"trusted: {said}"))
    for said in outcome.refused:
        click.echo(plain(f"refused: {said.rstrip('.')}."), err=True)
    if outcome.refused:
        return ExitCode.FAILED
    click.echo(plain(f"release: {model} is {outcome.certified.variant}"))
    click.echo(": ".join(gh_line(certificate, model, outcome)))
    return ExitCode.PASS


def gh_line(certificate: Path, model: Path, outcome: Outcome) -> tuple[str, str]:
    """The same question to GitHub: what it is for, and the line. `--repo` alone would accept what any workflow there attests,
    and a workflow any branch's.
    """
    from gatekeeper.certificate.statement import PREDICATE_TYPE

    origin, issued = outcome.certified.origin, outcome.signed.issued
    repository = origin.repository or "OWNER/REPOSITORY"
    workflow = origin.workflow or f"{repository}/.github/workflows/release.yml"
    if issued is not None and issued.repository:  # a reusable workflow signs by its own name
        workflow = issued.identity.partition("://")[2].partition("/")[2]
    file = model / next(iter(outcome.files)) if model.is_dir() else model
    words = ["gh", "attestation", "verify", str(file), *(["--bundle", str(certificate)] if issued else []), "--repo", repository]
    words += ["--predicate-type", PREDICATE_TYPE, "--signer-workflow", workflow.partition("@")[0]]
    words += ["--source-ref", origin.ref or "refs/heads/main"]
    where = "without gatekeeper" if issued else "without gatekeeper, where GitHub attested it"
    each = f", for each of its {len(outcome.files)} files" if len(outcome.files) > 1 else ""
    return f"{where}{each}", shlex.join(words)
