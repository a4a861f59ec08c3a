"""From classes or ids to what they write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.errors import NotMeasured

BLANKS = ("<blank>", "<pad>", "[PAD]", "[blank]", "<eps>", "<ctc_blank>")
SPACES = ("|", "▁")
"""What stands for a space: alone where nothing else does (wav2vec 2), or at the beginning of a word (SentencePiece)."""
PRIVATE = 0x10000
"""Ids without a vocabulary are letters from here on, so that they can be counted like letters."""


@dataclass(frozen=True)
class Alphabet:
    """What each id writes, and how ids are read."""

    tokens: tuple[str, ...] | None
    blank: int | None
    collapse: bool
    end: int | None
    axis: int  # of the classes

    def texts(self, ids: Any) -> Any:
        """What rows of ids [examples, length] write, [examples]. An id below zero is none."""
        import numpy as np

        return np.asarray([self._text(row) for row in ids.reshape(len(ids), -1).tolist()], dtype=str)

    def written(self, outputs: Any) -> Any:
        """What outputs write: scores of classes, [examples, time, classes], or ids."""
        import numpy as np

        ids = outputs.argmax(axis=self.axis) if outputs.dtype.kind == "f" else outputs.reshape(len(outputs), -1)
        if self.collapse:
            again = np.zeros(ids.shape, bool)
            again[:, 1:] = ids[:, 1:] == ids[:, :-1]
            ids = np.where(again, -1, ids)
        return self.texts(ids)

    def _text(self, ids: list[int]) -> str:
        if self.end is not None and self.end in ids:
            ids = ids[: ids.index(self.end)]
        ids = [each for each in ids if each >= 0 and each != self.blank]
        if self.tokens is None:
            return "".join(chr(PRIVATE + each) for each in ids)
        if ids and max(ids) >= len(self.tokens):
            raise NotMeasured(
                "model", f"an id is {max(ids)} and the vocabulary has {len(self.tokens)}. Correct `model.symbols.vocabulary`."
            )
        return " ".join("".join(self.tokens[each] for each in ids).split())


def symbols(settings: Symbols, outputs: Any, folder: Path) -> Alphabet:
    """How the outputs of a model are read, told by the baseline's."""
    scores = outputs.dtype.kind == "f"
    if scores and outputs.ndim != 3:
        raise NotMeasured(
            "model",
            f"the output has shape {outputs.shape}. A transcribing model answers scores of classes, [examples, time, classes], "
            "or ids, [examples, length]. Name the output with `model.output`.",
        )
    named = _vocabulary(settings.vocabulary, folder)
    axis, blank = 2, settings.blank
    if scores and named is not None:
        axis, named, blank = _fitted(named, outputs.shape, blank)
    count = outputs.shape[axis] if scores else len(named or ())
    if blank is None and named is not None:
        blank = next((i for i, token in enumerate(named) if token in BLANKS), None)
    if blank is None and scores:
        raise NotMeasured("model", "which class writes nothing is not known. Say it with `model: {symbols: {blank: 0}}`.")
    if blank is not None and blank < 0:
        blank += count
    collapse = scores if settings.collapse is None else settings.collapse
    return Alphabet(None if named is None else _written(named), blank, collapse, settings.end, axis)


def _fitted(named: list[str], shape: tuple[int, ...], blank: int | None) -> tuple[int, list[str], int | None]:
    """The axis of the classes, and the vocabulary with the blank put in where it has one less."""
    for axis in (2, 1):
        if shape[axis] == len(named):
            return axis, named, blank
    for axis in (2, 1):
        if shape[axis] == len(named) + 1 and blank in (0, -1, len(named)):
            return axis, ["", *named] if blank == 0 else [*named, ""], blank
    raise NotMeasured(
        "model",
        f"the vocabulary has {len(named)} entries and the output {shape[2]} classes. Give one for each class, in their order; "
        "one less where `model.symbols.blank` is the first (0) or the last (-1).",
    )


def _written(named: list[str]) -> tuple[str, ...]:
    """What each entry writes: special ones (<s>, [UNK]) nothing, and what stands for a space a space."""
    spaced = " " in named
    found = []
    for token in named:
        special = len(token) > 2 and token[0] + token[-1] in ("<>", "[]")
        text = "" if special else token.replace("▁", " ")
        found.append(" " if text == "|" and not spaced else text)
    return tuple(found)


def _vocabulary(given: str | list[str] | None, folder: Path) -> list[str] | None:
    if given is None or isinstance(given, list):
        return given
    file = folder / given
    try:
        text = file.read_text(encoding="utf-8")
        found = json.loads(text) if file.suffix == ".json" else text.split("\n")
    except (OSError, ValueError) as error:
        raise NotMeasured("data", f"{file}: cannot be read as a vocabulary ({error}). Correct `model.symbols`.") from None
    if isinstance(found, dict):
        if sorted(found.values()) != list(range(len(found))):
            raise NotMeasured("data", f"{file}: its numbers are not 0, 1, 2 and so on. Give a list instead.")
        return sorted(found, key=lambda token: int(found[token]))
    return [each.rstrip("\r") for each in (found[:-1] if file.suffix != ".json" and found[-1] == "" else found)]
