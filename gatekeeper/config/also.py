"""The pipeline file as it is for another of its evaluation sets."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.also import AlsoSet
from gatekeeper.config.sections.dataset import read_as


def also_sets(loaded: Loaded) -> list[AlsoSet]:
    """The further evaluation sets of a file."""
    return loaded.pipeline.dataset.also if loaded.pipeline.dataset else []


def for_set(loaded: Loaded, also: AlsoSet) -> Loaded:
    """The file with that set as its main one, and without calibration data, which is not for judging."""
    assert loaded.pipeline.dataset is not None
    dataset = read_as(loaded.pipeline.dataset, also)
    return replace(loaded, pipeline=msgspec.structs.replace(loaded.pipeline, dataset=dataset))
