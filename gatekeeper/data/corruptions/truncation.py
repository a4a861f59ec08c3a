"""Texts that end too soon."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import Amount

DESCRIPTION = "Cuts texts off after a share of their words; of a text model's set, questions alone."
TAKES = "texts"
ASKED = True


class Options(Amount, frozen=True, kw_only=True):
    """How much is left."""

    keep: Annotated[float, Meta(gt=0, lt=1, description="Share of the words that is left, and at least one.")] = 0.5


def corrupt(text: str, options: Options, about: None, draw: Any) -> str:
    """Its first words, with the white space between them."""
    words = list(re.finditer(r"\S+", text))
    kept = max(1, int(options.keep * len(words)))
    return text[: words[kept - 1].end()] if kept < len(words) else text
