"""Holds a text model's baseline against the reference: what a conversion may change, and what is said of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gatekeeper.data.draw import evenly
from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.evaluate.text.asked import Asked, read_asked, write_asked
from gatekeeper.frameworks._spec import ModelSpec

CHECKED_WINDOWS = 8
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}
"""Mean KL divergence in nats that a conversion may have, by what the weights are stored in: rounding, and no more."""
QUANTIZED = 1e-2
"""Where they are stored in fewer bits; a runtime that multiplies them as they are has its activations in 8."""


def check_conversion(evaluation: Evaluation, truth: ModelSpec, spec: ModelSpec, identity: str, dataset: Path) -> Standing:
    """What a few windows of the evaluation set say of a baseline beside the reference `truth`.

    `identity` is the baseline's. A model whose answers a conversion changed is `NotMeasured`: it would be a baseline for nothing.
    One that the reference cannot run is held against nothing, which is said.
    """
    model = evaluation.model
    assert model.text is not None
    few = Path(tempfile.mkdtemp(dir=evaluation.space.scratch))
    tokens = PreparedDataset(dataset).inputs["tokens"]
    write_prepared(few, {"tokens": tokens[evenly(len(tokens), CHECKED_WINDOWS)]}, None)
    write_asked(few, Asked(before=read_asked(dataset).before))
    try:
        told = evaluation.predictions(truth, evaluation.identity, few)
    except NotMeasured as error:
        return Standing(f"its baseline was not held against {truth.framework}, which cannot run the model: {error}", False)
    answers = evaluation.predictions(spec, identity, few)
    details = evaluation.compare(few, told, answers, "perplexity").details
    limit = TOLERANCE.get(model.text.dtype, QUANTIZED)
    said = f"KL {details['kl_mean']:.1e} from {truth.framework}, same top token at {details['same_top']:.1%} of positions"
    if not details["kl_mean"] <= limit:
        raise NotMeasured(
            "model",
            f"the conversion for {spec.framework} changes the model's answers ({said}; allowed {limit:g}). It is no baseline. "
            "Report the model's family, or convert it with the framework's own tools and gate the result.",
        )
    return Standing(f"the converted model answers as the original: {said}")
