"""What a report rests on beside the model: its sets of data, and the user's own code, each by its content."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.records.base import Count, Record

EVALUATION, CALIBRATION = "the evaluation set", "the calibration set"


def further(name: str) -> str:
    """What a further evaluation set is called."""
    return f"the set '{name}'"


class DataSet(Record, frozen=True, kw_only=True):
    """One set as it was read."""

    source: Annotated[str, Meta(description="Its path from the pipeline file, or the loader.")]
    sha256: Annotated[
        str,
        Meta(
            description="SHA-256 of the file; of a folder, of the lines `digest  name` of its files, as sha256sum prints them; "
            "of what a loader returns, of its arrays."
        ),
    ]
    examples: Annotated[Count, Meta(description="As they were given; of text, windows or prompts.")] = 0
    distinct: Annotated[Count, Meta(description="Of them with different inputs. 0: they were not counted.")] = 0
    near: Annotated[
        Count, Meta(description="Of the distinct ones, those that the baseline answers as another, to a millionth.")
    ] = 0
    before: Annotated[str, Meta(description="The digest at `at`; empty where it is not known there.")] = ""
    at: Annotated[str, Meta(description="The policy, or the commit of the base report, that it is held against.")] = ""

    @property
    def changed(self) -> bool:
        """Whether it is known to be other data than before."""
        return bool(self.before) and self.before != self.sha256


class Code(Record, frozen=True, kw_only=True):
    """A function of the user's own, and what of its code the digest covers."""

    sha256: Annotated[str, Meta(description="Of the one file, or of the lines `digest  name` of all of them.")]
    covers: Annotated[
        list[str], Meta(description="The files, from the pipeline file's folder; of an installed package its name.")
    ]


class Data(Record, frozen=True, kw_only=True):
    """Everything that was read to judge by."""

    evaluation: DataSet | None = None
    calibration: DataSet | None = None
    also: Annotated[dict[str, DataSet], Meta(description="The further evaluation sets, by name.")] = {}
    code: Annotated[dict[str, Code], Meta(description="By its role and name: `loader data:load`.")] = {}

    @property
    def sets(self) -> dict[str, DataSet]:
        """Every set, by what it is called in sentences."""
        named = {EVALUATION: self.evaluation, CALIBRATION: self.calibration}
        named |= {further(name): each for name, each in self.also.items()}
        return {name: each for name, each in named.items() if each is not None}
