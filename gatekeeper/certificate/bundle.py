"""A statement that a workflow's identity signed: a bundle of Sigstore's (https://docs.sigstore.dev/about/bundle/), read offline.

sigstore-python checks what makes it one: the certificate to its root, that it was logged, the log's entry, the time, the
signature. What it reads and does not check is held to one form here, so that nothing in a bundle can be changed unseen; but
for the wrapping of a timestamp (its versions, the name of its algorithm), which nobody signs and from which nothing follows.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gatekeeper.certificate.identity import Issued, Workflow, issued_to, why_not
from gatekeeper.certificate.signing import PAYLOAD_TYPE, brief, once
from gatekeeper.errors import Refused, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle, TrustedRoot

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
INSTALL = "sigstore is not installed. Install it with: pip install 'edge-gatekeeper[release-keyless]'"
_PUBLIC = "https://tuf-repo-cdn.sigstore.dev"
_LINE = "\u2014 "


@dataclass(frozen=True)
class Logged:
    """What a bundle was found to be: what was signed, who signed it, and where that is logged."""

    payload: bytes
    workflow: Workflow
    issued: Issued
    certificate: str
    """SHA-256 of the signing certificate, which is made for one signature."""
    entry: str


def is_bundle(data: bytes) -> bool:
    """Whether these bytes say that they are a bundle; nothing more is known of them."""
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and str(read.get("mediaType", "")).startswith("application/vnd.dev.sigstore.bundle")


def trusted_root(path: Path | None) -> TrustedRoot:
    """The root in a file, or the public instance's as sigstore-python came with it: no network, and nothing of a cache."""
    try:
        from sigstore.models import TrustedRoot
    except ImportError:
        raise UsageError(INSTALL) from None
    if path is not None:
        return _root(path)
    embedded = resources.files("sigstore._store").joinpath(quote(_PUBLIC, safe=""), "trusted_root.json")
    with resources.as_file(embedded) as file:
        return TrustedRoot.from_file(str(file))


def _root(path: Path) -> TrustedRoot:
    from sigstore.models import TrustedRoot

    try:
        root = TrustedRoot.from_file(str(path))
        root.get_fulcio_certs()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. Name a trusted_root.json of Sigstore's.") from None
    except Exception as error:  # pydantic's, cryptography's, its own: of whatever kind, this is no root
        raise UsageError(f"{path}: no trusted root of Sigstore's ({brief(error)}). Name its trusted_root.json.") from None
    return root


def verified(data: bytes, workflows: Sequence[Workflow], root: TrustedRoot, name: str) -> Logged:
    """What one of these workflows signed; `Refused` where it is nobody's of them, or anything in it is wrong."""
    from sigstore.errors import VerificationError
    from sigstore.verify import Verifier

    policy = _Policy(workflows)
    try:
        bundle = _opened(data, name)
        kind, payload = Verifier(trusted_root=root).verify_dsse(bundle, policy)
        _check_log(bundle, root, name)
    except Refused:
        raise
    except VerificationError as error:
        raise Refused(f"{name}: its signature is not trusted: {str(error).rstrip('.')}.") from None
    except Exception as error:  # a stranger's bytes go through several libraries, and each has errors of its own
        raise Refused(f"{name}: not a bundle that can be verified ({brief(error)}). Fetch it again, unchanged.") from None
    if kind != PAYLOAD_TYPE or policy.found is None:
        raise Refused(f"{name}: holds {kind!r:.100}, and no in-toto statement. Name a certificate.")
    workflow, issued, certificate = policy.found
    return Logged(payload, workflow, issued, certificate, f"entry {bundle.log_entry._inner.log_index} of its log")


