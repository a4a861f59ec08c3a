"""Scores of two models on the same examples: what a comparison of their quality rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["binary", "bounded", "real", "log", "classes"]


@dataclass(frozen=True)
class PairedScores:
    """Scores of two models on the same examples (or groups of examples), each of shape [n].

    `kind` selects the rule: `binary` scores are 0 or 1; `bounded` ones lie in [low, high]; `real` ones have no
    bound. The retention is (mean(p) / mean(q)) ** power; power 0.5 turns squared errors into RMSE. `log` scores are
    logarithms, p the baseline's and q the variant's: the retention is exp(mean(p - q)), of perplexities their ratio.
    `classes` are no scores but answers, p the variant's and q the baseline's class and `truth` the right one: the retention is
    that of macro F1; `unit` then numbers the distinct examples, where some are copies.
    `examples` is how many distinct examples the scores stand for, `copies` how many more were given that repeat them.
    `unseen` is how much an example that was not seen may lose, in the unit of `real` or `log` scores; None: as is usual for them.
    """

    kind: Kind
    p: Any
    q: Any
    examples: int
    power: float = 1.0
    low: float = 0.0
    high: float = 1.0
    truth: Any = None
    unit: Any = None
    copies: int = 0
    unseen: float | None = None
