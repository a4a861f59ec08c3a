"""Which data and code a pipeline file, and its policy, say by content that it is judged on; and what is there instead.

Pins of a policy hold whatever the file says, and those of the file beside them: a change can pin more, and nothing else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gatekeeper.config.base import content_at
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.meaning import Review
from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.data.code import Covered, covered, tests_of
from gatekeeper.data.content import content
from gatekeeper.errors import Problem
from gatekeeper.records.data import CALIBRATION, EVALUATION, Code, further


@dataclass(frozen=True)
class Pin:
    """What something may be, and who says so."""

    what: str
    allowed: tuple[str, ...]
    by: str
    key: tuple[str | int, ...] = ()


def pins(loaded: Loaded) -> list[Pin]:
    """Pins of sets, of the policy first."""
    return [pin for by, dataset in _stated(loaded) for pin in _pins(dataset, by)]


def _stated(loaded: Loaded) -> Iterator[tuple[str, Dataset]]:
    """The dataset of the policy and of the file, each with what it is called."""
    policy = loaded.policy
    named = [(policy.name, policy.limits.pipeline.dataset)] if policy and policy.limits else []
    for by, dataset in [*named, (loaded.path.as_posix(), loaded.pipeline.dataset)]:
        if dataset is not None:
            yield by, dataset


def _pins(dataset: Dataset, by: str) -> Iterator[Pin]:
    yield from _pin(EVALUATION, dataset.sha256, by, ("dataset", "sha256"))
    yield from _pin(CALIBRATION, dataset.calibration_sha256, by, ("dataset", "calibration_sha256"))
    for index, each in enumerate(dataset.also):
        yield from _pin(further(each.name), each.sha256, by, ("dataset", "also", index, "sha256"))


def _pin(what: str, allowed: list[str], by: str, key: tuple[str | int, ...]) -> Iterator[Pin]:
    if allowed:
        yield Pin(what, tuple(allowed), by, key)


def set_problems(loaded: Loaded, found: Mapping[str, tuple[str, str]]) -> list[str]:
    """What is not what it must be, in sentences; `found` are digests, and where they are from, by what is pinned."""
    said = []
    for pin in pins(loaded):
        if pin.what in found and (problem := mismatch(pin, *found[pin.what])):
            said.append(problem)
    return said


def mismatch(pin: Pin, source: str, sha256: str) -> str:
    """How something differs from its pin, in words; empty where it does not."""
    if sha256 in pin.allowed:
        return ""
    return (
        f"{pin.what} {source} has the SHA-256 {sha256}, and {pin.by} pins {' or '.join(pin.allowed)}. "
        "Take that data, or change the pin first where it stands."
    )


def pin_problems(loaded: Loaded) -> list[Problem]:
    """What of a file's sets and code is not what is pinned, with its place."""
    review = Review(loaded)
    found = files_of(loaded)
    for pin in pins(loaded):
        if pin.what in found and (said := mismatch(pin, *found[pin.what])):
            review.add(pin.key if pin.by == loaded.path.as_posix() else ("dataset",), said)
    for said in code_problems(loaded, code_of(loaded)):
        review.add(("dataset", "code_sha256"), said)
    return review.problems


def code_problems(loaded: Loaded, found: Mapping[str, Code]) -> list[str]:
    """Code that is none of what is pinned."""
    return [
        f"{name} ({', '.join(code.covers) or 'not found'}) has the SHA-256 {code.sha256 or 'of nothing'}, and {by} pins "
        f"{' or '.join(dataset.code_sha256)}. Take that code, or change the pin first where it stands."
        for by, dataset in _stated(loaded)
        if dataset.code_sha256
        for name, code in found.items()
        if code.sha256 not in dataset.code_sha256
    ]


def code_of(loaded: Loaded) -> dict[str, Code]:
    """The user's own code that judges, by its role and name."""
    dataset, model = loaded.pipeline.dataset, loaded.pipeline.model
    named: list[tuple[str, str | None]] = []
    if dataset is not None:
        named += [("loader", dataset.loader if dataset.path is None else None), ("metric", dataset.metric)]
        for each in dataset.also:
            named += [("loader", each.loader if each.path is None else None), ("metric", each.metric)]
    if model is not None and model.boxes is not None:
        named.append(("decode", model.boxes.decode))
    found = {f"{role} {name}": covered(name, loaded.folder) for role, name in named if name and ":" in name}
    for test in getattr(loaded.section("testing"), "tests", ()):
        found[f"tests {test}"] = tests_of(loaded.folder / test, loaded.folder)
    return {name: _code(each) for name, each in found.items()}


def _code(each: Covered) -> Code:
    return Code(sha256=each.sha256, covers=each.covers)


def files_of(loaded: Loaded) -> dict[str, tuple[str, str]]:
    """Digests of the sets that are files here, and their paths as the file has them; of what a loader returns none is known."""
    found = {}
    for what, path, beside in _paths(loaded.pipeline.dataset):
        if (place := loaded.folder / path).exists():
            found[what] = path, content(place, beside)
    return found


def policy_sets(loaded: Loaded) -> dict[str, str]:
    """Digests of the sets that the policy's file names, as they are at the policy; of those that are not known there none."""
    policy = loaded.policy
    if policy is None or policy.limits is None or policy.base is None:
        return {}
    found = {}
    for what, path, beside in _paths(policy.limits.pipeline.dataset):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(policy.file), path.replace("\\", "/")))
        if digest := content_at(policy.base, place, beside):
            found[what] = digest
    return found


def _paths(dataset: Dataset | None) -> Iterator[tuple[str, str, str | None]]:
    """The sets of a file that are paths: what they are called, the path, and the file beside it that belongs to it."""
    if dataset is None:
        return
    if dataset.path is not None:
        yield EVALUATION, dataset.path, dataset.annotations
    if dataset.calibration is not None:
        yield CALIBRATION, dataset.calibration, None
    for each in dataset.also:
        if each.path is not None:
            yield further(each.name), each.path, each.annotations or dataset.annotations
