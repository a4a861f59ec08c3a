"""`deployment`: how an approved model goes live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import NonEmpty, Section
from gatekeeper.config.sections import hosts
from gatekeeper.config.sections.hosts import Host
from gatekeeper.files import FETCH, is_pointer
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import opener
from gatekeeper.models.files import model_format, there, unknown_format

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review


class Deployment(Section, frozen=True, kw_only=True):
    """How an approved model goes live."""

    strategy: Annotated[
        Literal["blue_green", "canary", "rolling", "recreate"], Meta(description="How the new model replaces the old one.")
    ] = "blue_green"
    traffic_ramping: Annotated[Literal["gradual", "immediate"], Meta(description="How fast traffic moves to the new model.")] = (
        "gradual"
    )
    rollback: Annotated[
        Literal["automatic", "manual"], Meta(description="Who goes back to the old model when error rates rise.")
    ] = "automatic"
    monitoring: Annotated[
        Literal["real_time", "periodic", "disabled"], Meta(description="How the deployed model is watched.")
    ] = "real_time"
    current: Annotated[
        NonEmpty | None,
        Meta(
            description="The artifact that serves now, relative to this file: a model, or what lies in a report's `artifacts`. "
            "The new one takes over from it; default: the original model.",
            examples=["live/here__onnx_runtime__int8_dynamic.onnx"],
        ),
    ] = None
    hosts: Annotated[
        list[Host],
        Meta(
            description="Where `production_deployment` deploys: the machine of its own job. Without one it rehearses and says so."
        ),
    ] = []


def current(loaded: Loaded) -> tuple[Path, str] | None:
    """The artifact that serves now, and what runs it; None where the file names none."""
    stated = loaded.pipeline.deployment.current
    return (loaded.folder / stated, opened_by(loaded.folder / stated) or "") if stated else None


def opened_by(path: Path) -> str | None:
    """What runs an artifact: as its name says (target__framework__technique), else what its format belongs to."""
    named = [part for part in path.name.split("__")[1:2] if part in FRAMEWORKS.names]
    return named[0] if named else opener(model_format(path))


def problems(review: Review) -> None:
    """An artifact that is not there, or that nobody can open."""
    hosts.problems(review)
    place = ("deployment", "current")
    if (found := current(review.loaded)) is None:
        return
    path, framework = found
    if not there(path):
        review.add(place, f"no such model: {path}. Correct the path, or remove `current` to go on from the original model.")
    elif is_pointer(path):
        review.add(place, f"{path} is a Git LFS pointer, not the model. {FETCH}")
    elif not framework:
        known = model_format(path)
        said = unknown_format(path) if known is None else f"{path} is {known}, which several frameworks run."
        review.add(place, f"{said} Name it as reports do, target__framework__technique.")
