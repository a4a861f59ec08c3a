"""Scores of prompts: which answers are right, by the metric, and what an answer without looking would get."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.data.distinct import numbered
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.chance import chance_of_answers, no_better
from gatekeeper.evaluate.collapse import collapsed, of_classes
from gatekeeper.evaluate.flips import of_texts
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.evaluate.once import once
from gatekeeper.evaluate.text.answering import Answered, read_answered
from gatekeeper.evaluate.text.asked import Asked, Prompt
from gatekeeper.records.flips import Flips
from gatekeeper.records.scores import PairedScores

if TYPE_CHECKING:
    from gatekeeper.evaluate.score import Score

EXACT_MATCH, CONTAINS, ACC, ACC_NORM = "exact_match", "contains", "acc", "acc_norm"
WRITTEN, CHOSEN = (EXACT_MATCH, CONTAINS), (ACC_NORM, ACC)
NAMED = 20
"""Examples that got worse whose names a report has."""
MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class PromptScores:
    """Scores of the distinct prompts, and what is to be said of them."""

    pair: Pair
    error: str | None
    collapsed: str
    signs: dict[str, float]
    changed: float
    worse: int
    names: list[str]
    flips: Flips


def metric_of(asked: Asked, wanted: str | None) -> str | None:
    """The metric that scores prompts, the default where none is wanted; None where text is judged. `NotMeasured` of another's."""
    if wanted == "perplexity" or (wanted is None and not asked.prompts):
        return None
    fitting = CHOSEN if asked.chosen else WRITTEN
    if wanted in (*WRITTEN, *CHOSEN) and (not asked.prompts or wanted not in fitting):
        lacking = (
            "`prompt` (or `messages`) and `answer`" if wanted in WRITTEN else "`choices` and the number of the right `answer`"
        )
        if asked.prompts:
            raise NotMeasured("data", f"{wanted} needs lines with {lacking}; these are scored by {' or '.join(fitting)}.")
        raise NotMeasured("data", f"{wanted} needs lines with {lacking} in a .jsonl. Add them.")
    return wanted or fitting[0]


def judge(request: Score, name: str, asked: Asked) -> PromptScores:
    """The prompts' scores by one metric. An example is a prompt, however many answers are drawn to it."""
    import numpy as np

    files = [Path(request.baseline), Path(request.variant)]
    base, ours = (answers(name, asked.prompts, read_answered(file)) for file in files)
    rows = once_each(asked.prompts, base, ours)
    prompts = [asked.prompts[i] for i in rows]
    base, ours = ([each[i] for i in rows] for each in (base, ours))
    q, p = (right(name, prompts, each) for each in (base, ours))
    single = name in CHOSEN or asked.generations == 1
    units = numbered(map(question, prompts))
    scores = once(PairedScores("binary" if single else "bounded", p=p, q=q, examples=len(p)), units)
    scores = replace(scores, copies=scores.copies + len(asked.prompts) - len(prompts))
    pair = Pair(float(q.mean()), float(p.mean()), scores)
    blind = guess(name, prompts)
    error = chance_of_answers(name, pair, blind)
    signs: dict[str, float] = {}
    gone = ""
    if not error and request.variant != request.baseline:
        first, other = (np.array([each[0] for each in found]) for found in (base, ours))
        signs = {"not_finite": 0, **of_classes(first, other), "score": pair.variant, "guess": blind, "before": pair.baseline}
        gone = _shown(collapsed(signs, len(other), other)) or no_better(name, signs, pair)
    lost = np.flatnonzero(p < q)
    worst = lost[np.argsort((p - q)[lost], kind="stable")][:NAMED]
    return PromptScores(
        pair=pair,
        error=error,
        collapsed=gone,
        signs=signs,
        changed=float((p != q).mean()),
        worse=len(lost),
        names=[prompts[i].name for i in worst],
        flips=of_texts(
            [prompt.name for prompt in prompts],
            [str(prompt.right) if name in CHOSEN else prompt.answer for prompt in prompts],
            [each[0] for each in base],
            [each[0] for each in ours],
            p,
            q,
        ),
    )


def question(prompt: Prompt) -> tuple[Any, ...]:
    """What is asked: where it is the same, so is the example."""
    return tuple(prompt.tokens), tuple(map(tuple, prompt.choices))


def once_each(prompts: list[Prompt], *answered: list[list[Any]]) -> list[int]:
    """The prompts without those that repeat another, its right answer and every model's answers to it."""
    first: dict[Any, int] = {}
    for i, prompt in enumerate(prompts):
        first.setdefault((question(prompt), prompt.answer, prompt.right, repr([each[i] for each in answered])), i)
    return list(first.values())


def answers(name: str, prompts: list[Prompt], answered: Answered) -> list[list[Any]]:
    """Of each prompt what is compared with the right answer: texts, or the number of the likeliest choice."""
    if name in CHOSEN:
        if len(answered.likelihoods) != len(prompts):
            raise NotMeasured("model", "the choices were not weighed. Run it again.")
        return [[_likeliest(name, prompt, each)] for prompt, each in zip(prompts, answered.likelihoods, strict=True)]
    pairs = zip(prompts, answered.texts, strict=True)
    return [[_as_long(prompt, text) if name == EXACT_MATCH else text.strip() for text in texts] for prompt, texts in pairs]


def right(name: str, prompts: list[Prompt], given: list[list[Any]]) -> Any:
    """The share of each prompt's answers that are right, [prompts]."""
    import numpy as np

    pairs = zip(prompts, given, strict=True)
    return np.array([np.mean([_is_right(name, prompt, each) for each in answers]) for prompt, answers in pairs], dtype=float)


def guess(name: str, prompts: list[Prompt]) -> float:
    """What the best answer that does not look at the prompt gets: the commonest one; of choices also any of them by lot, or the
    one that a model takes to which all tokens are alike, by how long they are.
    """
    if name in CHOSEN:
        commonest = Counter(prompt.right for prompt in prompts).most_common(1)[0][1]
        by_lot = sum(1 / len(prompt.choices) for prompt in prompts)
        by_length = sum(_likeliest(name, each, [-float(len(c)) for c in each.choices]) == each.right for each in prompts)
        return max(commonest, by_lot, by_length) / len(prompts)
    return Counter(prompt.answer for prompt in prompts).most_common(1)[0][1] / len(prompts)


def _likeliest(name: str, prompt: Prompt, likelihoods: list[float]) -> int:
    """The choice of the largest log-likelihood: of its sum (`acc`), or of that over its characters (`acc_norm`), as
    lm-evaluation-harness has them.
    """
    lengths = prompt.lengths if name == ACC_NORM else [1] * len(likelihoods)
    scores = [each / length for each, length in zip(likelihoods, lengths, strict=True)]
    return scores.index(max(scores))


def _as_long(prompt: Prompt, text: str) -> str:
    """As many lines of a text as the answer has."""
    return "\n".join(text.strip().splitlines()[: len(prompt.answer.splitlines())]).strip()


def _is_right(name: str, prompt: Prompt, given: Any) -> bool:
    if name in CHOSEN:
        return bool(given == prompt.right)
    if name == EXACT_MATCH:
        return bool(given == prompt.answer)
    return re.search(_whole_words(prompt.answer), given) is not None


def _whole_words(answer: str) -> str:
    """Where an answer stands by itself: 4 is not in 14."""
    before = r"(?<!\w)" if re.match(r"\w", answer) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", answer) else ""
    return f"{before}{re.escape(answer)}{after}"


def _shown(said: str) -> str:
    return said if len(said) <= 3 * MAX_SHOWN else f"{said[: 3 * MAX_SHOWN]}..."
