"""What a text model is asked beside the windows it reads, in a prepared folder: prompts, how they are answered, and what the
tokenizer's template puts before a text.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "prompts.json"


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A question with one right answer, as the model is given it: `tokens` are the question's.

    The answer is a text that it is to write, or one of several `choices`, given as the tokens that follow the question's; then
    `lengths` are their characters and `right` is the number of the right one.
    """

    name: str
    tokens: list[int]
    answer: str = ""
    new_tokens: int = 0
    choices: list[list[int]] = []
    lengths: list[int] = []
    right: int = 0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of `generations` above 1 each is drawn at a temperature, by chance that is the same for every model; one is the likeliest.

    `before` are the tokens that every window begins with: the template's own, which nobody is asked to foresee.
    """

    prompts: list[Prompt] = []
    before: list[int] = []
    generations: int = 1
    temperature: float = 1.0
    seed: int = 0

    @property
    def chosen(self) -> bool:
        """Whether prompts are answered by choosing."""
        return any(prompt.choices for prompt in self.prompts)


def write_asked(folder: Path, asked: Asked) -> None:
    """Into a prepared folder."""
    (folder / FILE).write_bytes(msgspec.json.encode(asked))


def read_asked(folder: Path) -> Asked:
    """Of a prepared folder."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Asked)
