"""Compares what two models predict on the same tokens: perplexity, divergence, likeliest tokens, answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.distinct import distinct, numbered
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.chance import CHANCE_ALPHA
from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.once import once
from gatekeeper.evaluate.score import Score, Scored, write_scores
from gatekeeper.evaluate.text.predict import TOP_TOKENS
from gatekeeper.evaluate.text.prepare import read_prompts
from gatekeeper.records.scores import Kind, PairedScores
from gatekeeper.stats.rounds import mean_interval

EXACT_MATCH = "exact_match"


def score_text(request: Score) -> Scored:
    """Write paired scores to `request.destination`."""
    import numpy as np

    baseline, variant = Path(request.baseline), Path(request.variant)
    losses, other = np.load(baseline), np.load(variant)
    if other.shape != losses.shape:
        raise NotMeasured("model", f"the variant's predictions have shape {other.shape}, the baseline's {losses.shape}.")
    details = divergence(baseline, variant) | {
        "perplexity": float(np.exp(other.mean())),
        "baseline_perplexity": float(np.exp(losses.mean())),
    }
    known = of_family("text_generation")
    if request.metric not in (None, *known):
        raise NotMeasured("data", f"'{request.metric}' cannot judge text. Use {' or '.join(known)}.")
    dataset, prompts = PreparedDataset(Path(request.dataset)), read_prompts(Path(request.dataset))
    name = request.metric or (EXACT_MATCH if prompts else "perplexity")
    if name == EXACT_MATCH:
        if not prompts:
            raise NotMeasured("data", "exact_match needs lines with `prompt` and `answer` in a .jsonl. Add them.")
        p, q = (np.asarray(_answers(f), dtype=float) for f in (variant, baseline))
        kind: Kind = "binary"
        values = float(q.mean()), float(p.mean())
        error = None if q.any() else "the baseline answers none of the prompts. Check their form, or use a better model."
        details["answers_changed"] = float((p != q).mean())
    else:
        p, q = losses.mean(axis=1), other.mean(axis=1)
        kind = "log"
        values = details["baseline_perplexity"], details["perplexity"]
        error = _chance(p, dataset.inputs["tokens"][:, 1:])
    units = numbered(tuple(p.tokens) for p in prompts) if name == EXACT_MATCH else distinct(dataset.inputs)
    scores = once(PairedScores(kind, p=p, q=q, examples=len(p)), units)
    write_scores(scores, request.destination)
    return Scored(
        metric=name,
        baseline=values[0],
        variant=values[1],
        agreement=False,
        kind=scores.kind,
        examples=scores.examples,
        power=scores.power,
        low=scores.low,
        high=scores.high,
        error=error,
        details=details,
        copies=scores.copies,
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
    """Why the baseline is no better than knowing how frequent each token is; None if it is better.

    The entropy of so few tokens as judge here comes out too low; G. Miller's correction (1955) adds (kinds - 1) / 2n.
    """
    import numpy as np

    counts = np.unique(tokens, return_counts=True)[1]
    shares = counts / counts.sum()
    guessing = float(-(shares * np.log(shares)).sum() + (len(counts) - 1) / (2 * counts.sum()))
    if mean_interval(losses.tolist(), CHANCE_ALPHA).upper < guessing:
        return None
    return (
        f"the baseline is no better than chance: its perplexity is {np.exp(losses.mean()):.4g}, and guessing by the tokens' "
        f"frequency alone has {np.exp(guessing):.4g}. Check the conversion and the text, or use a better model."
    )


def _answers(predictions: Path) -> list[bool]:
    return msgspec.json.decode(predictions.with_name("answers.json").read_bytes(), type=list[bool])
