"""Tasks: what a model does, and with it what labels look like and how answers are read, compared, and found to have collapsed.

A task is a module of this folder; its file name is what `model.task` says. It has:

FAMILY       which metrics judge it: those of gatekeeper/evaluate/metrics with the same FAMILY, of which one is the default
DESCRIPTION  what such a model answers, in a few words
LABELS       shape and meaning of labels, in words
UNLABELLED   what agreement is where there are no labels, in words
ANSWERS      what an answer is: `class` (one an example), `classes` (one at each of several places), `numbers` or `text`

And what it does otherwise than gatekeeper/evaluate/tasks/_class.py, _classes.py or _numbers.py, which the others of its ANSWERS
share (text is read elsewhere: gatekeeper/evaluate/text):

gather(outputs, feed, reading) -> (name, array, read) | None   of several outputs of a batch, by name, the answers [examples, ...]
                                     that they are together, what those are called, and which outputs were read
label(labels, dataset, source) -> labels   as one array, where they come as something else (lists of boxes, texts)
fits(output) -> bool                 whether an output, [examples, ...], may be the judged one: the first that does is
way(baseline, reading) -> Any        how outputs are read, told by the baseline's, so that both models are read alike
read(outputs, way) -> answers        what metrics compare, [examples, ...]
check(labels, answers, way)          labels as metrics take them; `NotMeasured`, with what to do, where they are none
takes(outputs, labels) -> bool       whether arrays of these shapes look like this task's, for who has named another
agreement(baseline, variant) -> Pair of answers, where there are no labels
signs(baseline, variant) -> dict     numbers that show a collapse (gatekeeper/gates/_collapse.py), of answers
flat(answers, baseline) -> array     every class that is answered, one after the other
kept(baseline, variant, truth, slices, way) -> right answers by class and by group of each slice, of answers; without labels,
                                     where truth is None, the baseline's own are right

The module itself imports nothing heavy: `validate` asks it what it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.config.sections.dataset import Dataset
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.records.scores import KeptClass

REGISTRY = Registry("evaluate.tasks", ("FAMILY", "DESCRIPTION", "LABELS", "ANSWERS"))

UNNAMED = "tabular_classification"
"""What a model is taken for of which neither the file nor its metric says what it does: the tasks of classes read alike."""

SHARED = {"class": "_class", "classes": "_classes", "numbers": "_numbers", "text": "_numbers"}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's outputs are read: its task, and what the pipeline file and the labels say of them. `places` is the shape of
    an example's labels; None where there are none.
    """

    task: str | None
    class_axis: int | None = None
    classes: tuple[str, ...] = ()  # their names, in the output's order
    places: tuple[int, ...] | None = None
    folder: str = ""  # of the pipeline file; the user's functions are imported from here
    boxes: Boxes = Boxes()
    symbols: Symbols = Symbols()
    metric: str | None = None  # that answers are compared by; where it is not told, that of the family

    @property
    def own(self) -> bool:
        """Whether the user's own code reads them."""
        return self.boxes.decode is not None


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task, with what it shares with others filled in."""

    name: str
    FAMILY: str
    DESCRIPTION: str
    LABELS: str
    UNLABELLED: str
    ANSWERS: Literal["class", "classes", "numbers", "text"]
    gather: Callable[[dict[str, Any], dict[str, Any], Reading], tuple[str, Any, set[str]] | None]
    label: Callable[[Any, Dataset, str], Any]
    fits: Callable[[Any], bool]
    way: Callable[[Any, Reading], Any]
    read: Callable[[Any, Any], Any]
    check: Callable[[Any, Any, Any], Any]
    takes: Callable[[tuple[int, ...], tuple[int, ...]], bool]
    agreement: Callable[[Any, Any], Pair]
    signs: Callable[[Any, Any], dict[str, float]]
    flat: Callable[[Any, Any], Any]
    kept: Callable[[Any, Any, Any, dict[str, Any], Any], list[KeptClass]]

    @property
    def of_classes(self) -> bool:
        """Whether what it answers are classes, of which one may be lost."""
        return self.ANSWERS in ("class", "classes")


def task(name: str) -> Task:
    """The task of that name."""
    import importlib

    own = REGISTRY.get(name)
    if own.ANSWERS not in SHARED:
        raise UsageError(f"the task '{name}' has the ANSWERS '{own.ANSWERS}', not {', '.join(SHARED)}. Repair or remove it.")
    shared = importlib.import_module(f"{__package__}.{SHARED[own.ANSWERS]}")
    slots = (each for each in Task.__dataclass_fields__ if each != "name")
    return Task(name=name, **{each: getattr(own if hasattr(own, each) else shared, each) for each in slots})


def judged_as(name: str | None, metric: str | None = None) -> Task:
    """The task that is named; else the first of the metric's family, and where that says nothing either a classification."""
    from gatekeeper.evaluate.metrics._base import family

    if name is None and metric is not None and (own := family(metric)):
        name = next((each for each in of_family(own)), None)
    return task(name or UNNAMED)


def of_family(family: str) -> list[str]:
    """The tasks that the metrics of a family judge."""
    return [name for name in REGISTRY.names if family == REGISTRY.get(name).FAMILY]


def named_by(metric: str) -> str | None:
    """The task that a metric tells by itself, as no other has such metrics; None of one that reads text, or is the user's own."""
    from gatekeeper.evaluate.metrics._base import family

    found = of_family(own) if (own := family(metric)) else []
    return found[0] if len(found) == 1 and REGISTRY.get(found[0]).ANSWERS != "text" else None


def others_taking(name: str, outputs: tuple[int, ...], labels: tuple[int, ...]) -> list[str]:
    """Other tasks that outputs and labels of these shapes look like."""
    named = (task(each) for each in REGISTRY.names if each != name and not is_text(each))
    return [each.name for each in named if each.takes(outputs, labels)]


def or_another(error: NotMeasured, name: str, outputs: tuple[int, ...], labels: tuple[int, ...] | None) -> NotMeasured:
    """What is wrong with labels or outputs of a task, and which others they look like."""
    others = others_taking(name, outputs, labels) if labels is not None else []
    if not others:
        return error
    return NotMeasured(error.kind, f"{error} If the model does something else, say so: `model: {{task: {' or '.join(others)}}}`.")


def is_text(name: str) -> bool:
    """Whether a task takes models that read and write text by themselves, rather than tensors."""
    return bool(REGISTRY.get(name).ANSWERS == "text")
