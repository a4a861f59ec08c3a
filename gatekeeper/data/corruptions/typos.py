"""Texts as they are typed in a hurry."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import Amount

DESCRIPTION = "Puts typing errors into texts."
TAKES = "texts"

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
BESIDE = {key: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in ROWS for i, key in enumerate(row)}
"""The keys to the left and right of a key, on a keyboard of English."""


class Options(Amount, frozen=True, kw_only=True):
    """How many."""

    share: Annotated[
        float, Meta(gt=0, le=1, description="Share of the letters and digits that are mistyped, and at least one.")
    ] = 0.05


def corrupt(text: str, options: Options, about: None, draw: Any) -> str:
    """Of some characters, drawn by lot, each is left out, doubled, swapped with the next, or the key beside it."""
    places = [i for i, character in enumerate(text) if character.isalnum()]
    if not places:
        return text
    chosen = draw.choice(len(places), max(1, round(options.share * len(places))), replace=False)
    characters = list(text)
    for place in sorted((places[i] for i in chosen), reverse=True):
        _mistype(characters, place, int(draw.integers(4)), draw)
    return "".join(characters)


def _mistype(characters: list[str], place: int, how: int, draw: Any) -> None:
    """One error; where a swap or a key beside it would change nothing, the character is doubled."""
    own = characters[place]
    if how == 0:
        del characters[place]
    elif how == 1 and place + 1 < len(characters) and characters[place + 1] != own:
        characters[place : place + 2] = [characters[place + 1], own]
    elif how == 2 and (beside := BESIDE.get(own.lower(), "")):
        key = beside[int(draw.integers(len(beside)))]
        characters[place] = key.upper() if own.isupper() else key
    else:
        characters[place] = own * 2
