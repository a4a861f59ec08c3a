"""`packaging`: what is built from an approved model; a key for each kind of package there is."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.config.owners import PACKAGES
from gatekeeper.config.section import make_section


def _fields() -> list[tuple[str, Any, Any]]:
    """One field for each kind, by the key that it goes by in the file."""
    modules = [PACKAGES.get(name) for name in PACKAGES.names]
    return [(each.KEY, Annotated[each.SECTION | None, Meta(description=each.DESCRIPTION)], None) for each in modules]


Packaging = make_section("Packaging", "What is built from an approved model: `gatekeeper package`.", _fields())
