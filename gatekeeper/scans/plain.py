"""What nobody loads, or loads as nothing but numbers: weights that a model names, texts, pictures, lists of words."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.scans._base import Rule, Saw, Seen

DESCRIPTION = "Weights that a model names, texts, images, vocabularies: files that are only read."
ORDER = 50
RULES: dict[str, Rule] = {}

WORDS = (".model", ".spm", ".tiktoken", ".vocab", ".ftz", ".gitattributes")
"""Vocabularies of tokenizers that are no text."""


def takes(seen: Seen) -> bool:
    """What another scan has named, and what is text, an image or a vocabulary."""
    if seen.named_by:
        return seen.content not in ("pickle", "zip", "tar", "hdf5")
    inert = seen.content in ("text", "json", "xml", "image", "document", "media") or seen.size == 0
    return inert or (seen.content == "binary" and seen.suffix in WORDS)


def scan(seen: Seen) -> Iterator[Saw]:
    """Nothing more than its name and its content say (gatekeeper/scans/names.py)."""
    yield from ()
