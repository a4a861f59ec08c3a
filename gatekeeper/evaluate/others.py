"""Outputs that no metric reads, or only on average: how much of what the original says in each of them a variant keeps,
component by component.

Of numbers it is the share of the baseline's variance that the variant explains, 1 - E (v - b)^2 / E (b - mean b)^2; of classes,
other whole numbers and texts it is the share of examples that are answered alike. A model is used for all it says: an output
that has gone wrong is a broken variant, whatever the metric of another one keeps.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from gatekeeper.data.components import Components, chunks, group_axes, spread
from gatekeeper.data.outputs import outputs_beside
from gatekeeper.data.parts import parts
from gatekeeper.evaluate.once import once
from gatekeeper.records.scores import KeptOutput, PairedScores
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import misses, retention_interval, shows

BOUNDED = 64
"""Components of an output that are bounded, those that look worst."""

FAINT = 1e-4
"""Share of an output's variance below which what tells its numbers apart is taken for rounding."""

Scores = tuple[str, Any, Any]
"""What a component is called, and what is kept of how much, an example."""

UNSEEN = 5.3
"""0.05 / 0.01 / 0.95, and a little: a variance has no range, so of an example that was not seen such a loss is feared, in mean
squares, as takes 95 % to lose when it is that of one example in a hundred."""


def kept_outputs(baseline: Path, variant: Path, units: Any = None) -> tuple[list[KeptOutput], dict[str, str]]:
    """Every output beside two files of predictions, and why others are not compared; `units` numbers the distinct examples."""
    import numpy as np

    ours, theirs = outputs_beside(variant), outputs_beside(baseline)
    found = []
    for name, file in theirs.others.items():
        before = np.load(baseline.with_name(file), mmap_mode="r")
        if name not in ours.others:
            why = ours.skipped.get(name, "the variant has no such output")
            found.append(KeptOutput(name=name, problem=why))
        else:
            found.append(kept(name, before, np.load(variant.with_name(ours.others[name]), mmap_mode="r"), units))
    return found, theirs.skipped


def spoilt(predictions: Path) -> tuple[list[KeptOutput], dict[str, str]]:
    """The same of a model that is measured against none: outputs that hold NaN, or nothing that is finite; the others are beside
    nothing.
    """
    import numpy as np

    there = outputs_beside(predictions)
    found, left = [], dict(there.skipped)
    for name, file in there.others.items():
        output = np.load(predictions.with_name(file), mmap_mode="r")
        if rows := _spoilt_rows(output):
            found.append(KeptOutput(name=name, problem=f"it holds NaN, or no finite value, on {rows} of {len(output)} examples"))
        else:
            left[name] = "there is no baseline to hold it against"
    return found, left


def _spoilt_rows(output: Any) -> int:
    """Infinite values by themselves may be a mask."""
    import numpy as np

    if output.dtype.kind != "f" or not output.size:
        return 0
    rows = 0
    for part in parts(output):
        values = output[part].reshape(len(output[part]), -1)
        rows += int((np.isnan(values).any(axis=1) | ~np.isfinite(values).any(axis=1)).sum())
    return rows


def kept_each(name: str, baseline: Any, variant: Any, units: Any = None) -> list[KeptOutput]:
    """The judged output, where a metric is an average over the several numbers of an example: one that is lost hides in it.

    Of a model that is no surer than it may be, what a variant explains of its numbers is what is kept of their R2.
    """
    return [kept(name, baseline, variant, units)] if baseline[0].size > 1 else []


def kept(name: str, baseline: Any, variant: Any, units: Any = None) -> KeptOutput:
    """One output, of shape [examples, ...] of both models."""
    if baseline.shape != variant.shape:
        return KeptOutput(name=name, problem=f"it has shape {variant.shape[1:]} an example, the original's {baseline.shape[1:]}")
    shape = baseline.shape[1:]
    ways = [Components(shape, axis) for axis in group_axes(shape)] or [Components(shape)]
    if baseline.dtype.kind != "f":
        return _bounded(name, "answered alike", [each for way in ways for each in _agreement(way, baseline, variant)], units)
    if lost := _not_alike(baseline, variant):
        return KeptOutput(name=name, problem=f"NaN or infinite values differ from the original's in {lost} places")
    scores = [each for way in ways for each in _explained(way, baseline, variant, "")]
    return _bounded(name, "variance kept", scores + _differences(ways, baseline, variant), units)


