"""Who a signing certificate of Sigstore was issued to (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeeper.certificate.statement import Origin

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

GITHUB = "https://token.actions.githubusercontent.com"
"""Who issues the tokens of GitHub's workflows; an enterprise's have a path more."""
_FULCIO = "1.3.6.1.4.1.57264.1."
_FIELDS = {"issuer": 8, "runner": 11, "repository": 12, "commit": 13, "ref": 14, "caller": 18, "run": 21}


@dataclass(frozen=True)
class Workflow:
    """Who may sign by an identity: exactly this one, vouched for by exactly this issuer.

    `caller` is the workflow that the run began with. A reusable workflow signs by its own identity whoever calls it, also from
    another repository or branch, so that the caller counts as much as the identity.
    """

    name: str
    identity: str
    issuer: str
    caller: str = ""


@dataclass(frozen=True)
class Issued:
    """What Sigstore wrote into a certificate; empty where its issuer told nothing."""

    identity: str
    issuer: str
    caller: str
    repository: str
    ref: str
    commit: str
    run: str
    runner: str

    def shown(self) -> str:
        """In few words."""
        called = f", called by {self.caller}" if self.caller not in ("", self.identity) else ""
        return f"{self.identity} ({self.issuer}){called}"


def issued_to(certificate: Certificate) -> Issued:
    """What a certificate says; `ValueError` where it names not exactly one identity."""
    from cryptography.hazmat import asn1
    from cryptography.x509 import RFC822Name, SubjectAlternativeName, UniformResourceIdentifier, UnrecognizedExtension

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    identities = [*names.get_values_for_type(UniformResourceIdentifier), *names.get_values_for_type(RFC822Name)]
    if len(identities) != 1 or len(list(names)) != 1:
        raise ValueError(f"the certificate names {len(list(names))} identities")
    told = {each.oid.dotted_string: each.value for each in certificate.extensions}

    def said(number: int) -> str:
        value = told.get(f"{_FULCIO}{number}")
        return asn1.decode_der(str, value.value) if isinstance(value, UnrecognizedExtension) else ""

    return Issued(identity=identities[0], **{field: said(number) for field, number in _FIELDS.items()})


def why_not(issued: Issued, workflow: Workflow) -> str:
    """What keeps a certificate from being this workflow's, in words; empty: it is."""
    if issued.identity != workflow.identity:
        return "it is another identity"
    if issued.issuer != workflow.issuer:
        return f"its issuer is {issued.issuer!r}"
    caller = workflow.caller or (workflow.identity if issued.caller or _github(issued) else "")
    if issued.caller != caller:
        return f"its run began with {issued.caller or 'no workflow'!r}, and not with {caller!r} (`caller`)"
    return ""


def unbound(issued: Issued, origin: Origin) -> Iterator[str]:
    """Where a certificate of gatekeeper's says that it was made elsewhere than it was signed."""
    if not _github(issued):
        return
    run = issued.run.removesuffix("/attempts/1")
    pairs = {
        "repository": (origin.repository, _path(issued.repository)),
        "workflow": (origin.workflow, _path(issued.caller)),
        "ref": (origin.ref, issued.ref),
        "commit": (origin.commit, issued.commit),
        "run": (origin.run, run),
        "runner": (origin.runner.partition(" ")[0], issued.runner),
    }
    for what, (stated, signed) in pairs.items():
        if stated != signed:
            yield f"it says that the {what} is {stated!r:.200}, and was signed where it is {signed!r:.200}"


def _github(issued: Issued) -> bool:
    return issued.issuer == GITHUB or issued.issuer.startswith(f"{GITHUB}/")


def _path(url: str) -> str:
    """A URL without scheme and host, as GitHub's variables are."""
    return url.split("/", 3)[3] if url.count("/") > 2 else ""
