"""Scores of two models on the same examples: what a comparison of their quality rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gatekeeper.records.base import Record

Kind = Literal["binary", "bounded", "real", "log"]


@dataclass(frozen=True)
class PairedScores:
    """Scores of two models on the same examples (or groups of examples), each of shape [n].

    `kind` selects the rule: `binary` scores are 0 or 1; `bounded` ones lie in [low, high]; `real` ones have no
    bound. The retention is (mean(p) / mean(q)) ** power; power 0.5 turns squared errors into RMSE. `log` scores are
    logarithms, p the baseline's and q the variant's: the retention is exp(mean(p - q)), of perplexities their ratio.
    `examples` is how many examples the scores stand for.
    """

    kind: Kind
    p: Any
    q: Any
    examples: int
    power: float = 1.0
    low: float = 0.0
    high: float = 1.0


class KeptOutput(Record, frozen=True, kw_only=True):
    """What a variant keeps of an output that no metric reads: its worst component, with bounds over all of them.

    `problem` says why nothing could be compared, which is the variant's fault. A number that is not known, and a bound that is
    open, is None.
    """

    name: str
    problem: str = ""
    what: str = ""
    component: str = ""
    components: int = 1
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    examples: int = 0


class KeptClass(Record, frozen=True, kw_only=True):
    """The examples of one class (or group), and how many of them both models, only one, or the baseline got right."""

    name: str
    examples: int
    both: int
    only_baseline: int
    only_variant: int
