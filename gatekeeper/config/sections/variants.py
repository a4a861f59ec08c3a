"""`optimization.variants`: models that the user has optimized, judged as those are that gatekeeper makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import FrameworkName, NonEmpty, Section
from gatekeeper.config.sections.techniques import made_by
from gatekeeper.files import FETCH, check_name, is_pointer
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework, opener
from gatekeeper.ids import BASELINE
from gatekeeper.models.files import model_format, there, unknown_format
from gatekeeper.models.submodules import left_out

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review


class OwnVariant(Section, frozen=True, kw_only=True):
    """A model that is optimized already."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$",
            description="What it is called in the report: letters, digits, and ._- after the first.",
            examples=["ours"],
        ),
    ]
    path: Annotated[
        NonEmpty,
        Meta(
            description="The model, relative to this file: .onnx, .xml (OpenVINO), .gguf, or a folder as Hugging Face or MLX has."
        ),
    ]
    framework: Annotated[
        FrameworkName | None, Meta(description="What runs it; default: the runtime that the format belongs to.")
    ] = None


def framework_of(loaded: Loaded, own: OwnVariant) -> str | None:
    """What runs a variant of the user's; None where its file does not tell."""
    return own.framework or opener(model_format(loaded.folder / own.path))


def variant_problems(review: Review, listed: list[OwnVariant]) -> None:
    """Variants that are not there, that nothing opens, or that are called as another is."""
    loaded = review.loaded
    taken: set[tuple[str | None, str]] = set()
    for i, own in enumerate(listed):
        path, file = ("optimization", "variants", i), loaded.folder / own.path
        if not there(file):
            review.add((*path, "path"), left_out(file) or f"no such model: {file}. Correct the path or export the model.")
            continue
        check_name(file)
        if is_pointer(file):
            review.add((*path, "path"), f"{file} is a Git LFS pointer, not the model. {FETCH}")
            continue
        name = framework_of(loaded, own)
        if name is None:
            review.add((*path, "path"), _unknown(file))
            continue
        if file.is_file() and name in FRAMEWORKS.names and (why := framework(name).supports(model_format(file) or "", "cpu")):
            review.add((*path, "framework"), f"{why}. Name what runs {file.name}, or leave `framework` out.")
            continue
        known, called = _made(loaded, name), own.name.casefold()
        if called == BASELINE or called in known or (name, called) in taken:
            other = "the original model" if called == BASELINE else f"another variant of {name}"
            review.add((*path, "name"), f"'{own.name}' is what {other} is called. Choose another name.")
        taken.add((name, called))


def _made(loaded: Loaded, name: str) -> set[str]:
    """What the variants are called that a framework makes."""
    if name not in FRAMEWORKS.names or not any(name in loaded.frameworks(target) for target in loaded.targets):
        return set()
    return {called.casefold() for called in made_by(loaded.section("optimization"), name)}


def _unknown(file: Path) -> str:
    if (found := model_format(file)) is None:
        return unknown_format(file)
    return f"{file} is {found}, which several frameworks run. Say which with `framework`, among {', '.join(FRAMEWORKS.names)}."
