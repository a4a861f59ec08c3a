"""The limit that all alerts on drift share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.stats.drift import FLOOR


class Floor(Section, frozen=True, kw_only=True):
    """How much must have moved to matter."""

    floor: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="Least distance D (Kolmogorov and Smirnov's) that matters: 0.1 is a tenth that lies elsewhere.",
        ),
    ] = FLOOR
