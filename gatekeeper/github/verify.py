"""`command: verify`: whether what is about to be released is what was certified. Offline, with the extra `release` alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from gatekeeper.certificate.certify import FILE_NAME, selected
from gatekeeper.certificate.inventory import inventory
from gatekeeper.certificate.signing import came_bytes
from gatekeeper.certificate.trust import Trust, read_trust
from gatekeeper.certificate.verify import Release, bom_beside, check_signed, released
from gatekeeper.cli.verify import gh_line
from gatekeeper.compliance.bom import SUFFIX as BOM
from gatekeeper.errors import Refused, UsageError
from gatekeeper.github._release import Ended, Result, ended
from gatekeeper.records.report import Report
from gatekeeper.reports._read import MAX_REPORT_BYTES, parsed
from gatekeeper.reports.json import FILE_NAME as REPORT


def step(environ: Mapping[str, str]) -> int:
    """Verify every certificate in `results`, or `certificate` alone; the exit code."""
    return ended("verify", "released", environ, lambda: _verified(environ))


def _verified(environ: Mapping[str, str]) -> Result:
    results = Path(environ["RESULTS"]) if environ.get("RESULTS") else None
    certificates = _certificates(results, environ.get("CERTIFICATE", ""))
    model = Path(environ["MODEL"]) if environ.get("MODEL") else None
    if model is not None and len(certificates) > 1:
        raise UsageError(
            f"{results}: holds {len(certificates)} certificates, and `model` is one. Name its own with `certificate`."
        )
    trust = read_trust(_trust(environ.get("TRUST", "")), _came(results, model, certificates))
    every, refused, covered = list[Ended](), list[str](), set[str]()
    report = None
    for certificate in certificates:
        found, why, report = _one(certificate, model, trust)
        every += [found] if found else []
        refused += [f"{certificate}: {each}" for each in why]
        covered |= {found.variant} if found else set()
    if model is None and not environ.get("CERTIFICATE") and report is not None and not refused:
        refused += _left_out(report, covered)
    return Result(every, refused)


def _one(certificate: Path, model: Path | None, trust: Trust) -> tuple[Ended | None, list[str], Report]:
    """One certificate, and the model that it is of; its report, which the signature covers."""
    name, data = str(certificate), came_bytes(certificate, "certificate")
    stated, signed = check_signed(data, trust, name)  # who signed is known before anything of a stranger's is read
    about, file = stated.predicate, certificate.with_name(REPORT)
    report = came_bytes(file, "report", MAX_REPORT_BYTES)
    if sha256(report).hexdigest() != about.report:
        raise Refused(f"{file}: is not the report that {name} certifies. Fetch both again, as they were uploaded together.")
    read = parsed(report, file)
    place = model or _place(read, about.variant, file)
    outcome = released(Release(data, report, inventory(place), bom_beside(certificate, None)), trust, datetime.now(UTC), name)
    if outcome.refused:
        return None, outcome.refused, read
    said = [f"trusted: {each}" for each in outcome.trusted]
    return (
        Ended(
            certificate, place, about.variant, sha256(data).hexdigest(), signed.name, said, gh_line(certificate, place, outcome)
        ),
        [],
        read,
    )


def _certificates(results: Path | None, stated: str) -> list[Path]:
    if stated:
        return [Path(stated)]
    if results is None:
        raise UsageError(
            "`verify` needs `results`: the folder with certificate.json, report.json and artifacts/; or `certificate`."
        )
    if not results.is_dir():
        raise UsageError(
            f"{results}: no such folder. `results` is what the job that certified uploaded: download it before this step."
        )
    path = Path(FILE_NAME)
    several = [each for each in sorted(results.glob(f"{path.stem}-*{path.suffix}")) if not each.name.endswith(BOM)]
    if found := [*results.glob(FILE_NAME), *several]:
        return found
    raise UsageError(f"{results}: there is no {FILE_NAME} in it. Download what the job that certified uploaded.")


def _trust(stated: str) -> Path:
    if not stated:
        raise UsageError("`verify` needs `trust`: the trust file of this repository, from a checkout. docs/release.md shows one.")
    return Path(stated)


def _came(results: Path | None, model: Path | None, certificates: list[Path]) -> list[Path]:
    """The folders of what is to be released, from which no trust may come. The report lies beside its certificate."""
    files = [each for each in (results, model, *certificates) if each is not None]
    return list(dict.fromkeys(each if each.is_dir() else each.parent for each in files))


def _place(report: Report, variant: str, file: Path) -> Path:
    """Where the model lies that a report calls so: below the report's folder."""
    found = next((v for t in report.targets for v in t.variants if v.id == variant and v.artifact), None)
    if found is None or found.artifact is None:
        raise Refused(f"{file}: has no artifact of {variant}. Certify the report again.")
    place = file.parent / found.artifact.path
    if not place.resolve().is_relative_to(file.parent.resolve()):
        raise Refused(
            f"{file}: says that {variant} lies at {found.artifact.path}, outside of its folder. Certify the report again."
        )
    if not place.exists():
        raise UsageError(f"{place}: is not there, where the report says that {variant} lies. Name it with `model`.")
    return place


def _left_out(report: Report, covered: set[str]) -> list[str]:
    """What the report lets ship and nobody has certified: left out, it would not be missed."""
    ships = [v for v in selected(report) if v.artifact]
    digests = {v.artifact.sha256 for v in ships if v.artifact and v.id in covered}
    missing = [v.id for v in ships if v.artifact and v.artifact.sha256 not in digests]
    return [f"{each}: the report selects it, and there is no certificate of it here" for each in missing]
