"""What a text model says of the next token at every position of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import Session


def log_probabilities(session: Session, tokens: Any, vocabulary: int, first: int = 0) -> Any:
    """float64 [tokens - first, vocabulary], of the positions from the one that is number `first`."""
    import numpy as np
    from scipy.special import log_softmax

    [logits] = session.run({"tokens": tokens[None]})
    if logits.ndim != 3 or logits.shape[:2] != (1, len(tokens)) or logits.shape[2] < vocabulary:
        raise NotMeasured("model", f"the logits have shape {logits.shape} for {len(tokens)} tokens of {vocabulary} kinds.")
    # Rows past the vocabulary pad the matrix; no tokenizer ever gives them.
    scores = log_softmax(logits[0, first:, :vocabulary].astype(np.float64), axis=1)
    if not np.isfinite(scores).all():
        raise NotMeasured("model", "the output holds NaN or infinite values. The model is broken at this precision.")
    return scores
