"""Holds a baseline against the model's reference: what a runtime may change, and what is said of it.

Every runtime rounds, and each in its own order. What rounding moves is measured on the model itself (gatekeeper/data/
rounding.py); a baseline that differs by more is another model, and what keeps its answers keeps nothing.
"""

from __future__ import annotations

from pathlib import Path

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same.beside import Beside
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.evaluate.text.conversion import check_conversion
from gatekeeper.frameworks._base import reference
from gatekeeper.frameworks._missing import missing_packages
from gatekeeper.frameworks._spec import ModelSpec

MANY = ("onnx",)
"""Formats whose own runtime is the reference; of others it is only the one that opens them, and may be wrong itself."""


def hold(evaluation: Evaluation, spec: ModelSpec, identity: str, dataset: Path | None) -> Standing:
    """How the baseline `spec` answers beside the model's reference; `NotMeasured` where it is another model."""
    model = evaluation.model
    name = reference(model.format)
    if name is None:
        return Standing(f"its baseline is held against no reference: no framework calls {model.format} models its own", False)
    if (name, "cpu") == (spec.framework, spec.device):
        alone = f"its baseline is held against no reference: nothing but {name} opens {model.format} models here"
        return Standing() if model.format in MANY else Standing(alone, False)
    if dataset is None:
        return Standing(f"its baseline was not held against {name}: there is no evaluation set", False)
    if lacking := missing_packages(name, model.format):
        return Standing(f"its baseline was not held against {name}: {lacking}", False)
    truth = _truth(evaluation, name, spec.threads)
    if model.text is not None:
        return check_conversion(evaluation, truth, spec, identity, dataset)
    try:
        told = evaluation.predictions(truth, evaluation.identity, dataset)
    except NotMeasured as error:
        return Standing(f"its baseline was not held against {name}, which cannot run the model: {error}", False)
    return Beside(evaluation, truth, spec, dataset, told, evaluation.predictions(spec, identity, dataset)).standing()


def told(evaluation: Evaluation, threads: int, dataset: Path) -> Path | None:
    """What the reference predicts; None where there is none here, or for text, of which legs are held to a few windows only."""
    model, name = evaluation.model, reference(evaluation.model.format)
    if name is None or model.text is not None or missing_packages(name, model.format):
        return None
    try:
        return evaluation.predictions(_truth(evaluation, name, threads), evaluation.identity, dataset)
    except NotMeasured:
        return None


def _truth(evaluation: Evaluation, name: str, threads: int) -> ModelSpec:
    return evaluation.spec(name, Path(evaluation.model.path), threads, "cpu")
