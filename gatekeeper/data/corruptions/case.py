"""Texts in capitals, or in none."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.data.corruptions._base import Amount

DESCRIPTION = "Writes texts in capitals, or in small letters."
TAKES = "texts"


class Options(Amount, frozen=True, kw_only=True):
    """Which letters there are then."""

    to: Annotated[
        Literal["upper", "lower", "swap"], Meta(description="`upper`: capitals; `lower`: none; `swap`: each the other way.")
    ] = "upper"


def corrupt(text: str, options: Options, about: None, draw: Any) -> str:
    """The same text in other letters."""
    return {"upper": text.upper, "lower": text.lower, "swap": text.swapcase}[options.to]()
