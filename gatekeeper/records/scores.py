"""Scores of two models on the same examples: what a comparison of their quality rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gatekeeper.records.base import Record

Kind = Literal["binary", "bounded", "real", "errors", "log", "classes", "pooled"]


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each class was labelled and answered in each example: what F1 and IoU are made of.

    `table` [5, examples, classes]: places labelled with a class; those the baseline answers with it, and rightly; those the
    variant answers with it, and rightly. Of each class F1 is 2 right / (labelled + answered); with `union` it is IoU instead,
    right / (labelled + answered - right).
    """

    table: Any
    union: bool = False


@dataclass(frozen=True)
class PairedScores:
    """Scores of two models on the same examples (or groups of examples), each of shape [n].

    `kind` selects the rule: `binary` scores are 0 or 1; `bounded` ones lie in [low, high]; `real` ones have no bound that is
    known (where all are 0 or 1 they count as `binary`), and `errors` have none. The retention is (mean(p) / mean(q)) ** power;
    power 0.5 turns squared errors into RMSE. `log` scores are logarithms, p the baseline's and q the variant's: the retention is
    exp(mean(p - q)), of perplexities their ratio. `classes` are no scores but answers, p the variant's and q the baseline's class
    and `truth` the right one: the retention is that of macro F1; `unit` then numbers the distinct examples. `pooled` scores are
    `counts`, of which p and q are the right answers an example: the retention is that of the mean over classes.
    `examples` is how many distinct examples the scores stand for, `copies` how many more were given that repeat them.
    `own` are the variant's scores by its metric, where p are something else, such as what it has above a guess.
    `unseen` is how much an example that was not seen may lose, in the unit of scores without bound; None: as is usual for them.
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
    counts: Counts | None = None
    copies: int = 0
    unseen: float | None = None
    own: Any = None


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
    """The examples of one class (or group), and how many of them both models, only one, or the baseline got right.

    Of several answers an example it is `places` that are counted, or parts of what an example is worth; `together` of them, as
    those of an example are lost together, are worth one.
    """

    name: str
    examples: int
    both: int
    only_baseline: int
    only_variant: int
    slice: str = ""  # that it is a group of; empty of a class
    part: bool = False  # of the answers: what is answered, where in an example, or in examples of which size
    places: int = 0  # in those examples; 0 where each has one answer
    together: float = 1.0
    parts: int = 1  # that an example is counted in
    given: int = 0  # answers of the baseline, right or wrong, where it is wrong ones that are counted beside them; else 0


class Calibrated(Record, frozen=True, kw_only=True):
    """How sure two models are of their answers beside how often they are right, by `bins` of equal width of what is sure.

    Of each bin how many examples, how many right answers, the sum of what was sure, and the sum of the squares of right (0 or
    1) less sure. `together` are the sums of that of the variant times that of the baseline, by the bin of the variant and that
    of the baseline; those that are not there are 0. So much tells the error of both, and how far chance may have moved what
    lies between them. `problem` says why nothing is known.
    """

    bins: int = 0
    examples: int = 0
    baseline: list[tuple[int, int, float, float]] = []
    variant: list[tuple[int, int, float, float]] = []
    together: list[tuple[int, int, float]] = []
    problem: str = ""
