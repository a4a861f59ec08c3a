"""What a pipeline file declares of licences and of the model's purpose, and what the model's own files say of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Record

Phase = Literal["before", "during", "after"]


class SetLicense(Record, frozen=True, kw_only=True):
    """What is declared of one set of data."""

    license: Annotated[str, Meta(description="An SPDX expression; empty: none is declared.")] = ""
    source: Annotated[str, Meta(description="Where it is from, as it was declared.")] = ""


class OwnLicense(Record, frozen=True, kw_only=True):
    """What one model's own files say of its licence."""

    model: Annotated[str, Meta(description="The path as it was given.")]
    says: Annotated[dict[str, str], Meta(description="The licence by where it stands; empty where they are silent.")] = {}


class Compliance(Record, frozen=True, kw_only=True):
    """Evidence on licences and the model card: what was declared, what was asked for, and what was found."""

    license: Annotated[str, Meta(description="Of the model: an SPDX expression.")]
    allowed: Annotated[list[str], Meta(description="Licences that the model and its data may have; empty: any.")] = []
    datasets: Annotated[
        dict[str, SetLicense], Meta(description="`evaluation`, `calibration`, further sets by name, and others.")
    ] = {}
    read: Annotated[list[str], Meta(description="Which of them the pipeline file reads: each must have a licence.")] = []
    models: Annotated[list[OwnLicense], Meta(description="The model and own variants, as their files speak for themselves.")] = []
    card: Annotated[str, Meta(description="The model card, as it was given; empty where there is none.")] = ""
    card_sha256: str = ""
    fields: Annotated[dict[str, str], Meta(description="What is said of the model, by field.")] = {}
    required: Annotated[list[str], Meta(description="Fields that must be there.")] = []


class AnnexItem(Record, frozen=True, kw_only=True):
    """One item that Annex IV of Regulation (EU) 2024/1689 asks for, and what of it this report holds."""

    point: Annotated[str, Meta(description="Its number there: 2(g).")]
    asks: Annotated[str, Meta(description="What it asks for, in few words.")]
    shown: Annotated[str, Meta(description="The evidence, in words; `not shown` where this report holds none.")]


class ChecklistItem(Record, frozen=True, kw_only=True):
    """One item of the checklist of a deployment."""

    phase: Phase
    item: str
    shown: Annotated[str, Meta(description="The evidence, in words; `not shown` where this report holds none.")]
