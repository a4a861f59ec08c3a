"""Whether these files may be released: by a signature that is trusted, file by file, and judged again under the local policy.

Nothing comes from the release itself but what is checked: who is trusted and what is required stand in the trust file. All that
is wrong is said at once, as far as what comes before lets one know.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from gatekeeper.certificate.again import judged_again
from gatekeeper.certificate.bom import bom_of
from gatekeeper.certificate.bundle import is_bundle
from gatekeeper.certificate.identity import Issued, unbound
from gatekeeper.certificate.inventory import differences, identity, inventory
from gatekeeper.certificate.signing import Signer, came_bytes, opened, verified
from gatekeeper.certificate.statement import PREDICATE_TYPE, SKEW, Certified, Statement
from gatekeeper.certificate.trust import Trust, came_in, read_trust
from gatekeeper.errors import Refused
from gatekeeper.reports._read import MAX_REPORT_BYTES
from gatekeeper.reports.json import FILE_NAME as REPORT

SHORT = 12


@dataclass(frozen=True)
class Asked:
    """What to verify. `report` and `bom` are report.json and the BOM, if they do not lie beside the certificate; `signature` a
    model signature (OpenSSF) that must hold, too.
    """

    certificate: Path
    model: Path
    trust: Path
    report: Path | None = None
    signature: Path | None = None
    bom: Path | None = None


@dataclass(frozen=True)
class Signed:
    """Who of the trusted signed, and how: `ids` is what of it can be revoked; an identity is `issued`, a key is not."""

    name: str
    how: str
    ids: Mapping[str, str]
    issued: Issued | None = None


@dataclass(frozen=True)
class Outcome:
    """What was trusted and why, and why it is refused all the same; nothing of the latter: it may be released."""

    trusted: list[str]
    refused: list[str]
    certified: Certified
    signed: Signed
    files: Mapping[str, str]


@dataclass(frozen=True)
class Release:
    """What came: the bytes of the certificate, of the report and of the BOM, and the model's files by name and digest."""

    certificate: bytes
    report: bytes
    files: Mapping[str, str]
    bom: bytes | None = None


def verify(asked: Asked, now: datetime.datetime) -> Outcome:
    """Check a release; `Refused` where not even the certificate can be believed, `UsageError` where a file cannot be read."""
    trust = read_trust(asked.trust, _came(asked))
    name = str(asked.certificate)
    data = came_bytes(asked.certificate, "certificate")
    check_signed(data, trust, name)  # who signed is known before anything of a stranger's is read
    report = came_bytes(asked.report or asked.certificate.with_name(REPORT), "report (--report)", MAX_REPORT_BYTES)
    files = inventory(asked.model)
    outcome = released(Release(data, report, files, bom_beside(asked.certificate, asked.bom)), trust, now, name)
    if asked.signature is not None:
        signature = came_bytes(asked.signature, "model signature")
        check_model(signature, files, not asked.model.is_dir(), trust, str(asked.signature), outcome)
    return outcome


def _came(asked: Asked) -> list[Path]:
    """The folders that what is verified came in; a model's own folder is one wherever it is."""
    files = (asked.certificate, asked.model, asked.report, asked.signature, asked.bom)
    return [*([asked.model] if asked.model.is_dir() else []), *came_in(*filter(None, files))]


def bom_beside(certificate: Path, stated: Path | None) -> bytes | None:
    """The BOM that came with a certificate; None where none lies there and none was named."""
    beside = stated or bom_of(certificate)
    return came_bytes(beside, "BOM (--bom)") if stated or os.path.lexists(beside) else None


def check_signed(data: bytes, trust: Trust, name: str) -> tuple[Statement, Signed]:
    """What a certificate states, and who of the trusted signed it; `Refused` where nobody did."""
    if is_bundle(data):
        payload, signed = _identified(data, trust, name)
        return _statement(payload, name), signed
    envelope = opened(data, name)
    signer = verified(envelope, trust.signers, name)
    return _statement(envelope.payload, name), _with_key(signer)


def check_model(data: bytes, files: Mapping[str, str], alone: bool, trust: Trust, name: str, outcome: Outcome) -> None:
    """Add to an outcome what a model signature says; `Refused` where nobody trusted made it."""
    from gatekeeper.certificate import model_signature

    if model_signature.is_by_key(data):
        payload, signer = model_signature.verified(data, trust.signers, name)
        signed = _with_key(signer)
    else:
        payload, signed = _identified(data, trust, name)
    refused = list(model_signature.wrong(payload, files, alone, name))
    revoked = {"the model signature": sha256(data).hexdigest(), **signed.ids}
    refused += [f"{what} is revoked ({digest[:SHORT]})" for what, digest in revoked.items() if digest in trust.revoked]
    outcome.refused.extend(refused)
    if not refused:
        outcome.trusted.append(f"the model signature over the same files, by {signed.name} ({signed.how})")


def _with_key(signer: Signer) -> Signed:
    how = f"{signer.key.scheme}, key {signer.key.keyid[:SHORT]}"
    return Signed(signer.name, how, {f"the key of {signer.name}": signer.key.keyid})


def _identified(data: bytes, trust: Trust, name: str) -> tuple[bytes, Signed]:
    """What an identity of the trust file signed, and which; Sigstore's code is loaded for nothing else."""
    from gatekeeper.certificate import bundle

    if not trust.workflows:
        known = ", ".join(each.name for each in trust.signers)
        raise Refused(f"{name}: was signed by an identity, and the trust file names keys alone: {known}.")
    logged = bundle.verified(data, trust.workflows, bundle.trusted_root(trust.root), name)
    shown = logged.issued.shown().removeprefix(f"{logged.workflow.name} ")  # its name is its identity where it has no other
    how = f"{shown.strip('()')}, {logged.entry}"
    return logged.payload, Signed(logged.workflow.name, how, {"its signing certificate": logged.certificate}, logged.issued)


