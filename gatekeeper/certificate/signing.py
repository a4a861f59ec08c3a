"""The envelope around a statement (DSSE, https://github.com/secure-systems-lab/dsse): signing it, and reading it strictly.

An envelope is one line of text for each content: whatever its bytes, they are those that `render` makes of what is in them, so
that nothing can be changed in it and still be read as the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import Refused, UsageError

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer._crypto_signer import CryptoSigner
    from securesystemslib.signer._key import SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_BYTES = 16 << 20
MOST_KEY_BYTES = 64 << 10
SCHEMES = ("ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
MAKE = "Make one with: openssl genpkey -algorithm ed25519 -out release.key"
PUBLIC = "Write it with: openssl pkey -in release.key -pubout -out release.pub"


@dataclass(frozen=True)
class Signer:
    """Who may sign: a name that people know, and the public key."""

    name: str
    key: SSlibKey


def signer_of(path: Path) -> CryptoSigner:
    """The private key in a PEM file that has no password."""
    _installed()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer._crypto_signer import CryptoSigner

    data = _read(path, MAKE)
    try:
        signer = CryptoSigner(load_pem_private_key(data, None))
    except TypeError:
        raise UsageError(
            f"{path}: the key asks for a password. Give one without, as a secret file that only this job has."
        ) from None
    except Exception as error:  # cryptography has many; of whatever kind, this is no key of ours
        raise UsageError(f"{path}: not a private key in PEM ({brief(error)}). {MAKE}") from None
    _check_scheme(signer.public_key, path, MAKE)
    return signer


def public_key(path: Path) -> SSlibKey:
    """The public key in a PEM file."""
    _installed()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer._key import SSlibKey

    data = _read(path, PUBLIC)
    try:
        key: SSlibKey = SSlibKey.from_crypto(load_pem_public_key(data))
    except Exception as error:
        raise UsageError(f"{path}: not a public key in PEM ({brief(error)}). {PUBLIC}") from None
    _check_scheme(key, path, PUBLIC)
    return key


def signed(payload: bytes, signer: CryptoSigner) -> bytes:
    """The statement in an envelope with this signature."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return render(envelope)


def render(envelope: Envelope) -> bytes:
    """The one form in which an envelope is written."""
    return json.dumps(envelope.to_dict(), sort_keys=True, ensure_ascii=True).encode() + b"\n"


def opened(data: bytes, name: str) -> Envelope:
    """The envelope in these bytes, of which nothing is known yet but that it is one."""
    _installed()
    from securesystemslib.dsse import Envelope

    if not data.strip():
        raise Refused(f"{name}: is empty. Fetch the certificate again.")
    try:
        envelope = Envelope.from_dict(json.loads(data, object_pairs_hook=once))
        whole = render(envelope) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{name}: not a certificate ({brief(error)}). Fetch it again, whole.") from None
    if not whole:
        raise Refused(f"{name}: is not written as `gatekeeper certify` writes it. Fetch it again, unchanged.")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Refused(f"{name}: holds {envelope.payload_type!r:.100}, and no in-toto statement. Name a certificate.")
    if any(each.unrecognized_fields for each in envelope.signatures.values()):
        raise Refused(f"{name}: its signature holds more than a signature. Fetch the certificate again, unchanged.")
    if len(envelope.signatures) != 1:
        raise Refused(f"{name}: has {len(envelope.signatures)} signatures; a certificate has one. Certify the report again.")
    return envelope


def verified(envelope: Envelope, signers: Sequence[Signer], name: str) -> Signer:
    """Whose signature it is, of those who may sign; `Refused` where it is nobody's."""
    from securesystemslib.exceptions import VerificationError

    try:
        keys = envelope.verify([each.key for each in signers], 1)
    except (VerificationError, ValueError):
        known = ", ".join(f"{each.name} ({each.key.keyid[:12]})" for each in signers) or "it names identities alone"
        keyid = next(iter(envelope.signatures))
        raise Refused(
            f"{name}: its signature, which names the key {keyid[:12]!r}, is not by a signer of the trust file: {known}."
        ) from None
    return next(each for each in signers if each.key.keyid in keys)


def came_bytes(path: Path, what: str, most: int = MOST_BYTES) -> bytes:
    """The same of a file that came with a release, where a pipe would be waited for without end."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is no file. Name the {what}.")
    return read_bytes(path, what, most)


def read_bytes(path: Path, what: str, most: int = MOST_BYTES) -> bytes:
    """What stands in a file that is not large."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}. Name the {what}.") from None
    if len(data) > most:
        raise Refused(f"{path}: more than {most} bytes are too large for a {what}.")
    return data


def _read(path: Path, remedy: str) -> bytes:
    try:
        data = read_bytes(path, "key's file", MOST_KEY_BYTES)
    except Refused:
        raise UsageError(f"{path}: more than {MOST_KEY_BYTES} bytes are too large for a key. {remedy}") from None
    if not data.strip():
        raise UsageError(f"{path}: is empty. {remedy}")
    return data


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which no key comes twice: readers differ in which of them they take. For `object_pairs_hook`."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _check_scheme(key: SSlibKey, path: Path, remedy: str) -> None:
    if key.scheme not in SCHEMES:
        raise UsageError(f"{path}: a key of the kind {key.scheme}; this takes {', '.join(SCHEMES)}. {remedy}")


def brief(error: Exception) -> str:
    """An error of a library's in few words."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more is known'}"[:160]


def _installed() -> None:
    try:
        import cryptography  # noqa: F401
        import securesystemslib  # noqa: F401
    except ImportError:
        raise UsageError("securesystemslib is not installed. Install it with: pip install 'edge-gatekeeper[release]'") from None
