"""`baseline`: what the model is measured against, where that is not the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import FrameworkName, NonEmpty, Section
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import opener
from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.ids import PROPOSED
from gatekeeper.models.files import model_format, there

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review

BASE = "base"
"""The branch that a change is made against."""


OF_ITSELF = {"speedup": "p50_ms: {max: ...}", "memory": "peak_mb: {max: ...}"}
"""The limit of a model by itself, beside that of what is gained."""


class Earlier(Section, frozen=True, kw_only=True):
    """The model as it is at another commit."""

    git: Annotated[
        NonEmpty,
        Meta(
            description="A branch, tag or commit of this repository; `base`: the branch that the pull request is against, "
            "elsewhere the default branch.",
            examples=["base", "main"],
        ),
    ]
    framework: Annotated[
        FrameworkName | None, Meta(description="What runs both; default: the runtime that the format belongs to.")
    ] = None


Baseline = Earlier | Literal["none"]


def runs_proposed(loaded: Loaded) -> str | None:
    """The framework in which the model itself is judged; None where it is not, or its file does not tell."""
    stated, path = loaded.pipeline.baseline, loaded.model_path()
    if stated is None or path is None:
        return None
    return (stated.framework if isinstance(stated, Earlier) else None) or opener(model_format(path))


def problems(review: Review) -> None:
    """What would be measured against nothing, and limits that nobody has stated."""
    loaded, stated, path = review.loaded, review.pipeline.baseline, review.loaded.model_path()
    if stated is None:
        return
    listed = sorted({name for target in loaded.targets for name in loaded.frameworks(target)})
    if path is not None and there(path) and runs_proposed(loaded) is None:
        said = f"{path} is {model_format(path)}, which several frameworks run"
        names = ", ".join(FRAMEWORKS.names)
        review.add(("baseline",), f"{said}. Say which: `baseline: {{git: ..., framework: ...}}`, among {names}.")
    if any(variant.name.casefold() == PROPOSED for variant in loaded.section("optimization").variants):
        review.add(("baseline",), f"'{PROPOSED}' is what the model itself is called here. Rename that variant.")
    if isinstance(stated, Earlier) and listed:
        said = f"what {' and '.join(listed)} would make is measured against the model it is made from, not against an earlier one"
        review.add(("baseline",), f"{said}. Set `optimization: {{frameworks: []}}`, and gate these in a file of their own.")
    _check_limits(review, isinstance(stated, Earlier))


def _check_limits(review: Review, earlier: bool) -> None:
    gates = review.loaded.stated("gates") or {}
    if earlier:
        for name in gate_names():
            if (gain := getattr(gate(name), "GAIN", "")) and name not in gates:
                said = f"a changed model need not be better than before, so say what it may cost: {gain}"
                review.add(("baseline",), f"{said}, or `{name}: disabled`, under `gates`.")
        return
    section = review.loaded.section("optimization")
    if not (section.frameworks or section.variants):
        for name, limits in gates.items():
            if limits != "disabled" and name in gate_names() and getattr(gate(name), "GAIN", ""):
                said = f"{name} is what is gained over a baseline, and there is none. Say what the model must reach by itself"
                review.add(("gates", name), f"{said}, `{OF_ITSELF[name]}`, or remove this.", key=True)
    accuracy = gates.get("accuracy")
    least = "least_accuracy" in gates or (isinstance(accuracy, dict) and "min" in accuracy)
    if not least and accuracy != "disabled":
        said = "without a baseline a model keeps all of its own accuracy, which says nothing. Say what it must reach"
        review.add(("baseline",), f"{said}: `accuracy: {{min: 0.9}}`, or `accuracy: disabled`, under `gates`.")
