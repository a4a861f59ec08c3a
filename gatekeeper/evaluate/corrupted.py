"""The parent's side of corruptions: an evaluation set under one, made by a worker and kept by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.content import content
from gatekeeper.data.corrupted import Corrupt, read_arrived
from gatekeeper.data.corruptions._base import Corruption
from gatekeeper.data.prepared import FORM
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import NOT_OF_DATA, Evaluation
from gatekeeper.evaluate.prepare import Prepare, Prepared
from gatekeeper.models.files import digest
from gatekeeper.process.messages import Done
from gatekeeper.records.corrupted import Arrived
from gatekeeper.version import version


def corrupted(evaluation: Evaluation, dataset: Path, asked: Corruption, seed: int) -> tuple[Path, Arrived]:
    """A prepared set under a corruption, and the proof that it is another; `NotMeasured` where it cannot be, or is not.

    A text is corrupted as text and prepared anew; of other sets the prepared arrays are.
    """
    key = {"corruption": asked, "seed": seed, "gatekeeper": version(), "proof": "with inputs that stay"}
    folder = _text(evaluation, key, asked, seed) if evaluation.model.text else _arrays(evaluation, dataset, key, asked, seed)
    return folder, read_arrived(folder)


def _arrays(evaluation: Evaluation, dataset: Path, key: dict[str, Any], asked: Corruption, seed: int) -> Path:
    key |= {"dataset": {file.name: digest(file) for file in dataset.iterdir() if file.suffix == ".npy"}, "task": evaluation.task}

    def make(folder: Path) -> dict[str, Any]:
        told = Corrupt(dataset=str(dataset), destination=str(folder), corruption=asked, seed=seed, task=evaluation.task)
        evaluation.space.ask_clerk(told, Done)
        return {}

    return evaluation.space.cache.get_or_make("corrupted", key, make)[0]


def _text(evaluation: Evaluation, key: dict[str, Any], asked: Corruption, seed: int) -> Path:
    about = evaluation.loaded.pipeline.dataset
    assert about is not None and about.path is not None  # a loader of texts was refused when the set itself was prepared
    path = evaluation.loaded.folder / about.path
    read, about = content(path), msgspec.structs.replace(about, also=[])
    options = {name: value for name, value in msgspec.to_builtins(about).items() if name not in NOT_OF_DATA}
    key |= {"form": FORM, "data": [path.suffix, read], "options": options}
    key |= {"tokenizer": evaluation.identity, "metric": about.metric}

    def make(folder: Path) -> dict[str, Any]:
        request = Prepare(
            dataset=msgspec.to_builtins(about),
            path=str(path.resolve()),
            folder=str(evaluation.loaded.folder.resolve()),
            labelled=True,
            inputs=[],
            task=evaluation.task,
            text=evaluation.text(),
            destination=str(folder),
            corruption=asked,
            seed=seed,
        )
        evaluation.space.ask_clerk(request, Prepared)
        if content(path) != read:
            raise NotMeasured("data", f"{path} changed while it was read. Leave it alone while a run lasts.")
        return {}

    return evaluation.space.cache.get_or_make("corrupted", key, make)[0]
