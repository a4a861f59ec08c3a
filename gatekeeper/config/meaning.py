"""What a schema cannot see: whether the parts of a pipeline file agree with one another and with the disk.

Each part is checked by its owner: a module of `sections`, a stage, a kind of check. Here is what they share, and the order.
"""

from __future__ import annotations

from pathlib import Path

from gatekeeper.config.loaded import ROOT, Loaded
from gatekeeper.config.owners import PACKAGES, stage_names, stages
from gatekeeper.config.sections import baseline, dataset, deployment, gates, inputs, model, monitoring, targets
from gatekeeper.config.source import Path_
from gatekeeper.errors import Problem


class Review:
    """A file that is looked through, and the problems it has."""

    def __init__(self, loaded: Loaded):
        self.loaded = loaded
        self.pipeline = loaded.pipeline
        self.problems: list[Problem] = []

    def add(self, path: Path_, message: str, key: bool = False) -> None:
        """A problem at a path under `edge_ai_pipeline`: at its value or key; of what is left out, where it would be."""
        source, full = self.loaded.source, (ROOT, *path)
        mark = (source.keys if key else source.values).get(full)
        for end in range(len(full), 0, -1):
            mark = mark or source.keys.get(full[:end]) or source.values.get(full[:end])
        self.problems.append(Problem(*(mark or (1, 1)), message))


class Within(Review):
    """A part of a file that is looked through as if it were `dataset`: its problems are told where it stands."""

    def __init__(self, review: Review, place: Path_):
        super().__init__(review.loaded)
        self.problems, self.place = review.problems, place

    def add(self, path: Path_, message: str, key: bool = False) -> None:
        """At the part's own key, else at the part."""
        own, source = (*self.place, *path[1:]), self.loaded.source
        there = (ROOT, *own) in source.values or (ROOT, *own) in source.keys
        super().add(own if there else self.place, message, key and (ROOT, *own) in source.keys)


def meaning_problems(loaded: Loaded) -> list[Problem]:
    """Every disagreement, with its place."""
    review = Review(loaded)
    _order(review)
    for section in (model, baseline, dataset, inputs, gates, targets, deployment, monitoring):
        section.problems(review)
    for _, stage in stages():
        if own := getattr(stage, "problems", None):
            own(review)
    for name in PACKAGES.names:
        if own := getattr(PACKAGES.get(name), "problems", None):
            own(review)
    return review.problems


def limit_problems(loaded: Loaded) -> list[Problem]:
    """The disagreements among the limits alone."""
    review = Review(loaded)
    gates.same_limits(review)
    return review.problems


def same_file(one: Path, other: Path) -> bool:
    """Whether two spellings mean one file."""
    try:
        return one.resolve() == other.resolve()
    except (OSError, ValueError):
        return one == other


def _order(review: Review) -> None:
    order, listed = stage_names(), review.pipeline.stages
    for i, stage in enumerate(listed):
        if stage in listed[:i]:
            review.add(("stages", i), f"the stage '{stage}' is listed twice. Remove one.")
        elif i and order.index(stage) < order.index(listed[i - 1]):
            review.add(("stages", i), f"'{stage}' must come before '{listed[i - 1]}'. The order is {', '.join(order)}.")
