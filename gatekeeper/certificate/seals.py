"""Who signs a certificate: a private key, or the identity of the job that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from gatekeeper.certificate.identity import unbound
from gatekeeper.certificate.signing import signed, signer_of
from gatekeeper.certificate.statement import Origin
from gatekeeper.errors import Refused, UsageError


class Who(NamedTuple):
    """Whom a certificate is by: the key of this digest, or the identity of this name."""

    kind: Literal["the key", "the identity"]
    name: str


@dataclass(frozen=True)
class Seal:
    """Signs statements: `certificate` one that says where it was made, and tells who signed it; `model` one over files."""

    certificate: Callable[[bytes, Origin], tuple[bytes, Who]]
    model: Callable[[bytes], bytes]


def seal_of(key: Path | None, instance: Path | None, environ: Mapping[str, str], *, models: bool) -> Seal:
    """The seal of a key's file, or of this job; `UsageError` where there is neither, or it cannot sign `models` and is to."""
    if key is not None:
        if instance is not None:
            raise UsageError("a key signs without Sigstore. Give --key, or --trust-config.")
        return _of_key(key, models)
    return _of_job(environ, instance)


def _of_key(path: Path, models: bool) -> Seal:
    from gatekeeper.certificate import model_signature

    signer = signer_of(path)
    if models:
        model_signature.check_takes(signer.public_key)
    return Seal(
        lambda payload, _: (signed(payload, signer), Who("the key", signer.public_key.keyid)),
        lambda payload: model_signature.signed(payload, signer),
    )


def _of_job(environ: Mapping[str, str], instance: Path | None) -> Seal:
    from gatekeeper.certificate.keyless import keyless

    job = keyless(environ, instance)

    def certificate(payload: bytes, origin: Origin) -> tuple[bytes, Who]:
        data, issued = job.sign(payload)
        if wrong := list(unbound(issued, origin)):
            raise Refused(f"the certificate that Sigstore signed would not be believed: {'; '.join(wrong)}.")
        return data, Who("the identity", issued.shown())

    return Seal(certificate, lambda payload: job.sign(payload)[0])
