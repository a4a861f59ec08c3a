"""What a model and its examples tell of what it does, and of how it takes its examples. What they do not tell is asked."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import Assessment, TensorInfo, fixed
from gatekeeper.models.states import states

IMAGE = 4  # axes of images
COLOURS = (1, 3)  # channels of what is an image itself
ENOUGH = 1 << 24  # bytes of labels that are read whole


class Labels(NamedTuple):
    """Kind of element (numpy's letter), shape, and of whole numbers the highest that was seen."""

    kind: str
    shape: tuple[int, ...]
    highest: int | None = None


def labels_of(dataset: Path | None) -> Labels | None:
    """What the labels in an .npz are; None where there are none, or of other files."""
    from gatekeeper.evaluate.datasets.npz import LABEL_KEYS, some_rows

    if dataset is None or dataset.suffix.lower() != ".npz":
        return None
    try:
        arrays = some_rows(dataset, 2, enough=ENOUGH)[0]
    except NotMeasured:  # `validate` says what is wrong with it
        return None
    found = next((arrays[key] for key in LABEL_KEYS if key in arrays), None)
    if found is None:
        return None
    highest = int(found.max()) if found.dtype.kind in "iu" and found.size else None
    return Labels(found.dtype.kind, found.shape, highest)


def told_task(model: Assessment, labels: Labels | None, folder: bool = False) -> str | None:
    """What names, shapes and labels tell; None where another task has the same. `folder`: the examples are images by class."""
    if model.text:
        return "text_generation"
    handed = states(model)
    inputs = [each for each in model.inputs if not (each.scalar or each.name in handed)]
    outputs = [each for each in model.outputs if each.name not in handed.values()]
    if named := _named(outputs):
        return named
    classes = _classes(inputs)
    if folder:
        return "image_classification"
    if handed or len({each.dtype for each in outputs}) > 1 or len(outputs) != 1:
        return None
    return _of_labels(outputs[0], labels, classes) if labels else _of_shapes(inputs, outputs[0], classes)


def _named(outputs: list[TensorInfo]) -> str | None:
    """Outputs that are called as one kind of model calls them."""
    words = {each.name.lower() for each in outputs}

    def has(*parts: str) -> bool:
        return all(any(part in word for word in words) for part in parts)

    if has("boxes", "scores") or has("boxes", "logits") or has("num_detections") or has("boxes", "labels"):
        return "object_detection"
    if has("start", "end") and len(words) == 2:
        return "question_answering"
    if words in ({"label", "probabilities"}, {"output_label", "output_probability"}):  # as scikit-learn's converters
        return "tabular_classification"
    if words == {"variable"}:
        return "regression"
    if words & {"last_hidden_state", "pooler_output", "sentence_embedding", "embedding", "embeddings"}:
        return "embedding"
    return None


def _classes(inputs: list[TensorInfo]) -> str:
    """What a model with one class an example does. That it convolves says nothing: so do models of sound and of bytes."""
    if any(len(each.shape) == IMAGE for each in inputs):
        return "image_classification"
    tokens = any(each.dtype.startswith("int") and each.name.lower().endswith("ids") for each in inputs)
    return "text_classification" if tokens else "tabular_classification"


def _of_labels(output: TensorInfo, labels: Labels, classes: str) -> str | None:
    kind, shape, highest = labels
    axes, width = len(output.shape) or None, output.shape[-1] if len(output.shape) == 2 else None
    if highest is not None and len(shape) == 1 and isinstance(width, int) and width > 1 and highest >= width:
        return None  # more things than there are scores, as where vectors are compared
    if kind in "iub" and len(shape) == 1 and axes in (None, 1, 2):
        return classes
    if kind == "U" and len(shape) == 1:
        return {2: classes, 3: "transcription"}.get(axes or 0)
    if kind in "iu" and len(shape) == 2 and axes == 3:
        return "token_classification"
    if kind in "iu" and len(shape) == 3 and axes == IMAGE:
        return "semantic_segmentation"
    if kind == "f" and len(shape) == 1 and axes in (None, 1, 2):
        return "regression"
    return None  # rows of numbers may be one-hot classes, several labels, or amounts


def _of_shapes(inputs: list[TensorInfo], output: TensorInfo, classes: str) -> str | None:
    several = fixed(output.shape[-1]) and output.shape[-1] != 1 if output.shape else False
    if classes == "image_classification":
        if len(output.shape) in (0, 2):
            return classes
        channels = output.shape[1] if len(output.shape) == IMAGE else None
        return "semantic_segmentation" if channels and fixed(channels) and channels not in COLOURS else None
    if classes == "text_classification" and several:
        return {2: classes, 3: "token_classification"}.get(len(output.shape))
    return None
