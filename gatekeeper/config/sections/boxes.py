"""`model.boxes`: how a detector lays out what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.config.named import check_function, check_outputs, check_task
from gatekeeper.config.section import Function, Section, Share, one_of
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review

LAYOUTS = Registry("evaluate.detection.layouts")
Part = Literal["boxes", "scores", "classes"]

if TYPE_CHECKING:
    LayoutName = str
else:
    LayoutName = one_of(LAYOUTS.names)


class Boxes(Section, frozen=True, kw_only=True):
    """How a detector lays out what it finds (task object_detection)."""

    layout: Annotated[
        LayoutName | None,
        Meta(
            description="How boxes lie in the outputs; default: what their names and shapes tell. docs/tasks.md has the shapes."
        ),
    ] = None
    decode: Annotated[
        Function | None,
        Meta(
            description="Instead of a layout `package.module:function`, imported from this file's folder: of (outputs of a batch "
            "by name, (height, width) of its images), it returns for each example an array [boxes, 6] of x1, y1, x2, y2 in "
            "pixels of the input, score and class.",
        ),
    ] = None
    order: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh"] | None,
        Meta(description="What four numbers make a box: two corners, or corner or centre and sides. Default: the layout's."),
    ] = None
    scale: Annotated[
        Literal["pixels", "shares"] | None,
        Meta(description="Whether boxes are pixels of the input, or shares of its sides. Default: the layout's."),
    ] = None
    outputs: Annotated[
        dict[Part, str],
        Meta(description="Which output holds boxes, scores or classes, where its name does not tell."),
    ] = {}
    background: Annotated[
        int | None,
        Meta(description="Column of the scores that means nothing, -1 for the last. Default: 0 for ssd, -1 for detr, else none."),
    ] = None
    score: Annotated[float, Meta(ge=0, lt=1, description="Boxes below this score are left out.")] = 0.001
    threshold: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="Score from which on boxes are used, where found and wrong ones are counted; default: class by class "
            "where the original is most often right.",
        ),
    ] = None
    overlap: Annotated[
        Share, Meta(description="Of boxes of one class that overlap more than this the surest is kept, where the model does not.")
    ] = 0.7


def problems(review: Review) -> None:
    """Boxes of another task, two ways to read them, or outputs that there are not."""
    model = review.pipeline.model
    if model is None or model.boxes is None:
        return
    check_task(review, ("model", "boxes"), "boxes", "object_detection", model.task)
    if model.boxes.decode is not None:
        check_function(review, ("model", "boxes", "decode"), model.boxes.decode)
        if model.boxes.layout is not None:
            review.add(("model", "boxes", "layout"), "`decode` reads the outputs, and so does `layout`. Remove one.", key=True)
    for part, output in model.boxes.outputs.items():
        check_outputs(review, ("model", "boxes", "outputs", part), [output])
