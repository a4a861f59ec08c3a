"""`command: certify`: what a report selects, signed, with the approvals of this very run as GitHub tells them.

It is for a job of its own, that runs no code of a pull request: whoever's code runs beside it has the key.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from gatekeeper.certificate.certify import EVENTS, FILE_NAME, Asked, Written, certify, selected
from gatekeeper.certificate.keyless import AMBIENT
from gatekeeper.certificate.statement import Approval
from gatekeeper.errors import NotMeasured, Refused, UsageError
from gatekeeper.files import check_own, make_folder, write_atomic
from gatekeeper.github._release import Ended, Result, ended
from gatekeeper.github._steps import POLICIES, WAIVERS, choice, config, output, relative, run_id
from gatekeeper.github.approvals import APPROVED, approvals
from gatekeeper.github.artifact import fetch_report
from gatekeeper.github.context import read_event
from gatekeeper.ids import file_name, target_of
from gatekeeper.reports._read import read_report
from gatekeeper.reports.json import FILE_NAME as REPORT

ABSENT = (
    "is not here: that no stage and no code was left out is the report's word. Check it out, or ask for `stages` in the "
    "trust file"
)


def step(environ: Mapping[str, str]) -> int:
    """Certify what the report in `results` selects, or `model` alone; the exit code."""
    return ended("certify", "certified", environ, lambda: _certified(environ))


def _certified(environ: Mapping[str, str]) -> Result:
    report, model = _report(environ), environ.get("MODEL", "")
    policy, waivers = _held_to(environ)
    file = Path(config(environ))
    by = file if file.is_file() else None  # a job without a checkout has none, and is told so
    with _key(environ) as key:
        told = approvals(read_event(environ), environ.get("TOKEN", ""))
        asked = [
            Asked(report, key, artifact, certificate, policy, waivers, config=by)
            for artifact, certificate in _each(report, Path(model) if model else None, environ.get("CERTIFICATE", ""))
        ]
        given = [each for each in told if each.state == APPROVED]
        written = [certify(each, environ, datetime.now(UTC), given) for each in asked]
    held = f"its stages and code are those that {file} names" if by else f"{file} {ABSENT}"
    return Result([_ended(each, told, held) for each in written])


def _report(environ: Mapping[str, str]) -> Path:
    """The report.json: of a folder, or of another run of this commit."""
    results = environ.get("RESULTS", "")
    if results and environ.get("RUN_ID"):
        raise UsageError("`results` and `run-id` both name a report. Keep one of them.")
    if environ.get("RUN_ID"):
        return _fetched(environ)
    if not results:
        raise UsageError("`certify` needs `results`: the folder with report.json and the measured models in artifacts/.")
    path = Path(results)
    file = path / REPORT if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file}: is not there. `results` is the folder with report.json: download it before this step.")
    return file


def _fetched(environ: Mapping[str, str]) -> Path:
    """The report of a run of this repository's own code, at this commit; anybody else's says what it likes."""
    if not environ.get("MODEL"):
        raise UsageError("`run-id` brings the report alone. Name the model that it measured with `model`.")
    event, number = read_event(environ), run_id(environ)
    fetched = fetch_report(event, environ.get("TOKEN", ""), environ.get("ARTIFACT", ""), run_id=number)
    if fetched.data is None:
        raise NotMeasured("data", f"run {number} left no report: {fetched.reason}")
    if not (fetched.own and fetched.event in EVENTS and fetched.conclusion == "success"):
        of = "this repository" if fetched.own else "another repository"
        said = (
            f"it is of {of}, was started by {fetched.event or 'nobody knows what'} and ended in {fetched.conclusion or 'nothing'}"
        )
        raise Refused(f"run {number} is not believed: {said}. Name one of {', '.join(EVENTS)} here, that succeeded.")
    if fetched.commit != event.sha:
        raise Refused(
            f"run {number} is of the commit {fetched.commit[:12]}, and this run is of {event.sha[:12]}. Measure this one."
        )
    file = output(environ) / REPORT
    check_own(file.parent)
    make_folder(file.parent)
    write_atomic(file, fetched.data)
    return file


def _held_to(environ: Mapping[str, str]) -> tuple[Path | None, Path | None]:
    """The file whose limits the report must have been held to, and the waivers that count: both of the folder `base`."""
    base, policy = environ.get("BASE", ""), choice(environ, "POLICY", POLICIES)
    if not base:
        if policy == "base":
            raise UsageError("`policy: base` needs `base`: a folder with a checkout of the branch whose limits hold.")
        return None, None
    file = Path(base, relative(environ))
    if not file.is_file():
        raise UsageError(f"{file}: no such file. `base` is a checkout, and `config` the pipeline file in it.")
    waivers = file.parent / WAIVERS
    return file if policy == "base" else None, waivers if waivers.is_file() else None


def _each(report: Path, model: Path | None, certificate: str) -> Sequence[tuple[Path | None, Path | None]]:
    """Each model to certify and where its certificate goes: beside the report, one for each target where there are several."""
    named = Path(certificate) if certificate else None
    if model is not None:
        return [(model, named)]
    ships = {v.artifact.sha256: v for v in selected(read_report(report)) if v.artifact}  # the same bytes once
    if len(ships) < 2:
        return [(None, named)]  # what is wrong with a report that selects nothing is for `certify` to say
    if named is not None:
        listed = ", ".join(v.id for v in ships.values())
        raise UsageError(
            f"the report selects {listed}, each with a certificate of its own. Leave `certificate` out, or name `model`."
        )
    stem, suffix = Path(FILE_NAME).stem, Path(FILE_NAME).suffix
    folder = report.parent
    return [
        (folder / v.artifact.path, folder / f"{stem}-{file_name(target_of(v.id))}{suffix}") for v in ships.values() if v.artifact
    ]


@contextmanager
def _key(environ: Mapping[str, str]) -> Iterator[Path | None]:
    """The file with the private key: the input's text, in a file that is gone afterwards, or the path that it is. None where the
    job's own identity signs.
    """
    stated = environ.get("KEY", "").strip()
    if not stated:
        if not environ.get(AMBIENT):
            raise UsageError(
                "there is no key to sign with. Pass `key: ${{ secrets.GATEKEEPER_KEY }}`, which is empty unless the job names "
                "the `environment` whose secret it is; or let the job sign by its own identity: `permissions: id-token: write`."
            )
        yield None
        return
    if "-----BEGIN" not in stated:
        if "\n" in stated or not Path(stated).is_file():
            raise UsageError(
                "`key` is neither a private key in PEM nor the path of one. See docs/release.md for how to make one."
            )
        yield Path(stated)
        return
    with tempfile.TemporaryDirectory(prefix="gatekeeper-key-", dir=environ.get("RUNNER_TEMP") or None) as folder:
        file = Path(folder) / "key"  # the folder is its owner's alone
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(stated + "\n")
        yield file


def _ended(written: Written, told: Sequence[Approval], held: str) -> Ended:
    about = written.certified
    who = {
        yes: ", ".join(f"{each.user} ({each.state}, {each.environment})" for each in told if (each.state == APPROVED) == yes)
        for yes in (True, False)
    }
    said = [
        f"judged again, it passes {len(about.gates)} gates on {about.examples} distinct examples; evidence {about.evidence}",
        held,
        f"signed by {written.who.kind} {written.who.name}",
        f"approved by: {who[True] or ('nobody' if told else 'nobody was asked')}",
        *([f"not approved by: {who[False]}"] if who[False] else []),
    ]
    digest = sha256(written.path.read_bytes()).hexdigest()
    return Ended(written.path, written.artifact, about.variant, digest, written.who.name, said)
