"""`packaging`: what is built from an approved model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.config.sections.edge_server import EdgeServer
from gatekeeper.config.sections.mobile import MobileDeployment


class Packaging(Section, frozen=True, kw_only=True):
    """What is built from an approved model."""

    mobile_deployment: Annotated[MobileDeployment | None, Meta(description="Packages for phones.")] = None
    edge_server: Annotated[EdgeServer | None, Meta(description="Packages for edge servers.")] = None
