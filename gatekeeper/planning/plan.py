"""From a pipeline to the legs that must be measured: target x framework, each with its variants.

Pure: nothing is run and no framework is imported. A leg or variant that cannot be is kept, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.owners import asked
from gatekeeper.config.sections.baseline import runs_proposed
from gatekeeper.config.sections.inputs import asked_as
from gatekeeper.config.sections.targets import Target
from gatekeeper.config.sections.techniques import Asked, listing
from gatekeeper.config.sections.variants import OwnVariant, framework_of
from gatekeeper.errors import NotMeasured, UsageError, nearest
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework, is_config, needs, opener
from gatekeeper.frameworks._options import filled
from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.selection import DEVICES, hardware
from gatekeeper.ids import PROPOSED, artifact_name, leg_id, variant_id
from gatekeeper.models.files import assess
from gatekeeper.models.info import Assessment
from gatekeeper.planning.selection import auto
from gatekeeper.records.base import Record

PLAN_SCHEMA: Literal["gatekeeper/plan/v1"] = "gatekeeper/plan/v1"


class PlannedVariant(Record, frozen=True, kw_only=True):
    """One artifact to make. `skip` says why it is left out; `error` why it was asked for and cannot be.

    `config` is the framework's own configuration file, relative to the pipeline file, where that is the technique. `path` is
    the file of a variant that the user has made. `why` is the reason where `techniques: auto` chose it. Where options give a
    variant a name of its own, which is then `technique`, `applied` is the technique that is applied, and `options` are all of its
    options.
    """

    id: str
    technique: str
    config: str | None = None
    path: str | None = None
    skip: str | None = None
    error: str | None = None
    why: str = ""
    applied: str = ""
    options: dict[str, Any] = {}

    @property
    def method(self) -> str:
        """The framework's own name of what is done."""
        return self.applied or self.technique


class PlannedLeg(Record, frozen=True, kw_only=True):
    """One matrix job."""

    id: str
    target: str
    hardware: str
    framework: str
    extra: str
    runs_on: str | list[str]
    variants: list[PlannedVariant]
    error: Annotated[str | None, Meta(description="Why the leg cannot run at all, which blocks.")] = None
    skip: Annotated[str | None, Meta(description="Why the framework cannot take this model to this hardware, anywhere.")] = None
    baseline: Annotated[str, Meta(description="What runs the original model, where the framework itself cannot.")] = ""
    why: Annotated[str, Meta(description="Why `frameworks: auto` chose the framework; empty where the file names it.")] = ""


class Plan(Record, frozen=True, kw_only=True):
    """What must come back before there is a verdict."""

    schema: Literal["gatekeeper/plan/v1"]
    pipeline: str
    pipeline_sha256: str
    legs: list[PlannedLeg]
    commit: Annotated[str, Meta(description="Commit it was made from; empty outside of GitHub Actions.")] = ""

    def leg_ids(self) -> list[str]:
        """The manifest: legs that are skipped need not come back."""
        return [leg.id for leg in self.legs if not leg.skip]

    def variant_ids(self) -> list[str]:
        """Every variant of every leg, also those that are left out."""
        return [variant.id for leg in self.legs for variant in leg.variants]


def model_of(loaded: Loaded) -> tuple[Path, Assessment]:
    """The model and what it is; a `UsageError` when there is none, or it cannot be read."""
    path = loaded.model_path()
    if path is None:
        raise UsageError(f"{loaded.path}: names no model. Add `model: {{path: model.onnx}}` or pass --model.")
    try:
        return path, asked_as(loaded, assess(path))
    except NotMeasured as error:
        raise UsageError(str(error)) from None


def make_plan(loaded: Loaded, model: Assessment, commit: str = "") -> Plan:
    """Every leg and variant the pipeline file asks for."""
    own: dict[str, list[OwnVariant]] = {}
    if name := runs_proposed(loaded):
        own[name] = [OwnVariant(name=PROPOSED, path=_proposed(loaded))]
    for variant in loaded.section("optimization").variants:
        own.setdefault(framework_of(loaded, variant) or "", []).append(variant)
    legs = []
    taken = {target.name: _tried(loaded, target, model, bool(own)) for target in loaded.targets}
    _check_named(loaded, {name for tried in taken.values() for name in tried})
    for target in loaded.targets:
        tried = taken[target.name]
        for name in dict.fromkeys([*tried, *own]):
            leg = _leg(loaded, target, name, model, own.get(name, []), name in tried)
            legs.append(msgspec.structs.replace(leg, why=tried.get(name, "")))
    return Plan(schema=PLAN_SCHEMA, pipeline=str(loaded.path), pipeline_sha256=loaded.sha256, legs=legs, commit=commit)


