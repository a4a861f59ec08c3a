"""Whether the techniques that a pipeline file names are ones that their frameworks have, with options that go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatekeeper.config.sections.techniques import Asked, entries
from gatekeeper.config.source import Path_
from gatekeeper.errors import GatekeeperError, nearest
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import called, framework, is_config, named
from gatekeeper.frameworks._options import Options
from gatekeeper.frameworks._patterns import unmatched
from gatekeeper.ids import BASELINE, PROPOSED
from gatekeeper.models.files import there

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


def technique_problems(review: Review, section: Any) -> None:
    """Hold `optimization.techniques` against the frameworks that are tried."""
    loaded = review.loaded
    used = {name for target in loaded.targets for name in loaded.frameworks(target)}
    for name, techniques in section.techniques.by_framework().items():
        path: Path_ = ("optimization", "techniques", name)
        if name not in used:
            said = f"'{name}' is not among the frameworks. Add it to optimization.frameworks or remove this."
            review.add(path, said, key=True)
        if name in FRAMEWORKS.names:  # else it is known by name only; `plan` says that this version cannot run it
            _of_framework(review, path, name, techniques)


def _of_framework(review: Review, path: Path_, name: str, listed: Sequence[Any]) -> None:
    before: list[Asked] = []
    for i, said in enumerate(listed):
        found = entries(said)
        if len(found) != 1:
            many = "several techniques in one entry. Give each its own"
            none = "this entry names no technique with options. Write a bare name, or `{technique: {option: value}}`"
            review.add((*path, i), f"{many if found else none}.")
            continue
        if _one(review, (*path, i), name, found[0], before):
            before.append(found[0])


def _one(review: Review, path: Path_, name: str, asked: Asked, before: Sequence[Asked]) -> bool:
    """Say what is wrong with one entry; whether it names something of this framework."""
    known, technique = framework(name).TECHNIQUES, asked.technique
    if is_config(name, technique):
        file = review.loaded.folder / technique
        if not there(file):
            review.add(path, f"no such file: {file}. Correct the path.")
    elif technique not in known:
        hint = nearest(technique, known) or "."
        review.add(path, f"{name} has no technique '{technique}'{hint} It has {', '.join(known)}.")
        return False
    if asked.options is not None:
        for field, said in asked.options.wrong():
            review.add((*path, technique, field), said)
        dataset, field = review.pipeline.dataset, asked.options.calibrates()
        if field and not (dataset and dataset.calibration):
            review.add(
                (*path, technique, field), "it needs `dataset.calibration`: examples that are not in the evaluation set. Add it."
            )
        _patterns(review, (*path, technique), name, asked.options)
    _name(review, path, name, asked, before)
    return True


def _patterns(review: Review, path: Path_, name: str, options: Options) -> None:
    """Nodes that the model, as far as its file tells, does not have."""
    model, wanted = review.loaded.model_path(), options.patterns()
    if not wanted or model is None or not there(model):
        return
    try:
        nodes = named(name, model)
    except (GatekeeperError, OSError):  # the run says what is wrong with it
        return
    for field, patterns in wanted.items() if nodes is not None else ():
        mapped = isinstance(getattr(options, field), Mapping)
        for i, pattern in enumerate(patterns):
            for said in unmatched([pattern], nodes or (), field, called(name)):
                review.add((*path, field, pattern if mapped else i), said, key=mapped)


def _name(review: Review, path: Path_, name: str, asked: Asked, before: Sequence[Asked]) -> None:
    """Two entries that mean the same, or that would be called the same: their artifacts would overwrite one another."""
    called = asked.called(name)
    taken = {each.called(name).casefold() for each in before}
    others = {t.casefold() for t in framework(name).TECHNIQUES} - {asked.technique.casefold()}
    if is_config(name, asked.technique):
        if called.casefold() in taken | others:
            said = f"'{asked.technique}' would be called {called} in the report, as another technique is. Rename the file."
            review.add(path, said)
        return
    if any(each.same(asked) for each in before):
        if asked.options is None:
            review.add(path, f"'{asked.technique}' is listed twice. Remove one.")
        else:
            review.add(path, f"this means the same as another entry of {asked.technique}. Remove one.")
    elif called.casefold() in taken | others | {BASELINE, PROPOSED}:
        said = f"this would be called {called} in the report, as another variant is. Give it another `name`."
        review.add((*path, asked.technique, "name"), said)
