"""What kind of model it is, as far as the choice of a framework and a technique goes."""

from __future__ import annotations

from gatekeeper.models.info import TEXT, Assessment

TOKENS = ("transformer", "mixture_of_experts")
"""Architectures that read text where their inputs are token ids."""

MATRICES = ("transformer", "mixture_of_experts", "recurrent", "mlp", "linear", "other")
"""Architectures whose work is mostly matrix products."""


def writes_text(model: Assessment) -> bool:
    """A language model: what llama.cpp and MLX are made for."""
    return model.text is not None


def reads_text(model: Assessment) -> bool:
    """Whether it writes text, or is a transformer over token ids."""
    takes_ids = any(each.dtype in ("int64", "int32", TEXT) for each in model.inputs)
    return model.text is not None or (takes_ids and model.architecture in TOKENS)


def is_multimodal(model: Assessment) -> bool:
    """Whether it takes text and images, or sound, at once: token ids or texts beside a float tensor of three axes or more."""
    texts = [each for each in model.inputs if each.dtype in ("int64", "int32", TEXT) and not each.scalar]
    others = [each for each in model.inputs if each.dtype.startswith(("float", "bfloat")) and len(each.shape) >= 3]
    return bool(texts and others) and len(model.inputs) > 1


def kind_of(model: Assessment) -> str:
    """`text` for a language model, else its architecture."""
    return "text" if writes_text(model) else model.architecture
