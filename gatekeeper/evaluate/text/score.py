"""Compares what two models predict on the same tokens: perplexity, divergence, likeliest tokens, answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.distinct import distinct
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.chance import CHANCE_ALPHA, too_few
from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.once import once
from gatekeeper.evaluate.score import Score, Scored, write_scores
from gatekeeper.evaluate.text.asked import Asked, read_asked
from gatekeeper.evaluate.text.predict import TOP_TOKENS
from gatekeeper.evaluate.text.questions import judge, metric_of
from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.rounds import mean_interval


def score_text(request: Score) -> Scored:
    """Write paired scores to `request.destination`."""
    import numpy as np

    baseline, variant = Path(request.baseline), Path(request.variant)
    losses, other = np.load(baseline), np.load(variant)
    if other.shape != losses.shape:
        raise NotMeasured("model", f"the variant's predictions have shape {other.shape}, the baseline's {losses.shape}.")
    dataset = PreparedDataset(Path(request.dataset))
    units = distinct(dataset.inputs)
    once_each = np.unique(units, return_index=True)[1]
    details = divergence(baseline, variant) | {
        "perplexity": float(np.exp(other[once_each].mean())),
        "baseline_perplexity": float(np.exp(losses[once_each].mean())),
    }
    known = of_family("text_generation")
    if request.metric not in (None, *known):
        raise NotMeasured("data", f"'{request.metric}' cannot judge text. Use {' or '.join(known)}.")
    asked = read_asked(Path(request.dataset))
    name = metric_of(asked, request.metric)
    if name is not None:
        return _of_prompts(request, name, asked, details)
    first = len(asked.before)
    p, q = losses.mean(axis=1), other.mean(axis=1)
    scores = once(PairedScores("log", p=p, q=q, examples=len(p)), units)
    write_scores(scores, request.destination)
    return Scored(
        metric="perplexity",
        baseline=details["baseline_perplexity"],
        variant=details["perplexity"],
        agreement=False,
        kind=scores.kind,
        examples=scores.examples,
        error=_chance(scores.p, dataset.inputs["tokens"][once_each, first + 1 :]),
        details=details,
        copies=scores.copies,
    )


def _of_prompts(request: Score, name: str, asked: Asked, details: dict[str, float]) -> Scored:
    judged = judge(request, name, asked)
    scores = judged.pair.scores
    write_scores(scores, request.destination)
    return Scored(
        metric=name,
        baseline=judged.pair.baseline,
        variant=judged.pair.variant,
        agreement=False,
        kind=scores.kind,
        examples=scores.examples,
        error=judged.error,
        details=details | {"answers_changed": judged.changed, "answers_worse": float(judged.worse)},
        copies=scores.copies,
        collapsed=judged.collapsed,
        signs=judged.signs,
        worse=judged.names,
        flips=judged.flips,
    )


def divergence(baseline: Path, variant: Path) -> dict[str, float]:
    """Kullback-Leibler divergence KL(baseline || variant) in nats over the kept positions, and the share of positions at
    which both find the same token likeliest. Perplexity alone can improve while answers change.
    """
    import numpy as np

    kl = _kl(baseline, variant)
    top = np.load(baseline.with_name(TOP_TOKENS)) == np.load(variant.with_name(TOP_TOKENS))
    return {
        "kl_mean": float(kl.mean()),
        "kl_p99": float(np.percentile(kl, 99)),
        "kl_positions": float(len(kl)),
        "same_top": float(top.mean()),
    }


def _kl(baseline: Path, variant: Path) -> Any:
    """KL at each kept position; read in pieces."""
    import numpy as np

    a, b = (np.load(f.with_name("distributions.npy"), mmap_mode="r") for f in (baseline, variant))
    pieces = (slice(i, i + 256) for i in range(0, len(a), 256))
    return np.concatenate([(np.exp(p := a[s].astype(np.float64)) * (p - b[s])).sum(axis=1) for s in pieces])


def _chance(losses: Any, tokens: Any) -> str | None:
    """Why the baseline is no better than knowing how frequent each token is, or too little text to tell; None if it is better.

    The entropy of so few tokens as judge here comes out too low; G. Miller's correction (1955) adds (kinds - 1) / 2n.
    """
    import numpy as np

    counts = np.unique(tokens, return_counts=True)[1]
    shares = counts / counts.sum()
    guessing = float(-(shares * np.log(shares)).sum() + (len(counts) - 1) / (2 * counts.sum()))
    found = mean_interval(losses.tolist(), CHANCE_ALPHA)
    if found.upper < guessing:
        return None
    values = (
        f"its perplexity is {np.exp(losses.mean()):.4g}, and guessing by the tokens' frequency alone has {np.exp(guessing):.4g}"
    )
    if found.lower >= guessing or (len(losses) >= LEAST_EXAMPLES and found.observed >= guessing):
        return f"the baseline is no better than chance: {values}. Check the conversion and the text, or use a better model."
    return f"{too_few(len(losses), 'window')}. Add text or lower `dataset.window`. (Of the baseline, {values}.)"
