"""Cross-validation: how far the models of one target answer alike, whatever made them. Pure.

A metric counts how many answers are right; two models may be right equally often and on different examples. One
model that differs where all the others agree is broken in a way that accuracy does not show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gatekeeper.ids import is_baseline
from gatekeeper.records.answers import Answers
from gatekeeper.records.report import Agreement

MOST_MODELS = 64
LEAST_MODELS = 4
"""Below this, "all others" are two at most, and may as well be the ones to look at."""
ALONE_SHARE = 0.02
TIMES_OTHERS = 2
ALPHA = 0.05
SAME_BASELINES = 0.99
FAR_BASELINES = 0.01
TOLERANCE = 0.05
"""Numbers are alike within this fraction of the first baseline's own spread over the examples."""


def agree(
    names: Sequence[str], answers: Iterable[Answers], accurate: Collection[str] = (), missing: Mapping[str, str] | None = None
) -> Agreement:
    """Compare every model of `names` that has answers with every other; the order of `names` is kept.

    `accurate` names the variants whose accuracy gate passed, `missing` legs whose answers did not come, with the
    reason. With fewer than two models there is a matrix of nothing, and the notes say why.
    """
    own: dict[str, Answers] = {name: each for each in answers for name in each.header.names}
    left_out = {name: why for each in own.values() for name, why in each.header.left_out.items() if name in names}
    notes = [f"{name}: {why}" for name, why in {**(missing or {}), **left_out}.items()]
    there = [name for name in names if name in own]
    together = _largest({name: own[name].comparable() for name in there})
    notes += [
        f"{name}: it answered other examples than {together[0]}, which cannot be compared"
        for name in there
        if name not in together
    ]
    if len(together) > MOST_MODELS:
        notes.append(f"the first {MOST_MODELS} of {len(together)} models are compared")
        together = together[:MOST_MODELS]
    if not together:
        return Agreement(kind="same class", names=[], matrix=[], examples=0, notes=notes)
    return _compared(together, own, accurate, notes)


def _largest(keys: Mapping[str, tuple[object, ...]]) -> list[str]:
    """The most models that may meet; of equally many, those that come first."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, key in keys.items():
        groups.setdefault(key, []).append(name)
    return max(groups.values(), key=len, default=[])


def _compared(names: list[str], own: Mapping[str, Answers], accurate: Collection[str], notes: list[str]) -> Agreement:
    import numpy as np

    values = np.stack([own[name].of(name) for name in names])
    kind = own[names[0]].header.kind
    reference = next((i for i, name in enumerate(names) if is_baseline(name)), 0)
    if kind == "relative distance":
        matrix, alone = _distances(values.astype(float), reference)
    else:
        matrix, alone = _shares(values), _odd_ones(values)
    examples = values.shape[1]
    lonely = [int(count) for count in alone] if len(names) >= LEAST_MODELS else []
    what = "tokens" if kind == "same top token" else "examples"
    findings = [
        *_baselines(names, matrix, kind == "relative distance", what),
        *_lonely(names, lonely, examples, accurate, what),
    ]
    return Agreement(
        kind=kind,
        names=names,
        matrix=[[float(f"{number:.6g}") for number in row] for row in matrix],
        examples=examples,
        alone=[count / examples for count in lonely],
        findings=findings,
        notes=notes,
    )


def _shares(values: Any) -> Any:
    """Share of examples with the same answer, for each pair; [models, models]."""
    import numpy as np

    matrix = np.ones((len(values), len(values)))
    for i in range(len(values)):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = np.count_nonzero(values[i] == values[j]) / values.shape[1]
    return matrix


def _odd_ones(values: Any) -> Any:
    """For each model, the examples on which it differs and all others give one answer; [models]."""
    import numpy as np

    # Where all but one agree, what is in the middle is theirs.
    common = np.sort(values, axis=0)[len(values) // 2]
    differs = values != common
    return np.count_nonzero(differs & (np.count_nonzero(differs, axis=0) == 1), axis=1)


def _distances(values: Any, reference: int) -> tuple[Any, Any]:
    """||a - b|| / ||reference|| for each pair, and as `_odd_ones` with numbers that are alike within the tolerance."""
    import numpy as np

    count, examples, _ = values.shape
    baseline = values[reference]
    norm = float(np.linalg.norm(baseline)) or float(max(np.linalg.norm(v) for v in values)) or 1.0
    spread = float(np.linalg.norm(baseline - baseline.mean(axis=0))) or norm
    limit = TOLERANCE * spread / np.sqrt(examples)
    matrix, partners, pairs = np.zeros((count, count)), np.zeros((count, examples), dtype=int), np.zeros(examples, dtype=int)
    for i in range(count):
        for j in range(i):
            difference = values[i] - values[j]
            squared = np.einsum("ij,ij->i", difference, difference)
            matrix[i, j] = matrix[j, i] = np.sqrt(squared.sum()) / norm
            alike = squared <= limit**2
            partners[i] += alike
            partners[j] += alike
            pairs += alike
    return matrix, np.count_nonzero((partners == 0) & (pairs == (count - 1) * (count - 2) // 2), axis=1)


def _baselines(names: list[str], matrix: Any, distance: bool, what: str) -> Iterator[str]:
    """Frameworks that run the unoptimized model to other answers than the first does."""
    first, *others = [i for i, name in enumerate(names) if is_baseline(name)] or [0]
    for i in others:
        number = float(matrix[first][i])
        if distance and number > FAR_BASELINES:
            said = f"are {number:.2g} of the output's size apart, and nothing was optimized in them"
        elif not distance and number < SAME_BASELINES:
            said = f"agree on {_percent(number)} of the {what}, and nothing was optimized in them"
        else:
            continue
        yield f"{names[first]} and {names[i]} {said}: the conversion or the runtime differs"


def _lonely(names: list[str], alone: list[int], examples: int, accurate: Collection[str], what: str) -> Iterator[str]:
    """Models that stand alone too often to be chance, and much more often than any other."""
    for i, count in enumerate(alone):
        others = max(alone[:i] + alone[i + 1 :])
        if count > TIMES_OTHERS * others and _at_least(count, examples) > ALONE_SHARE:
            holds = ", although its accuracy holds" if names[i] in accurate else ""
            yield (
                f"{names[i]} answers {_percent(count / examples)} of the {what} alone, where all {len(names) - 1} others agree: "
                f"look at it{holds}"
            )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _at_least(count: int, examples: int) -> float:
    """One-sided lower bound on a share (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    return float(betaincinv(count, examples - count + 1, ALPHA)) if count else 0.0
