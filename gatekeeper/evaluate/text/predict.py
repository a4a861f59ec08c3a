"""What a text model predicts on windows of tokens, small enough to keep and to compare.

Beside `predictions.npy` (negative log-likelihood of every next token, float64 [windows, positions]):

    top_tokens.npy       the likeliest next token, int32 [windows, positions]
    distributions.npy    log-probabilities at evenly spread positions, float32 [positions, vocabulary]
    answers.json         how each prompt is answered

The positions are those after a token of the text: nobody can foresee where in it a window begins, or what a template puts there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.evaluate.predict import Predict, Predicted
from gatekeeper.evaluate.text.answering import Answered, answer, write_answered
from gatekeeper.evaluate.text.asked import read_asked
from gatekeeper.evaluate.text.likelihood import log_probabilities
from gatekeeper.evaluate.text.tokenizer import open_tokenizer
from gatekeeper.frameworks._base import TextSession

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session

TOP_TOKENS = "top_tokens.npy"
DISTRIBUTION_BYTES = 64 << 20


def predict_text(request: Predict, session: Session) -> Predicted:
    """Write what the session predicts beside `request.destination`."""
    import numpy as np

    text = request.spec.text
    assert text is not None
    dataset, target = PreparedDataset(Path(request.dataset)), Path(request.destination)
    tokens = dataset.inputs["tokens"]
    vocabulary = text.vocabulary
    asked = read_asked(Path(request.dataset))
    first = len(asked.before)
    count, positions = len(tokens), tokens.shape[1] - 1 - first
    losses, top = np.empty((count, positions)), np.empty((count, positions), dtype=np.int32)
    kept = _kept(count * positions, vocabulary)
    distributions = np.empty((len(kept), vocabulary), dtype=np.float32)
    for i in range(count):
        scores = log_probabilities(session, np.array(tokens[i]), vocabulary, first)[:-1]
        losses[i] = -np.take_along_axis(scores, tokens[i, first + 1 :, None], axis=1)[:, 0]
        top[i] = scores.argmax(axis=1)
        inside = (kept >= i * positions) & (kept < (i + 1) * positions)
        distributions[inside] = scores[kept[inside] - i * positions]
    np.save(target, losses)
    np.save(target.with_name(TOP_TOKENS), top)
    np.save(target.with_name("distributions.npy"), distributions)
    answered = Answered()
    if asked.prompts:
        tokenizer = open_tokenizer(Path(text.model), text.framework)
        answered = answer(cast(TextSession, session), tokenizer, asked, text.end, vocabulary)
    write_answered(target, answered)
    return Predicted(output="logits", examples=count)


def _kept(positions: int, vocabulary: int) -> Any:
    """Which positions' whole distributions are kept: all, or as many as fit, evenly spread."""
    import numpy as np

    count = min(positions, max(1, DISTRIBUTION_BYTES // (4 * vocabulary)))
    return np.linspace(0, positions - 1, count).round().astype(np.int64)
