"""docs/compliance.md: its tables are made of the fields of a card and the points of Annex IV; the rest is written by hand."""

from __future__ import annotations

from gatekeeper.compliance.annex import POINTS, nothing
from gatekeeper.compliance.card import FIELDS
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(REPOSITORY / "docs" / "compliance.md", {"card": card, "annex": annex})


def card() -> str:
    """Each field of a card, and the headings it may stand under."""
    rows = [
        (f"`{name}`", cell(field.meaning), " · ".join(each.capitalize() for each in field.headings))
        for name, field in FIELDS.items()
    ]
    return table(("field", "says", "headings"), rows)


def annex() -> str:
    """Each point of the annex, and whether a report of measurements can hold anything of it."""
    rows = [(point, cell(asks), "" if read is nothing else "yes") for point, asks, read in POINTS]
    return table(("point", "asks for", "can be shown"), rows)
