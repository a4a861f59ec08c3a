"""Signing without a key: Sigstore certifies the workflow that runs here, for one signature, and logs it for everybody to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.certificate.bundle import INSTALL, lean, verified
from gatekeeper.certificate.identity import Issued, Workflow, issued_to
from gatekeeper.certificate.signing import brief
from gatekeeper.errors import UsageError

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

AMBIENT = "ACTIONS_ID_TOKEN_REQUEST_URL"
"""A job of GitHub's has it where it may ask for a token of its identity."""
PERMIT = "Give the job `permissions: id-token: write`, or name a private key with --key."


@dataclass(frozen=True)
class Keyless:
    """This job's identity, and the instance of Sigstore that believes it: the public one, or that of a client trust config."""

    instance: Path | None

    def sign(self, payload: bytes) -> tuple[bytes, Issued]:
        """The statement in a bundle, which was verified, and whom it is by; `UsageError` where nobody signs it."""
        from sigstore.dsse import Statement
        from sigstore.sign import SigningContext

        config, token = _config(self.instance), _token()  # now: a token is good for some minutes, and models may be large
        try:
            with SigningContext.from_trust_config(config).signer(token) as signer:
                bundle = signer.sign_dsse(Statement(payload))
        except Exception as error:  # of requests, of its clients, of cryptography: nothing was signed
            raise UsageError(f"Sigstore did not sign: {brief(error)}. Run it again, or name a private key with --key.") from None
        data, issued = lean(bundle), issued_to(bundle.signing_certificate)
        own = Workflow("this workflow", issued.identity, issued.issuer, issued.caller)
        return data, verified(data, [own], config.trusted_root, "what Sigstore signed").issued


def keyless(environ: Mapping[str, str], instance: Path | None) -> Keyless:
    """This job's identity; `UsageError` where it has none that may sign, or what signs is not installed."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get(
        AMBIENT
    ):  # without the first, other clouds' would be looked for
        raise UsageError(f"this is no job of GitHub Actions that may sign by its identity: {AMBIENT} is not set. {PERMIT}")
    try:
        import sigstore.sign  # noqa: F401
    except ImportError:
        raise UsageError(INSTALL) from None
    return Keyless(instance)


def _token() -> IdentityToken:
    from sigstore.oidc import IdentityToken, detect_credential

    try:
        raw = detect_credential()
        token = IdentityToken(raw) if raw else None
    except Exception as error:  # of `id`, of urllib3, of jwt
        raise UsageError(f"GitHub gives this job no token of its identity: {brief(error)}. {PERMIT}") from None
    if token is None:
        raise UsageError(f"this job has no identity that Sigstore takes. {PERMIT}")
    return token


def _config(instance: Path | None) -> ClientTrustConfig:
    from sigstore.models import ClientTrustConfig

    if instance is None:
        try:
            return ClientTrustConfig.production()
        except Exception as error:  # what the network does
            raise UsageError(f"Sigstore's keys cannot be fetched: {brief(error)}. Run it again.") from None
    try:
        return ClientTrustConfig.from_json(instance.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{instance}: cannot be read: {error.strerror}. Name a client trust config of Sigstore's.") from None
    except ValueError as error:
        raise UsageError(f"{instance}: no client trust config of Sigstore's ({brief(error)}). Name one.") from None
