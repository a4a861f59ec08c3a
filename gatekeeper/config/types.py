"""The pipeline file as types: the one source of its schema, its reference and its validation.

Here the sections are only put together. What every part of gatekeeper reads is in `sections`; a stage's own section is in its
module, under its name.
"""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.config.owners import stage_names, stages
from gatekeeper.config.section import Section, make_section, one_of
from gatekeeper.config.sections.baseline import Baseline
from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.config.sections.deployment import Deployment
from gatekeeper.config.sections.gates import Gates
from gatekeeper.config.sections.inputs import Input, Output
from gatekeeper.config.sections.measure import Measure
from gatekeeper.config.sections.model import Model
from gatekeeper.config.sections.monitoring import Monitoring
from gatekeeper.config.sections.packaging import Packaging
from gatekeeper.config.sections.targets import Target


class Common(Section, frozen=True, kw_only=True):
    """What a pipeline file holds whatever its stages are."""

    stages: tuple[str, ...] = ("model_validation", "optimization")
    model: Annotated[Model | None, Meta(description="The model under test.")] = None
    baseline: Annotated[
        Baseline | None,
        Meta(
            description="What is measured against, instead of the model itself: the model at another commit, or `none`; "
            "the model is then judged itself, as the variant `proposed`."
        ),
    ] = None
    dataset: Annotated[Dataset | None, Meta(description="The representative test set.")] = None
    inputs: Annotated[
        dict[str, Input], Meta(description="Inputs of the model that are constants, or have their examples on another axis.")
    ] = {}
    outputs: Annotated[
        dict[str, Output], Meta(description="Outputs of the model that have their examples on another axis than the first.")
    ] = {}
    targets: Annotated[
        list[Target], Meta(description="Hardware it must run on; default: the CPU of the machine that runs it.")
    ] = []
    deployment: Annotated[Deployment, Meta(description="How an approved model goes live.")] = Deployment()
    monitoring: Annotated[
        Monitoring | None, Meta(description="How the deployed model is watched: what `gatekeeper watch` reads, and its limits.")
    ] = None
    packaging: Annotated[Packaging | None, Meta(description="What is built from an approved model.")] = None
    gates: Annotated[Gates, Meta(description="The limits a variant must hold.")] = Gates()  # type: ignore[valid-type]
    measure: Annotated[Measure, Meta(description="How long and how carefully to measure.")] = Measure()


def _fields() -> list[tuple[str, Any, Any]]:
    """The stages that may be listed, and a field for each stage that has a section."""
    names = GenericAlias(tuple, (one_of(stage_names()), ...))
    listed: Any = Annotated[names, Meta(min_length=1, description="Stages to run, in this order; each gates the next.")]
    fields: list[tuple[str, Any, Any]] = [("stages", listed, ("model_validation", "optimization"))]
    for name, stage in stages():
        if (section := getattr(stage, "SECTION", None)) is not None:
            fields.append((name, Annotated[section, Meta(description=stage.DESCRIPTION)], section()))
    return fields


_MEANING = "The `edge_ai_pipeline` file: which model, on which hardware, optimized how, and the gates it must pass."

Pipeline = make_section("Pipeline", _MEANING, _fields(), Common)
Document = make_section(
    "Document", "The whole file.", [("edge_ai_pipeline", Annotated[Pipeline, Meta(description="The pipeline.")])]
)
