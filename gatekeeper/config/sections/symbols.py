"""`model.symbols`: what the numbers of a transcribing model stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.named import check_task
from gatekeeper.config.section import Section
from gatekeeper.models.files import there

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


class Symbols(Section, frozen=True, kw_only=True):
    """What the numbers of a transcribing model stand for (task transcription)."""

    vocabulary: Annotated[
        str | list[str] | None,
        Meta(
            description="What each class or id writes: a list, or a file relative to this one, .txt with one on each line or "
            ".json. Default: ids are compared as they are."
        ),
    ] = None
    blank: Annotated[
        int | None,
        Meta(description="Class that writes nothing, -1 for the last; default: the one called <blank>, <pad> or [PAD]."),
    ] = None
    collapse: Annotated[
        bool | None,
        Meta(description="Classes that follow on themselves write once. Default: of scores of classes yes, of ids no."),
    ] = None
    end: Annotated[int | None, Meta(description="Id after which nothing counts.")] = None


def problems(review: Review) -> None:
    """Symbols of another task, or a vocabulary that is not there."""
    model = review.pipeline.model
    if model is None or model.symbols is None:
        return
    check_task(review, ("model", "symbols"), "symbols", "transcription", model.task)
    file = model.symbols.vocabulary
    if isinstance(file, str) and not there(review.loaded.folder / file):
        review.add(("model", "symbols", "vocabulary"), f"no such file: {review.loaded.folder / file}. Correct the path.")
