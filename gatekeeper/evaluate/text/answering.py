"""How a model answers prompts: what it writes, the likeliest or drawn, and how likely it finds each of several choices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.asked import Asked, Prompt
from gatekeeper.evaluate.text.likelihood import log_probabilities

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import TextSession, Tokenizer

FILE = "answers.json"


class Answered(msgspec.Struct, frozen=True):
    """Of each prompt the texts that were written, as many as generations; or the log-likelihood of each choice, in nats."""

    texts: list[list[str]] = []
    likelihoods: list[list[float]] = []


def read_answered(predictions: Path) -> Answered:
    """Beside a model's predictions."""
    return msgspec.json.decode(predictions.with_name(FILE).read_bytes(), type=Answered)


def write_answered(predictions: Path, answered: Answered) -> None:
    """Beside a model's predictions."""
    predictions.with_name(FILE).write_bytes(msgspec.json.encode(answered))


def answer(session: TextSession, tokenizer: Tokenizer, asked: Asked, end: list[int], vocabulary: int) -> Answered:
    """To every prompt."""
    if asked.chosen:
        return Answered(likelihoods=[_likelihoods(session, prompt, vocabulary) for prompt in asked.prompts])
    texts = []
    for i, prompt in enumerate(asked.prompts):
        draws = [_Draw(asked, i, each, vocabulary) if asked.generations > 1 else None for each in range(asked.generations)]
        texts.append([_written(session, tokenizer, prompt, end, draw) for draw in draws])
    return Answered(texts=texts)


class _Draw:
    """Draws each token at a temperature, by Gumbel's noise: the same for every model that is asked the same.

    So two models that are alike write alike, and what differs between them is not chance.
    """

    def __init__(self, asked: Asked, prompt: int, generation: int, vocabulary: int):
        import numpy as np

        self._noise = np.random.default_rng([asked.seed, prompt, generation])
        self._temperature, self._vocabulary, self.drawn = asked.temperature, vocabulary, 0

    def __call__(self, scores: Any) -> int:
        """A token, of scores [vocabulary, or more where the matrix is padded]."""
        self.drawn += 1
        noise = self._noise.gumbel(size=self._vocabulary)
        return int((scores[: self._vocabulary] / self._temperature + noise).argmax())


def _written(session: TextSession, tokenizer: Tokenizer, prompt: Prompt, end: list[int], draw: _Draw | None) -> str:
    """The model's own continuation up to the end-of-text token."""
    import numpy as np

    feed: dict[str, Any] = {"tokens": np.asarray(prompt.tokens, dtype=np.int64), "new_tokens": prompt.new_tokens}
    tokens: list[int] = []
    for token in session.generate(feed | ({"choose": draw} if draw else {})):
        if token in end:
            break
        tokens.append(int(token))
    if draw and not draw.drawn:
        raise NotMeasured("unsupported", "this framework writes the likeliest text only. Leave `dataset.generations` at 1.")
    return tokenizer.decode(tokens)


def _likelihoods(session: TextSession, prompt: Prompt, vocabulary: int) -> list[float]:
    """Of each choice the sum of its tokens' log-probabilities after the prompt."""
    import numpy as np

    first, found = len(prompt.tokens) - 1, []
    for choice in prompt.choices:
        scores = log_probabilities(session, np.array([*prompt.tokens, *choice], dtype=np.int64), vocabulary, first)[:-1]
        found.append(float(np.take_along_axis(scores, np.array(choice)[:, None], axis=1).sum()))
    return found