def _tried(loaded: Loaded, target: Target, model: Assessment, others: bool) -> dict[str, str]:
    """Framework -> why `auto` chose it; empty where the file names it. A `UsageError` where nothing is left beside `others`."""
    if not loaded.chooses(target):
        return dict.fromkeys(loaded.frameworks(target), "")
    device = _planned_on(target, model_format=model.format)
    found = auto.frameworks(target.hardware, model, device, _calibrated(loaded))
    if not found and not others:
        listed = auto.advice(target.hardware, model, device, _calibrated(loaded))
        why = "; ".join(f"{each.framework}: {each.cannot}" for each in listed)
        raise UsageError(
            f"{loaded.where('optimization', 'frameworks')}: auto finds no framework that can make a variant of this model for "
            f"{target.name}: {why}. Start from another form of the model, or name variants of your own."
        )
    return found


def _check_named(loaded: Loaded, tried: set[str]) -> None:
    """`UsageError` for techniques of a framework that `auto` chose nowhere: they would be passed over in silence."""
    for name in listing(loaded.section("optimization")):
        if name not in tried and any(loaded.chooses(target) for target in loaded.targets):
            taken = ", ".join(sorted(tried)) or "nothing"
            raise UsageError(
                f"{loaded.where('optimization', 'techniques', name)}: auto chooses {taken} for this model, and not {name}, so "
                "these techniques would not be tried. Remove them, or name the frameworks."
            )


def _techniques(loaded: Loaded, target: Target, name: str, model: Assessment, device: str) -> list[tuple[Asked, str]]:
    """What the file asks for of a framework, or what is tried where it does not say, with the reason where `auto` chose it."""
    if not loaded.named_techniques(name) and (loaded.chooses_techniques or loaded.chooses(target)):
        isa = this_machine().isa if hardware(target.hardware).absent(this_machine()) is None else ()
        return [(Asked(each), why) for each, why in auto.techniques(name, model, device, isa, _calibrated(loaded))]
    own = [Asked(each) for each in framework(name).defaults(model.format, device)]
    return [(each, "") for each in loaded.named_techniques(name) or own]


def _calibrated(loaded: Loaded) -> bool:
    return bool(loaded.pipeline.dataset and loaded.pipeline.dataset.calibration)


def _proposed(loaded: Loaded) -> str:
    """The model itself, as a path from the pipeline file."""
    if loaded.model_override is not None:
        return str(loaded.model_override.resolve())
    assert loaded.pipeline.model is not None
    return loaded.pipeline.model.path


def choose_legs(plan: Plan, target: str | None, framework: str | None) -> list[PlannedLeg]:
    """The legs the command line asks for; None asks for all."""
    for flag, value, known in (
        ("--target", target, {leg.target for leg in plan.legs}),
        ("--framework", framework, {leg.framework for leg in plan.legs}),
    ):
        if value is not None and value not in known:
            raise UsageError(
                f"{flag} '{value}' is not in the pipeline file{nearest(value, known) or '.'} It has {', '.join(sorted(known))}."
            )
    legs = [leg for leg in plan.legs if target in (None, leg.target) and framework in (None, leg.framework)]
    if not legs:
        raise UsageError(f"no leg has target '{target}' and framework '{framework}'. See `gatekeeper plan`.")
    return legs


def _leg(loaded: Loaded, target: Target, name: str, model: Assessment, own: list[OwnVariant], tried: bool) -> PlannedLeg:
    leg = leg_id(target.name, name)
    if name not in FRAMEWORKS.names:
        error = f"this version of gatekeeper cannot run {name}; it runs {', '.join(FRAMEWORKS.names)}"
        return _planned(leg, target, name, "", [], error=error)
    module = framework(name)
    device = _planned_on(target, name, model.format)
    extra = ",".join([needs(name, model.format).extra, *_extras(loaded)])
    given = [PlannedVariant(id=variant_id(leg, each.name), technique=each.name, path=each.path) for each in own]
    if impossible := module.supports(model.format, device):
        other = opener(model.format) if own and hardware(target.hardware).DEVICE == "cpu" else None
        if other is None:
            return _planned(leg, target, name, extra, [], skip=impossible)
        extra = ",".join(dict.fromkeys([extra, needs(other, model.format).extra]))
        return _planned(leg, target, name, extra, given, baseline=other)
    if not tried:
        return _planned(leg, target, name, extra, given)
    listed = bool(loaded.named_techniques(name))
    made = [
        _variant(leg, name, each, model, _calibrated(loaded), listed, why)
        for each, why in _techniques(loaded, target, name, model, device)
    ]
    return _planned(leg, target, name, extra, [*made, *given])


