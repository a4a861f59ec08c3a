"""What a text model predicts on windows of tokens, small enough to keep and to compare.

Beside `predictions.npy` (negative log-likelihood of every next token, float64 [windows, window - 1]):

    top_tokens.npy       the likeliest next token, int32 [windows, window - 1]
    distributions.npy    log-probabilities at evenly spread positions, float32 [positions, vocabulary]
    answers.json         for each prompt, whether the model's own continuation is the answer
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.predict import Predict, Predicted
from gatekeeper.evaluate.text.prepare import Prompt, read_prompts
from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._base import TextSession
from gatekeeper.frameworks._spec import TextSpec

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session, Tokenizer

TOP_TOKENS = "top_tokens.npy"
DISTRIBUTION_BYTES = 64 << 20
SPARE_TOKENS = 8
"""An answer may take a few tokens more in the model's own words than as it was tokenized here."""


def predict_text(request: Predict, session: Session) -> Predicted:
    """Write what the session predicts beside `request.destination`."""
    import numpy as np

    text = request.spec.text
    assert text is not None
    dataset, target = PreparedDataset(Path(request.dataset)), Path(request.destination)
    tokens = dataset.inputs["tokens"]
    vocabulary = text.vocabulary
    count, positions = len(tokens), tokens.shape[1] - 1
    losses, top = np.empty((count, positions)), np.empty((count, positions), dtype=np.int32)
    kept = _kept(count * positions, vocabulary)
    distributions = np.empty((len(kept), vocabulary), dtype=np.float32)
    for i in range(count):
        scores = _log_probabilities(session, np.array(tokens[i]), vocabulary)[:-1]
        losses[i] = -np.take_along_axis(scores, tokens[i, 1:, None], axis=1)[:, 0]
        top[i] = scores.argmax(axis=1)
        inside = (kept >= i * positions) & (kept < (i + 1) * positions)
        distributions[inside] = scores[kept[inside] - i * positions]
    np.save(target, losses)
    np.save(target.with_name(TOP_TOKENS), top)
    np.save(target.with_name("distributions.npy"), distributions)
    prompts = read_prompts(Path(request.dataset))
    answers = _answers(cast(TextSession, session), prompts, text) if prompts else []
    target.with_name("answers.json").write_bytes(msgspec.json.encode(answers))
    return Predicted(output="logits", examples=count)


def _log_probabilities(session: Session, tokens: Any, vocabulary: int) -> Any:
    """float64 [tokens, vocabulary]."""
    import numpy as np
    from scipy.special import log_softmax

    [logits] = session.run({"tokens": tokens[None]})
    if logits.ndim != 3 or logits.shape[:2] != (1, len(tokens)) or logits.shape[2] < vocabulary:
        raise NotMeasured("model", f"the logits have shape {logits.shape} for {len(tokens)} tokens of {vocabulary} kinds.")
    # Rows past the vocabulary pad the matrix; no tokenizer ever gives them.
    scores = log_softmax(logits[0, :, :vocabulary].astype(np.float64), axis=1)
    if not np.isfinite(scores).all():
        raise NotMeasured("model", "the output holds NaN or infinite values. The model is broken at this precision.")
    return scores


def _kept(positions: int, vocabulary: int) -> Any:
    """Which positions' whole distributions are kept: all, or as many as fit, evenly spread."""
    import numpy as np

    count = min(positions, max(1, DISTRIBUTION_BYTES // (4 * vocabulary)))
    return np.linspace(0, positions - 1, count).round().astype(np.int64)


def _answers(session: TextSession, prompts: list[Prompt], text: TextSpec) -> list[bool]:
    tokenizer = open_tokenizer(Path(text.model), text.framework)
    return [_answer(session, tokenizer, prompt, text.end) == prompt.answer for prompt in prompts]


def _answer(session: TextSession, tokenizer: Tokenizer, prompt: Prompt, end: list[int]) -> str:
    """The model's own continuation up to the end-of-text token, and as many lines as the answer has."""
    import numpy as np

    limit = prompt.answer_tokens + SPARE_TOKENS
    tokens: list[int] = []
    for token in session.generate({"tokens": np.asarray(prompt.tokens, dtype=np.int64), "new_tokens": limit}):
        if token in end:
            break
        tokens.append(int(token))
    lines = tokenizer.decode(tokens).strip().splitlines()
    return "\n".join(lines[: len(prompt.answer.splitlines())]).strip()