def released(release: Release, trust: Trust, now: datetime.datetime, name: str) -> Outcome:
    """The same as `verify` of what was read already; `name` is the certificate's, for what is wrong with it."""
    stated, signed = check_signed(release.certificate, trust, name)
    certified = stated.predicate
    trusted = [f"signed by {signed.name} ({signed.how})"]
    refused = list(_times(certified, trust, now))
    if not refused:
        trusted.append(f"measured {certified.measured}, certified {certified.issued}, at most {trust.require.max_age} old")
    if signed.issued is not None:
        refused += unbound(signed.issued, certified.origin)
    refused += [*_revoked(stated, release.certificate, signed, trust), *_files(stated, release.files, trusted)]
    refused += _bom(certified, release.bom, trust, trusted)
    if (found := sha256(release.report).hexdigest()) != certified.report:
        digests = f"its SHA-256 is {found[:SHORT]}, not {certified.report[:SHORT]}"
        refused.append(f"the report is not the one that was certified: {digests}")
    else:
        again = judged_again(release.report, certified, _subjects(stated), trust, now)
        trusted += again.trusted
        refused += again.refused
    return Outcome(trusted, refused, certified, signed, release.files)


def _statement(payload: bytes, name: str) -> Statement:
    """The statement that was signed; a trusted key may have signed others."""
    try:
        kind = msgspec.json.decode(payload).get("predicateType")
        if kind != PREDICATE_TYPE:
            raise Refused(f"{name}: states {kind!r:.200}, and no certificate, which is {PREDICATE_TYPE}. Name a certificate.")
        stated = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError) as error:
        raise Refused(f"{name}: what was signed is no certificate ({error}). Certify the report again.") from None
    _check_days(stated.predicate, name)
    return stated


def _check_days(certified: Certified, name: str) -> None:
    """`Refused` where a time is none: what is signed is not therefore well written."""
    try:
        times = [datetime.datetime.fromisoformat(each) for each in (certified.measured, certified.issued)]
        for each in certified.waivers:
            datetime.date.fromisoformat(each.waiver.expires)
    except ValueError as error:
        raise Refused(f"{name}: holds a time that is none ({error}). Certify the report again.") from None
    if any(each.tzinfo is None for each in times):
        raise Refused(f"{name}: holds a time that is not UTC. Certify the report again.")


def _times(certified: Certified, trust: Trust, now: datetime.datetime) -> Iterator[str]:
    measured, issued = (datetime.datetime.fromisoformat(each) for each in (certified.measured, certified.issued))
    if issued - now > SKEW:
        yield f"it was certified at {certified.issued}, and here it is {now:%Y-%m-%dT%H:%M:%SZ}: set this machine's clock right"
    if measured - issued > SKEW:
        yield f"it was certified at {certified.issued}, before it was measured at {certified.measured}"
    if now - measured > trust.max_age:
        yield f"it was measured at {certified.measured}, and may be {trust.require.max_age} old. Measure and certify it again"


def _revoked(stated: Statement, data: bytes, signed: Signed, trust: Trust) -> Iterator[str]:
    certified = stated.predicate
    known = {
        "the certificate": sha256(data).hexdigest(),
        **signed.ids,
        "its report": certified.report,
        "its artifact": certified.artifact,
        "the model it was made of": certified.model.sha256,
        "its pipeline file": certified.pipeline.sha256,
        **{what: each.sha256 for what, each in certified.data.items()},
        **{f"the {name}": digest for name, digest in certified.code.items()},
        **{f"its file {each.name}": each.digest["sha256"] for each in stated.subject if "sha256" in each.digest},
    }
    yield from (f"{what} is revoked ({digest[:SHORT]})" for what, digest in known.items() if digest in trust.revoked)


def _subjects(stated: Statement) -> dict[str, str]:
    return {each.name: each.digest.get("sha256", "") for each in stated.subject}


def _bom(certified: Certified, bom: bytes | None, trust: Trust, trusted: list[str]) -> Iterator[str]:
    """That the BOM is the certified one; who requires none can do without it."""
    if certified.bom is None or bom is None:
        missing = "its certificate names no BOM. Certify the report again" if certified.bom is None else "its BOM is not here"
        if trust.require.bom:
            yield f"a BOM is required here, and {missing}"
        elif bom is not None:
            yield "there is a BOM beside the certificate, which names none. Remove it, or certify the report again"
    elif (found := sha256(bom).hexdigest()) != certified.bom:
        digests = f"its SHA-256 is {found[:SHORT]}, not {certified.bom[:SHORT]}"
        yield f"the BOM is not the one that was certified: {digests}"
    else:
        trusted.append(f"the BOM is the one that was certified ({certified.bom[:SHORT]})")


def _files(stated: Statement, files: Mapping[str, str], trusted: list[str]) -> Iterator[str]:
    """Every file to its subject, and all of them to what the report calls the artifact."""
    subjects = _subjects(stated)
    if len(subjects) != len(stated.subject) or not subjects:
        yield "the certificate names no file, or one twice. Certify the report again"
        return
    if found := list(differences(files, subjects)):
        yield from found
        return
    if identity(files) != stated.predicate.artifact:
        yield "the files of the certificate are not those of its own artifact. Certify the report again"
        return
    named = ", ".join(f"{name} ({digest[:SHORT]})" for name, digest in list(files.items())[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    trusted.append(f"every file is the one that was certified: {named}{more}")
