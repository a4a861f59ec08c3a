"""OpenSSF model signing (https://github.com/sigstore/model-transparency), the second form: who signed these files, and no more.

The package `model-signing` reads what is written here, and the other way around. It hashes the files itself, and would read a
model a second time. What it trusts of a signature beyond what is safe is refused here: `ignore_paths`, which leave files
unsigned, links, and, by `inventory`, hidden files and those of Git, which it leaves out by itself.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.certificate.bundle import MEDIA_TYPE, compact
from gatekeeper.certificate.inventory import differences
from gatekeeper.certificate.signing import PAYLOAD_TYPE, Signer, brief, once
from gatekeeper.errors import Refused, UsageError

if TYPE_CHECKING:
    from securesystemslib.signer._crypto_signer import CryptoSigner
    from securesystemslib.signer._key import SSlibKey

PREDICATE_TYPE: Literal["https://model_signing/signature/v1.0"] = "https://model_signing/signature/v1.0"
FILE_NAME = "model.sig"
_ALONE = "."
"""What a model of one file calls that file."""


class Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    name: str
    algorithm: Literal["sha256"]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Serialization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How files were listed. What is not known here could leave some out."""

    method: Literal["files"]
    hash_type: Literal["sha256"]
    allow_symlinks: Literal[False]
    ignore_paths: list[str] = []


class Predicate(msgspec.Struct, frozen=True):
    """What is signed about the files."""

    serialization: Serialization
    resources: list[Resource]


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them together."""

    name: str
    digest: dict[Literal["sha256"], str]


class Statement(msgspec.Struct, frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    """The statement of a model signature."""

    type: Literal["https://in-toto.io/Statement/v1"]
    subject: Annotated[list[Subject], Meta(min_length=1, max_length=1)]
    predicate_type: Literal["https://model_signing/signature/v1.0"]
    predicate: Predicate


def statement(files: Mapping[str, str], name: str, alone: bool) -> bytes:
    """What is to be signed of these files; `alone` where the model is one file, and no folder."""
    named = {_ALONE if alone else name: digest for name, digest in files.items()}
    ordered = sorted(named, key=lambda each: PurePosixPath(each).parts)
    resources = [{"name": each, "algorithm": "sha256", "digest": named[each]} for each in ordered]
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    whole = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": _together(named[each] for each in ordered)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"serialization": serialization, "resources": resources},
    }
    return json.dumps(whole).encode()


def takes(key: SSlibKey) -> bool:
    """Whether models are signed with keys of this kind: `model-signing` knows those on elliptic curves, and no Ed25519."""
    return key.scheme.startswith("ecdsa")


def check_takes(key: SSlibKey) -> None:
    """`UsageError` for a key that models are not signed with."""
    if not takes(key):
        raise UsageError(
            f"a model signature takes no key of the kind {key.scheme}. "
            "Make one with: openssl ecparam -genkey -name prime256v1 -noout -out release.key"
        )


def signed(payload: bytes, signer: CryptoSigner) -> bytes:
    """The statement in a bundle with a key's signature."""
    from securesystemslib.dsse import Envelope

    signature = bytes.fromhex(signer.sign(Envelope(payload, PAYLOAD_TYPE, {}).pae()).signature)
    envelope = {
        "payload": b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
    }
    material = {"publicKey": {"hint": _hint(signer.public_key)}, "tlogEntries": []}
    return compact({"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope})


def is_by_key(data: bytes) -> bool:
    """Whether these bytes say that a key signed them, and no identity."""
    try:
        return "publicKey" in json.loads(data)["verificationMaterial"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return True


def verified(data: bytes, signers: Sequence[Signer], name: str) -> tuple[bytes, Signer]:
    """What a key of these signed, and whose it is; `Refused` where it is nobody's, or anything else stands in it."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer._signature import Signature

    try:
        read = json.loads(data, object_pairs_hook=once)
        hint, payload, raw = _parts(read)
        whole = compact(read) == data
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Refused(f"{name}: not a model signature ({brief(error)}). Fetch it again, whole.") from None
    if not whole:
        raise Refused(f"{name}: holds more than a model signature. Fetch it again, unchanged.")
    signer = next((each for each in signers if takes(each.key) and _hint(each.key) == hint), None)
    known = ", ".join(each.name for each in signers) or "it names no key"
    if signer is None:
        raise Refused(f"{name}: it is by the key {hint[:12]!r}, and not by a signer of the trust file: {known}.")
    try:
        signature = Signature(signer.key.keyid, raw.hex())
        signer.key.verify_signature(signature, Envelope(payload, PAYLOAD_TYPE, {}).pae())
    except UnverifiedSignatureError:
        raise Refused(f"{name}: names the key of {signer.name}, which did not sign it. Fetch it again, unchanged.") from None
    return payload, signer


def wrong(payload: bytes, files: Mapping[str, str], alone: bool, name: str) -> Iterator[str]:
    """What of a signed statement does not hold for these files, in words; `Refused` where it is no statement over files."""
    try:
        if (kind := msgspec.json.decode(payload).get("predicateType")) != PREDICATE_TYPE:
            raise Refused(f"{name}: states {kind!r:.200}, and no model signature, which is {PREDICATE_TYPE}. Name one.")
        stated = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError) as error:
        raise Refused(f"{name}: states no model signature ({brief(error)}). Sign the files with --model-signature.") from None
    serialization, resources = stated.predicate.serialization, stated.predicate.resources
    if serialization.ignore_paths:
        left = ", ".join(serialization.ignore_paths)
        yield f"the model signature leaves out {left:.200}: files of that name are not signed. Sign again, without ignore_paths"
        return
    named = {each.name: each.digest for each in resources}
    if len(named) != len(resources):
        yield "the model signature names a file twice. Sign the files again"
        return
    if _together(each.digest for each in resources) != stated.subject[0].digest.get("sha256"):
        yield "the model signature's digest is not that of its own files. Sign the files again"
        return
    if alone and set(named) == {_ALONE}:
        named = {next(iter(files)): named[_ALONE]}
    yield from differences(files, named, "model signature", "signed")


def _parts(read: Any) -> tuple[str, bytes, bytes]:
    """The hint, payload and signature of a bundle in which nothing else stands."""
    material, envelope = read["verificationMaterial"], read["dsseEnvelope"]
    hint, signature = material["publicKey"]["hint"], envelope["signatures"][0]
    payload, raw = _decoded(envelope["payload"]), _decoded(signature["sig"])
    known = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {"payload": envelope["payload"], "payloadType": PAYLOAD_TYPE, "signatures": [signature]},
    }
    if read != known or signature != {"sig": signature["sig"], "keyid": ""} or not isinstance(hint, str):
        raise ValueError("it has fields that a key's signature has not")
    return hint, payload, raw


def _decoded(text: Any) -> bytes:
    """Of the one text that these bytes have in base64."""
    if not isinstance(text, str):
        raise ValueError("base64 is missing")
    try:
        data = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if b64encode(data).decode() != text:
        raise ValueError("base64 is not written as usual")
    return data


def _together(digests: Any) -> str:
    """The digest over all files: that of theirs, in the order in which they are listed."""
    whole = sha256()
    for each in digests:
        whole.update(bytes.fromhex(each))
    return whole.hexdigest()


def _hint(key: SSlibKey) -> str:
    """What a bundle calls a key: the digest of its PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    public = load_pem_public_key(key.keyval["public"].encode())
    return sha256(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
