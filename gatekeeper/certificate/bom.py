"""The ML-BOM beside a certificate: held to CycloneDX's own schema before it is written."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.compliance.bom import SUFFIX
from gatekeeper.errors import Refused, UsageError

INSTALL = "Install it with: pip install 'edge-gatekeeper[release]'"


def bom_of(certificate: Path) -> Path:
    """Where the BOM of a certificate lies: beside it, under its name."""
    return certificate.with_suffix(SUFFIX)


def check_bom(data: bytes, name: str) -> None:
    """`Refused` for what is no CycloneDX 1.6, by its schema, strictly; `UsageError` where nothing can tell."""
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        raise UsageError(f"cyclonedx-python-lib is not installed. {INSTALL}") from None
    from cyclonedx.exception import MissingOptionalDependencyException

    try:
        found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    except MissingOptionalDependencyException as error:
        raise UsageError(f"cyclonedx-python-lib lacks its part that validates ({error}). {INSTALL}") from None
    if found is not None:
        said = str(found.data.message) if hasattr(found.data, "message") else str(found)
        raise Refused(f"{name}: what it states makes no BOM in CycloneDX 1.6: {said.splitlines()[0][:300]}. Run it again.")