def lean(bundle: Bundle) -> bytes:
    """The form in which a bundle is written: with nothing in it that nobody has to check.

    Of two sources of time one is kept, and of a log's checkpoint the log's own signature.
    """
    read: dict[str, Any] = json.loads(bundle.to_json())
    material = read["verificationMaterial"]
    for entry in material["tlogEntries"]:
        if "inclusionPromise" in entry:
            material.pop("timestampVerificationData", None)
        elif stamps := material.get("timestampVerificationData", {}).get("rfc3161Timestamps"):
            del stamps[1:]
        checkpoint = entry["inclusionProof"]["checkpoint"]
        note, _, signatures = checkpoint["envelope"].partition("\n\n")
        own = [each for each in signatures.splitlines(keepends=True) if _is_by(each, b64decode(entry["logId"]["keyId"]))]
        checkpoint["envelope"] = f"{note}\n\n{''.join(own[:1])}"
    for signature in read["dsseEnvelope"]["signatures"]:
        signature.pop("keyid", None)
    return compact(read)


def compact(read: dict[str, Any]) -> bytes:
    """The one text of what was read."""
    return json.dumps(read, separators=(",", ":"), ensure_ascii=False).encode()


class _Policy:
    """Whether a certificate is that of one of these workflows; and then, which, and what it says."""

    def __init__(self, workflows: Sequence[Workflow]):
        self.workflows = workflows
        self.found: tuple[Workflow, Issued, str] | None = None

    def verify(self, cert: Certificate) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding
        from sigstore.errors import VerificationError

        issued = issued_to(cert)
        whys = [(each, why_not(issued, each)) for each in self.workflows]
        workflow = next((each for each, why in whys if not why), None)
        if workflow is None:
            near = next((f" ({why})" for each, why in whys if each.identity == issued.identity), "")
            known = ", ".join(each.identity for each in self.workflows)
            raise VerificationError(f"it is by {issued.shown()}{near}, and not by a signer of the trust file: {known}")
        self.found = workflow, issued, sha256(cert.public_bytes(Encoding.DER)).hexdigest()


def _opened(data: bytes, name: str) -> Bundle:
    """The bundle in these bytes, in the one form that `lean` writes."""
    from sigstore.models import Bundle

    read = json.loads(data, object_pairs_hook=once)
    bundle = Bundle.from_json(data)
    if compact(read) != data or json.loads(bundle.to_json()) != read or lean(bundle) != data:
        raise Refused(f"{name}: is not written as `gatekeeper certify` writes it. Fetch it again, unchanged.")
    if read["mediaType"] != MEDIA_TYPE:
        raise Refused(f"{name}: is a bundle of the kind {read['mediaType']!r}; this takes {MEDIA_TYPE}.")
    entry = bundle.log_entry._inner
    proof = entry.inclusion_proof
    note, _, signature = proof.checkpoint.envelope.partition("\n\n") if proof.checkpoint else ("", "", "")
    origin, size, *_ = note.split("\n")
    line = f"{_LINE}{origin.partition(' ')[0]} {_base64(signature)}\n"
    if size != str(proof.tree_size) or signature != line:
        raise Refused(f"{name}: its log's checkpoint is not of the log that its entry is in. Fetch it again, unchanged.")
    return bundle


def _check_log(bundle: Bundle, root: TrustedRoot, name: str) -> None:
    """`Refused` where the entry names no log of the root, or a place in it that it has not: a log that promises no time does not
    sign either, and its key is found by four bytes.
    """
    entry = bundle.log_entry._inner
    known = {each.key_id for log in root._inner.tlogs for each in (log.log_id, log.checkpoint_key_id) if each is not None}
    misplaced = entry.inclusion_promise is None and entry.log_index != entry.inclusion_proof.log_index
    if entry.log_id.key_id not in known or misplaced:
        raise Refused(f"{name}: its entry is in no log that the trusted root names. Fetch it again, unchanged.")


def _base64(line: str) -> str:
    """The signature of a checkpoint's line as it would be written."""
    return b64encode(b64decode(line.split(" ")[-1].rstrip("\n"))).decode()


def _is_by(line: str, key: bytes) -> bool:
    """Whether a line of a checkpoint is signed by the log whose key this is: it names the first bytes of its digest."""
    return line.startswith(_LINE) and b64decode(line.split(" ")[-1].rstrip("\n"))[:4] == key[:4]
