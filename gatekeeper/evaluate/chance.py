"""What a model scores that does not look at its input: of a baseline no better than that nothing can be kept."""

from __future__ import annotations

import math
import sys
from typing import Any

from gatekeeper.evaluate.metrics import macro_f1, r2
from gatekeeper.evaluate.metrics._base import CLASSIFICATION, REGRESSION, Pair, class_labels, family, with_names
from gatekeeper.evaluate.metrics._base import classes as classes_of
from gatekeeper.gates._collapse import Numbers, guesses, means

CHANCE_ALPHA = 0.05


def constant(outputs: Any, answered: Any = None) -> str | None:
    """Why nothing can be kept of a baseline that does not look at its input; None if it does. `answered` are its classes."""
    import numpy as np

    if (outputs == outputs[0]).all() and len(outputs) > 1:
        return "the baseline gives the same output for every example. Check the inputs and the model."
    if answered is not None and len(answered) > 1 and len(np.unique(answered)) == 1:
        return f"the baseline predicts class {answered[0]} for every example. Check the inputs and their preprocessing."
    return None


def chance(name: str, outputs: Any, labels: Any, pair: Pair, names: tuple[str, ...] = ()) -> str | None:
    """Why the baseline is no better than a guess that ignores its input; None if it is better."""
    if not math.isfinite(pair.baseline):
        return f"the baseline's {name} is {pair.baseline}. Check the metric and the model."
    advice = "Check the preprocessing and the labels, or use a better model."
    if _guessed(name):
        guessing = _guess(name, outputs, labels, names)
        if guessing is None:
            measure = "accuracy" if family(name) == CLASSIFICATION else name
            return f"every label is the same class; {measure} says nothing about such a set. Use a varied evaluation set."
        if not _beats(pair, guessing):
            said = f"the baseline is no better than chance: {_beside(name, pair.baseline, guessing, pair)}. "
            return said + (_beyond(name, outputs, labels) or advice)
    elif family(name) == REGRESSION:
        explained = r2.compare(outputs, outputs, labels).baseline
        if not explained > 0:
            return f"the baseline is no better than answering the mean (R2 = {explained:.3f}). {advice}"
    elif not (pair.baseline if pair.level is None else pair.level) > 0:
        return f"the baseline's {name} is {pair.baseline:.3g}; nothing of it can be kept. {advice}"
    return None


def _beyond(name: str, outputs: Any, labels: Any) -> str:
    """What to do about class indices that the model has no class for; nothing where it has one for each."""
    if family(name) != CLASSIFICATION or labels.dtype.kind in "US" or outputs.ndim != 2 or outputs.shape[1] < 2:
        return ""
    found = class_labels(labels, outputs)
    low, high, most = int(found.min()), int(found.max()), outputs.shape[1] - 1
    if outputs.dtype.kind != "f" or (low >= 0 and high <= most):
        return ""
    return f"The labels go from {low} to {high}, and the output has the classes 0 to {most}: number them as the output does."


def _guessed(name: str) -> bool:
    """Whether a guess that ignores the input has a score of its own."""
    return bool(family(name)) and (family(name) == CLASSIFICATION or with_names(name, ())[1] is not None)


def _guess(name: str, outputs: Any, labels: Any, names: tuple[str, ...]) -> float | None:
    """What a guess that ignores the input scores; None where every label is the same."""
    own = with_names(name, names)[1]
    return own(outputs, labels) if own else _guess_class(name, outputs, class_labels(labels, outputs))


def _guess_class(name: str, outputs: Any, labels: Any) -> float | None:
    """What an answer that ignores the input scores; None where every label is the same.

    For accuracy that is the most common label's share. F1 also rewards guessing the rare classes at their own rate, so
    there it is what the model's own answers score against labels in random order.
    """
    import numpy as np

    shares = np.sort(np.unique(labels, return_counts=True)[1])[::-1] / len(labels)
    if len(shares) == 1:
        return None
    if name == "macro_f1":
        generator = np.random.default_rng(0)
        predicted = classes_of(outputs)
        return max(macro_f1.f1_of(predicted, generator.permutation(labels)) for _ in range(20))
    return float(shares[: 5 if name == "top5_accuracy" else 1].sum())


