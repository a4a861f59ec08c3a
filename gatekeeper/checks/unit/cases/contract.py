"""The same inputs, outputs, types and free axes as the original, told from answers: formats describe themselves differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.checks.outcome import Broken, NoStandard, Skipped
from gatekeeper.checks.unit.base import Case, Seen

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog

LONGER = 3
EXAMPLE = "the first example"


def _ask(lab: Lab, log: TrialLog) -> None:
    log.run(EXAMPLE, lab.feeds[0])
    log.numbers |= {f"input {name}": float(i) for i, name in enumerate(sorted(lab.session.inputs))}
    log.numbers |= {f"output {name}": float(i) for i, name in enumerate(lab.session.outputs)}


def _signature(variant: Seen, original: Seen) -> str:
    for kind in ("input", "output"):
        ours, theirs = (_named(seen, kind) for seen in (variant, original))
        if ours != theirs:
            raise Broken(f"its {kind}s are {', '.join(ours) or 'none'}, and the original's {', '.join(theirs) or 'none'}")
    answered, expected = variant.answer(EXAMPLE), original.answer(EXAMPLE, NoStandard)
    for name, array in expected.outputs.items():
        if name not in answered.outputs:
            raise Broken(f"it does not answer the output {name}")
        if answered.dtypes[name] != expected.dtypes[name]:
            raise Broken(f"the output {name} is {answered.dtypes[name]}, and the original's {expected.dtypes[name]}")
        if answered.outputs[name].shape != array.shape:
            raise Broken(f"the output {name} has shape {_shape(answered.outputs[name])}, and the original's {_shape(array)}")
    if extra := answered.outputs.keys() - expected.outputs.keys():
        raise Broken(f"it answers {', '.join(sorted(extra))} besides, which the original does not")
    return f"{len(_named(original, 'input'))} inputs and {len(expected.outputs)} outputs, as the original"


def _named(seen: Seen, kind: str) -> list[str]:
    """Names, inputs by the alphabet and outputs in order."""
    numbered = [(value, key.partition(" ")[2]) for key, value in seen.numbers.items() if key.startswith(f"{kind} ")]
    return [name for _, name in sorted(numbered)]


def _free_axes(lab: Lab) -> dict[str, list[tuple[str, int]]]:
    """Axes after the first that the original leaves open, by name: those of one name change together."""
    axes: dict[str, list[tuple[str, int]]] = {}
    for tensor in lab.tensors:
        for axis, dimension in enumerate(tensor["shape"]):
            if axis and not (isinstance(dimension, int) and dimension > 0):
                label = dimension if isinstance(dimension, str) else f"axis {axis} of {tensor['name']}"
                axes.setdefault(label, []).append((tensor["name"], axis))
    return axes


def _vary(lab: Lab, log: TrialLog) -> None:
    import numpy as np

    axes = {f"{name} longer": places for name, places in _free_axes(lab).items()}
    if lab.batched:
        axes["one example more"] = [(tensor["name"], 0) for tensor in lab.tensors]
    if not axes:
        raise Skipped("the original fixes every axis of its inputs")
    for label, places in axes.items():
        feed: dict[str, Any] = dict(lab.feeds[0])
        for name, axis in places:
            grown = feed[name].shape[axis] + (1 if axis == 0 else LONGER)
            feed[name] = np.ascontiguousarray(np.take(feed[name], np.arange(grown) % max(feed[name].shape[axis], 1), axis))
        log.run(label, feed)


def _axes(variant: Seen, original: Seen) -> str:
    free = []
    for label, expected in original.trials.items():
        if expected.error:
            continue  # declared open, and closed all the same
        free.append(label)
        ours = variant.trials.get(label)
        if ours is None or ours.error:
            raise Broken(f"{label}: the original answers, and the variant does not: {ours.error if ours else 'not asked'}")
        for name, array in expected.outputs.items():
            if name not in ours.outputs or ours.outputs[name].shape != array.shape:
                shape = _shape(ours.outputs[name]) if name in ours.outputs else "none"
                raise Broken(f"{label}: the output {name} has shape {shape}, and the original's {_shape(array)}")
    if not free:
        raise Skipped("the original takes no other sizes than its example has, whatever it declares")
    return f"sizes that may change: {', '.join(free)}"


def _shape(array: Any) -> str:
    return "[" + ", ".join(map(str, array.shape)) + "]"


CASES = (
    Case("signature", "basic", "all", _ask, _signature,
         "inputs and outputs have the original's names, types and shapes, told from real answers"),
    Case("dynamic_axes", "basic", "tensors", _vary, _axes,
         "sizes that may change in the original may change: one example more, a longer sequence"),
)  # fmt: skip