def _not_alike(baseline: Any, variant: Any) -> int:
    """Numbers that are no longer finite, and infinite ones (a mask often is made of them) that are another number now."""
    import numpy as np

    found = 0
    for b, v in chunks(baseline, variant):
        found += int((np.isfinite(b) & ~np.isfinite(v)).sum() + (np.isinf(b) & (b != v)).sum())
    return found


def _agreement(groups: Components, baseline: Any, variant: Any) -> list[Scores]:
    """Of each component the share of its numbers that are the same, an example, and ones beside it."""
    import numpy as np

    same = np.concatenate([groups.sums((b == v).astype(float)) / groups.members for b, v in chunks(baseline, variant)])
    return [(groups.called(j), same[:, j], np.ones(len(same))) for j in range(groups.count)]


def _explained(groups: Components, baseline: Any, variant: Any, of: str) -> list[Scores]:
    """Of each component the squares that are explained, and those there are, an example."""
    there = spread(groups, baseline)
    kept = there - _errors(groups, baseline, variant)
    return [(f"{groups.called(j)}{of}", kept[:, j], there[:, j]) for j in range(groups.count)]


def _differences(ways: list[Components], baseline: Any, variant: Any) -> list[Scores]:
    """The same of what the last axis says beside its mean: of scores the differences tell one class from another, and a part that
    is common to all of them hides them.
    """
    import numpy as np

    if baseline.ndim < 2 or baseline.shape[-1] < 2 or ways[0].members > 1 or not np.isfinite(baseline).all():
        return []
    b, v = (outputs - outputs.mean(axis=-1, keepdims=True) for outputs in (baseline.astype(float), variant.astype(float)))
    if not b.var(axis=0).mean() > FAINT * baseline.astype(float).var(axis=0).mean():
        return []
    return [each for way in ways for each in _explained(way, b, v, " beside the mean of its axis")]


def _errors(groups: Components, baseline: Any, variant: Any) -> Any:
    """Squared differences, [examples, components]. Where the baseline itself is not finite nothing is compared."""
    import numpy as np

    errors = []
    for b, v in chunks(baseline, variant):
        known = np.isfinite(b)
        with np.errstate(invalid="ignore", over="ignore"):
            errors.append(groups.sums(np.where(known, np.where(np.isfinite(v), v, 0) - np.where(known, b, 0), 0) ** 2))
    return np.concatenate(errors)


def _bounded(name: str, what: str, scores: list[Scores], units: Any) -> KeptOutput:
    """The worst component with bounds that hold for all of them.

    Every component must clear a limit, so the lower bound is the least of theirs, with no correction; that one of them misses
    it has as many chances as there are components (Bonferroni).
    """
    worst = [(called, component_scores(p, q, units)) for called, p, q in sorted(scores, key=_looks)[:BOUNDED]]
    observed, component = min((_kept(each), i) for i, (_, each) in enumerate(worst))
    return KeptOutput(
        name=name,
        what=what,
        component=worst[component][0],
        components=len(scores),
        observed=_closed(observed),
        lower=_closed(_least([each for _, each in worst], ALPHA, below=True)),
        upper=_closed(_least([each for _, each in worst], ALPHA / len(scores), below=False)),
        examples=len(worst[0][1].p),
    )


def _kept(scores: PairedScores) -> float:
    level = float(scores.q.mean())
    return float(scores.p.mean()) / level if level > 0 else math.nan


def _least(each: list[PairedScores], alpha: float, below: bool) -> float:
    """The least of their lower, or upper, bounds. One of which one look tells that its bound is no less has none worked out."""
    least = math.inf
    for scores in each:
        if least == -math.inf:
            break
        if 0 < least < math.inf and (shows(scores, least, alpha) if below else not misses(scores, least, alpha)):
            continue
        found = retention_interval(scores, alpha)
        least = min(least, found.lower if below else found.upper)
    return least


def _closed(bound: float) -> float | None:
    return float(bound) if math.isfinite(bound) else None


def _looks(scored: Scores) -> float:
    """A rough lower bound, to order by."""
    _, p, q = scored
    level = float(q.mean()) or 1.0
    ratio = float(p.mean()) / level
    return ratio - 3 * float((p - ratio * q).std()) / (level * math.sqrt(len(p)))


def component_scores(p: Any, q: Any, units: Any = None) -> PairedScores:
    """What one component keeps of each example, `p` of `q`, once for each distinct one."""
    shares = bool(((p >= 0) & (p <= 1)).all() and (q == 1).all())
    scores = PairedScores("bounded" if shares else "real", p=p, q=q, examples=len(p), unseen=UNSEEN * float(q.mean()))
    return scores if units is None else once(scores, units)
