"""How `gates.robustness.corruptions` is written: a name, or a name with its options, for each corruption there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gatekeeper.data.corruptions._base import REGISTRY, WORDS, Corruption, asked, corruption


def _of_one(self: Any) -> str:
    return ", ".join(each.label for each in of(self))


def _fields() -> list[tuple[str, Any, Any]]:
    return [
        (
            name,
            Annotated[
                corruption(name).Options | None,
                Meta(description=f"{corruption(name).DESCRIPTION} Of {WORDS[corruption(name).TAKES]}."),
            ],
            None,
        )
        for name in REGISTRY.names
    ]


WithOptions = msgspec.defstruct(
    "WithOptions",
    _fields(),
    namespace={"__doc__": "A corruption and how much of it; one of these keys.", "__repr__": _of_one},
    module=__name__,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
)
"""A field for each corruption there is."""


def of(said: Any) -> list[Corruption]:
    """What one entry names: one corruption, unless the file is wrong."""
    if isinstance(said, str):
        return [Corruption(said)]
    found = {name: each for name in REGISTRY.names if (each := getattr(said, name)) is not None}
    return [asked({name: _unusual(each)}) for name, each in found.items()]


def all_of(said: Sequence[Any]) -> list[Corruption]:
    """What a list names."""
    return [each for entry in said for each in of(entry)]


def as_written(said: Sequence[Any]) -> list[Any]:
    """The list as a file, or a report, has it."""
    return [each.name if not each.options else {each.name: each.options} for each in all_of(said)]


def _unusual(amount: Any) -> dict[str, Any]:
    """Options that are not as they are where nobody says anything."""
    usual = type(amount)()
    return {name: value for name in amount.__struct_fields__ if (value := getattr(amount, name)) != getattr(usual, name)}
