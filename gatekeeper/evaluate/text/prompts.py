"""The prompts that are timed: of the declared length, drawn evenly over the evaluation text, the same for every arm.

Each begins as the tokenizer's template begins a text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.config.sections.measure import Measure
from gatekeeper.data.draw import draw
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.asked import read_asked
from gatekeeper.models.info import TextInfo

PROMPTS = 4


def timed_prompts(about: TextInfo, measure: Measure, dataset: Path | None) -> dict[str, Any]:
    """Prompts of the declared length, [feeds, prompt_tokens]: from the evaluation text, or random tokens without one."""
    import numpy as np

    length = measure.prompt_tokens
    if about.context and length + measure.output_tokens > about.context:
        raise NotMeasured(
            "data",
            f"measure.prompt_tokens and output_tokens are {length} + {measure.output_tokens}, and the model knows "
            f"{about.context} tokens. Lower them.",
        )
    if dataset is None:
        before: list[int] = []
        tokens = np.random.default_rng(measure.seed).integers(0, about.vocabulary, PROMPTS * length)
    else:
        before = read_asked(dataset).before
        tokens = PreparedDataset(dataset).inputs["tokens"][:, len(before) :].reshape(-1)
    own = length - len(before)
    if own < 1:
        said = f"measure.prompt_tokens is {length}, which is what the tokenizer's template alone puts there"
        raise NotMeasured("data", f"{said}. Raise it above {len(before)}.")
    passages = np.resize(tokens, (max(1, tokens.size // own), own))
    passages = np.concatenate([np.tile(np.asarray(before, dtype=np.int64), (len(passages), 1)), passages], axis=1)
    most = len(passages) if measure.inputs == "all" else measure.inputs or PROMPTS
    feeds = passages[draw(len(passages), most, measure.seed)].astype(np.int64)
    return {"tokens": feeds, "new_tokens": np.full(len(feeds), measure.output_tokens)}
