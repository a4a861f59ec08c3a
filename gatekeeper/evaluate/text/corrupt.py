"""Lines of an evaluation text under a corruption: what a model reads or is asked changes, the right answers stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.corrupted import differing, texts_of, write_arrived
from gatekeeper.data.corruptions._base import Corruption, corruption
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.rows import Row
from gatekeeper.records.corrupted import CHARACTERS, Arrived

TOLD_BY = "user"
"""Whose part of a conversation is corrupted: nobody mistypes the model's own words, or the instructions it comes with."""


def corrupt_rows(folder: Path, rows: list[Row], metric: str | None, asked: Corruption, seed: int) -> list[Row]:
    """The rows, with what was done beside them in the folder. The proof is taken of what is judged: of questions where there
    are some, unless perplexity is asked for.
    """
    alone = bool(getattr(corruption(asked.name), "ASKED", False))
    others = [row if alone and row.text else _corrupt(row, asked, seed) for row in rows]
    questions = [i for i, row in enumerate(rows) if not row.text]
    judged = questions if questions and metric != "perplexity" else range(len(rows))
    if alone and not questions:
        raise NotMeasured(
            "data", f"{asked.label} takes questions, and this set has none: a text that is shorter is no harder. Leave it out."
        )
    pairs = [(_said(rows[i]), _said(others[i])) for i in judged]
    apart = [differing(before, after) for before, after in pairs]
    changed, whole = sum(before != after for before, after in pairs), sum(len(before) for before, _ in pairs)
    arrived = Arrived(changed=changed, examples=len(pairs), by=sum(apart) / max(1, whole), unit=CHARACTERS)
    write_arrived(folder, asked, arrived)
    return others


def _corrupt(row: Row, asked: Corruption, seed: int) -> Row:
    if row.messages:
        return msgspec.structs.replace(row, messages=[_message(each, asked, seed) for each in row.messages])
    key = "text" if row.text else "prompt"
    before: str = getattr(row, key)
    return msgspec.structs.replace(row, **{key: _one(before, asked, seed)})


def _message(message: dict[str, Any], asked: Corruption, seed: int) -> dict[str, Any]:
    said = message.get("content")
    if message.get("role") != TOLD_BY or not isinstance(said, str):
        return message
    return message | {"content": _one(said, asked, seed)}


def _one(text: str, asked: Corruption, seed: int) -> str:
    """A corrupted text; one of which nothing would be left, or only white space, stays."""
    [found] = texts_of([text], asked, seed)
    return found if found.strip() else text


def _said(row: Row) -> str:
    return row.text or row.prompt or "\n".join(str(each.get("content")) for each in row.messages)
