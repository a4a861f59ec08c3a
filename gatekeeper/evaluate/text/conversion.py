"""Holds a converted model against transformers: what a conversion may change, and what is said of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gatekeeper.data.draw import evenly
from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.frameworks._base import REFERENCE
from gatekeeper.making.optimize import missing_packages

CHECKED_WINDOWS = 8
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}
"""Mean KL divergence in nats that a conversion may have, by what the weights are stored in: rounding, and no more."""


def check_conversion(evaluation: Evaluation, name: str, original: tuple[Path, str], dataset: Path, threads: int) -> str:
    """What a few windows of the evaluation set say of a converted model, or why it could not be checked.

    `original` is the framework's own copy of the model, and its identity. A model whose answers a conversion changed is
    `NotMeasured`: it would be a baseline for nothing.
    """
    model = evaluation.model
    if model.text is None or model.format != "huggingface":
        return "the conversion was not checked: there is no other reader of this format to hold it against"
    if lacking := missing_packages(REFERENCE, model.format):
        return f"the conversion was not checked against transformers: {lacking}"
    few = Path(tempfile.mkdtemp(dir=evaluation.space.scratch))
    tokens = PreparedDataset(dataset).inputs["tokens"]
    write_prepared(few, {"tokens": tokens[evenly(len(tokens), CHECKED_WINDOWS)]}, None)
    (few / "prompts.json").write_bytes(b"[]")
    artifact, identity = original
    truth = evaluation.predictions(evaluation.spec(REFERENCE, Path(model.path), threads, "cpu"), evaluation.identity, few)
    answers = evaluation.predictions(evaluation.spec(name, artifact, threads, "cpu"), identity, few)
    details = evaluation.compare(few, truth, answers, "perplexity").details
    limit = TOLERANCE.get(model.text.dtype, TOLERANCE["float32"])
    said = f"KL {details['kl_mean']:.1e} from transformers, same top token at {details['same_top']:.1%} of positions"
    if details["kl_mean"] > limit:
        raise NotMeasured(
            "model",
            f"the conversion for {name} changes the model's answers ({said}; allowed {limit:g}). It is no baseline. Report the "
            "model's family, or convert it with the framework's own tools and gate the result.",
        )
    return f"the converted model answers as the original: {said}"
