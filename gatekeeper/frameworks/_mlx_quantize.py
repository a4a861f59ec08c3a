"""Quantizes a model of mlx-lm's in place: by its own recipes, by layers that the user names, and by what it learns (DWQ)."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._mlx_options import LEARNING_RATE, WINDOWS, Affine
from gatekeeper.frameworks._patterns import Node, matched, unmatched

if TYPE_CHECKING:
    import numpy as np

Predicate = Callable[[str, Any], bool | dict[str, Any]]

_BITS = {"int8": 8, "int4": 4}  # the others are recipes of mlx-lm, under their names there
_AT_ONCE, _SEED = 4, 0


def quantized(technique: str, model: Any, config: dict[str, Any], said: Affine) -> dict[str, Any]:
    """Quantize in place; the configuration that says so."""
    from mlx.utils import tree_flatten
    from mlx_lm.utils import quantize_model

    family = str(config.get("model_type", "this family"))
    predicate = _chosen(model, said, _recipe(technique, model, said.group_size, family))
    bits = _BITS.get(technique, 4)
    _, made = quantize_model(model, config, said.group_size, bits, mode="affine", quant_predicate=predicate)
    if not any(name.endswith(".scales") for name, _ in tree_flatten(model.parameters())):
        raise NotMeasured(
            "unsupported",
            f"it changed nothing: no row length of the model is a multiple of {said.group_size}, or all layers are excluded. "
            f"Leave {technique} out for this model.",
        )
    return dict(made)


def _recipe(technique: str, model: Any, group_size: int, family: str) -> Predicate | None:
    from mlx_lm.convert import mixed_quant_predicate_builder

    if technique in _BITS:
        return None
    try:
        made: Predicate = mixed_quant_predicate_builder(technique, model, group_size)
    except ValueError as error:
        raise NotMeasured(
            "unsupported", f"mlx-lm's recipe {technique} does not know the layers of {family}. Use int4."
        ) from error
    return made


def _chosen(model: Any, said: Affine, recipe: Predicate | None) -> Predicate | None:
    """What is asked of each layer: what the user says, and otherwise what the recipe says."""
    if not said.layers and not said.exclude:
        return recipe
    able = {path: layer for path, layer in model.named_modules() if hasattr(layer, "to_quantized")}
    nodes = [Node(path, path.rpartition(".")[2]) for path in able]
    lost = unmatched(list(said.layers), nodes, "layers", "layer") + unmatched(said.exclude, nodes, "exclude", "layer")
    if lost:
        raise NotMeasured("unsupported", " ".join(lost))
    wishes = [("exclude", pattern, 0) for pattern in said.exclude]
    wishes += [("layers", pattern, bits) for pattern, bits in said.layers.items()]
    chosen: dict[str, tuple[int, str]] = {}
    for key, pattern, bits in wishes:
        for path in (node.name for node in nodes if matched(pattern, node)):
            before, who = chosen.setdefault(path, (bits, f"{key} '{pattern}'"))
            if before != bits:
                raise NotMeasured(
                    "unsupported", f"{who} and {key} '{pattern}' both mean '{path}', and want different things. Let one mean it."
                )
    _check_rows(able, {path: bits for path, (bits, _) in chosen.items() if bits}, said.group_size)

    def predicate(path: str, layer: Any) -> bool | dict[str, Any]:
        bits = chosen.get(path, (None, ""))[0]
        if bits is None:
            return recipe(path, layer) if recipe else True
        return {"group_size": said.group_size, "bits": bits, "mode": "affine"} if bits else False

    return predicate


def _check_rows(able: dict[str, Any], wanted: dict[str, int], group_size: int) -> None:
    """mlx-lm passes over layers whose rows groups do not divide, and says nothing."""
    for path in wanted:
        if (rows := able[path].weight.shape[-1]) % group_size:
            raise NotMeasured(
                "unsupported",
                f"layers: '{path}' has rows of {rows}, which groups of {group_size} do not divide. Choose another `group_size`.",
            )


def learned(model: Any, original: Any, windows: np.ndarray, said: Affine) -> None:
    """Distil `original` into the scales and offsets of `model`, as `mlx_lm.dwq` does; `windows`, int64 [n, length]."""
    import mlx.core as mx
    import mlx.optimizers as optimizers
    from mlx.utils import tree_flatten

    from gatekeeper.data.draw import evenly

    try:
        from mlx_lm.quant.dwq import dwq_quantize
    except ImportError as error:
        raise NotMeasured(
            "unsupported", f"the installed mlx-lm has no DWQ that can be used: {error}. Leave `dwq` out, or update mlx-lm."
        ) from error
    wanted = said.examples or min(WINDOWS, len(windows))
    if not 2 <= wanted <= len(windows):
        raise NotMeasured(
            "data",
            f"DWQ is to learn from {wanted} windows, and the calibration set has {len(windows)}: it needs 2 or more. Add text.",
        )
    texts = [(windows[i].tolist(), 0) for i in evenly(len(windows), wanted)]
    at_once = min(_AT_ONCE, len(texts) // 2)
    scales = next(array for name, array in tree_flatten(model.parameters()) if name.endswith(".scales"))
    mx.random.seed(_SEED)
    with redirect_stderr(io.StringIO()):  # its bars
        dwq_quantize(
            model,
            lambda batch, index, split: original(batch),
            optimizers.Adam(learning_rate=said.learning_rate or LEARNING_RATE, bias_correction=True),
            texts[:-at_once],
            texts[-at_once:],  # what it looks at to say how far it is; it learns nothing from them
            at_once,
            windows.shape[1] + 1,
            _SEED,
            dtype=scales.dtype,
        )
    model.eval()


def teacher(model: Any) -> Any:
    """A copy of a model that stays as it is."""
    return copy.deepcopy(model)