def _variant(leg: str, name: str, each: Asked, model: Assessment, calibrated: bool, listed: bool, why: str) -> PlannedVariant:
    """What is to be made of an entry; what cannot be is an error where the file lists it, and left out where it does not."""
    own_config, called, options = is_config(name, each.technique), each.called(name), each.options
    refused = None if own_config else framework(name).refuses(each.technique, model, calibrated)
    if refused is None and options is not None:
        refused = options.unfit(each.technique, model)
    return PlannedVariant(
        id=variant_id(leg, called),
        technique=called,
        config=each.technique if own_config else None,
        skip=None if listed else refused,
        error=refused if listed else None,
        why=why,
        applied=each.technique if options is not None else "",
        options=filled(options) if options is not None else {},
    )


def _extras(loaded: Loaded) -> list[str]:
    """What the stages of a leg install beside its framework."""
    return list(dict.fromkeys(extra for own in asked("extras") for extra in own(loaded)))


def _planned_on(target: Target, name: str = "", model_format: str = "") -> str:
    """The device that a plan is made for: the CPU where no framework drives the target's and the file says `fallback: cpu`."""
    device = device_of(target, name) if name else hardware(target.hardware).DEVICE
    return "cpu" if target.fallback == "cpu" and undriven(target.hardware, name, model_format, device) else device


def undriven(kind: str, name: str, model_format: str, device: str) -> str:
    """Why a framework does not drive an accelerator that is new to gatekeeper; empty where it does, or where it is not new."""
    if hardware(kind).DEVICE in DEVICES:
        return ""
    if not name:
        return (
            ""
            if any(framework(each).supports(model_format, device) is None for each in FRAMEWORKS.names)
            else "nothing drives it"
        )
    return framework(name).supports(model_format, device) or ""


def device_of(target: Target, name: str) -> str:
    """What sessions of a framework are opened on for a target; `:throughput` where the framework has such a hint."""
    device = hardware(target.hardware).DEVICE
    hints = getattr(framework(name), "HINTS", ())
    return f"{device}:{target.hint}" if target.hint != "latency" and target.hint in hints else device


def _planned(
    leg: str,
    target: Target,
    name: str,
    extra: str,
    variants: list[PlannedVariant],
    error: str | None = None,
    skip: str | None = None,
    baseline: str = "",
) -> PlannedLeg:
    return PlannedLeg(
        id=leg,
        target=target.name,
        hardware=target.hardware,
        framework=name,
        extra=extra,
        runs_on=target.runs_on,
        variants=variants,
        error=error,
        skip=skip,
        baseline=baseline,
    )


MOST_JOBS = 256
"""GitHub starts no more jobs of one matrix."""


def github_matrix(plan: Plan) -> str:
    """One line for `fromJSON` in a workflow's `strategy.matrix`; a `UsageError` for a matrix GitHub would not run."""
    include = [
        {
            "target": leg.target,
            "framework": leg.framework,
            "extra": leg.extra,
            "runs_on": leg.runs_on,
            "leg": leg.id,
            "slug": artifact_name(leg.id),
        }
        for leg in plan.legs
        if not leg.skip
    ]
    if not include:
        reasons = "; ".join(dict.fromkeys(f"{leg.id}: {leg.skip}" for leg in plan.legs))
        raise UsageError(f"no leg is left to run ({reasons}). Change the frameworks or the targets of {plan.pipeline}.")
    if len(include) > MOST_JOBS:
        raise UsageError(
            f"{len(include)} legs are more than the {MOST_JOBS} jobs that GitHub starts of one matrix. Call the workflow once "
            "for each target or framework, with --target or --framework."
        )
    return msgspec.json.encode({"include": include}).decode()


def commit_from(environ: Mapping[str, str]) -> str:
    """The commit that is measured, from GITHUB_SHA; empty outside of GitHub Actions."""
    value = environ.get("GITHUB_SHA", "").strip().lower()
    if value and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", value):
        raise UsageError(f"GITHUB_SHA is '{value}', not a commit of 40 or 64 hexadecimal digits. Correct it, or unset it.")
    return value


def read_plan(path: Path) -> Plan:
    """A plan written by `gatekeeper plan --format json`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. `gatekeeper plan --format json` writes one.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not a plan ({error}). `gatekeeper plan --format json` writes one.") from None