def _beats(pair: Pair, guessing: float) -> bool:
    """Whether the baseline's score is above guessing by more than chance explains."""
    from gatekeeper.stats import f1, pooled
    from gatekeeper.stats.rounds import mean_interval

    q = pair.scores.q
    if pair.above:
        guessing = 0.0
    if pair.scores.kind == "classes":
        return f1.least(pair.scores, CHANCE_ALPHA) > guessing
    if pair.scores.kind == "pooled" and pair.scores.counts is not None:
        return pooled.least(pair.scores.counts, CHANCE_ALPHA) > guessing
    if pair.scores.kind != "binary":
        return mean_interval(q.tolist(), CHANCE_ALPHA).lower > guessing
    correct = round(float(q.sum()))
    if not correct > 0 or not guessing < 1:
        return False
    above = max(0.0, correct / len(q) - guessing)
    if math.exp(-2 * len(q) * above**2) <= CHANCE_ALPHA:  # Hoeffding's bound on the same: most are far above, and need no scipy
        return True
    from scipy.special import bdtrc

    return bool(bdtrc(correct - 1, len(q), guessing) <= CHANCE_ALPHA)


def chance_of_answers(name: str, pair: Pair, blind: float) -> str | None:
    """Why answers to prompts are no better than `blind`, what one that does not look gets, or too few to tell; None if better."""
    if not pair.baseline > 0:
        return "the baseline answers none of the prompts. Check their form, or use a better model."
    if blind >= 1:
        return "every prompt has the same answer, which says nothing of a model. Use a varied evaluation set."
    if _beats(pair, blind):
        return None
    values = f"its {name} is {pair.baseline:.1%}, and answering without looking gets {blind:.1%}"
    if pair.baseline > blind:
        return f"{too_few(pair.scores.examples, 'distinct prompt')}. Add some. (Of the baseline, {values}.)"
    return f"the baseline is no better than chance: {values}. Check the form of the prompts, or use a better model."


def too_few(count: int, what: str) -> str:
    """That so many are too few to tell, and how many would do."""
    from gatekeeper.gates.accuracy import LEAST_EXAMPLES

    few = f"{count} {what} is" if count == 1 else f"{count} {what}s are"
    more = f"at least {LEAST_EXAMPLES} are needed" if count < LEAST_EXAMPLES else "more are needed"
    return f"{few} too few to tell: {more}"


def guessing(name: str, baseline: Any, variant: Any, labels: Any, pair: Pair, names: tuple[str, ...] = ()) -> dict[str, float]:
    """How both models do beside a guess that ignores its input, where their metric can be guessed at."""
    if _guessed(name):
        guess = _guess(name, baseline, labels, names)
        before, score = (pair.baseline, pair.variant) if pair.level is None else (pair.level, float(pair.scores.p.mean()))
        return {} if guess is None else {"score": score, "guess": guess, "before": before}
    if family(name) == REGRESSION:
        after, before = (r2.compare(outputs, outputs, labels).baseline for outputs in (variant, baseline))
        return {"explained": after if math.isfinite(after) else -sys.float_info.max, "explained_before": before}
    return {}


def beside_chance(pair: Pair, guess: float | None) -> dict[str, float]:
    """The same by a metric of the user's own; nothing is known where chance is as good as the baseline, as of errors."""
    if guess is None or not pair.baseline > guess:
        return {}
    return {"score": pair.variant, "guess": guess, "before": pair.baseline}


def no_better(name: str, numbers: Numbers, pair: Pair) -> str:
    """Whether the variant is no better than such a guess, or mostly as bad, by what `guessing` found."""
    if "guess" in numbers and guesses(numbers):
        values = _beside(name, pair.variant, numbers["guess"], pair)
        if numbers["score"] <= numbers["guess"]:
            return f"it is no better than chance: {values}"
        kept = f"it keeps {_above(numbers):.0%} of what the original is better than chance"
        return f"{kept}: {values}, the original's is {pair.baseline:.1%}"
    if "explained" in numbers and means(numbers):
        explained, before = numbers["explained"], numbers["explained_before"]
        if explained > 0:
            values = f"R2 = {explained:.3g}, the original's {before:.3g}"
            return f"it keeps {explained / before:.0%} of what the original explains ({values})"
        return f"it is no better than answering the mean (R2 = {explained:{'.3f' if abs(explained) < 1000 else '.3g'}})"
    return ""


def _above(numbers: Numbers) -> float:
    return (numbers["score"] - numbers["guess"]) / (numbers["before"] - numbers["guess"])


def _beside(name: str, value: float, guess: float, pair: Pair) -> str:
    """A value and what a guess gets, which of an error rate is what is left of one."""
    gets = guess if pair.level is None else 1 - guess
    return f"its {name} is {value:.1%}, and answering without looking gets {gets:.1%}"
