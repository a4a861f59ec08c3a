"""Makes every variant, measures it against the baseline on this machine, and judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import AUTO, Duration, FrameworkName, Need, Section, Switch
from gatekeeper.config.sections.techniques import Techniques, asked_of, listing
from gatekeeper.config.sections.variants import OwnVariant, variant_problems
from gatekeeper.records.base import Verdict
from gatekeeper.records.wish import AXES
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.legs.optimizing import Optimized
    from gatekeeper.legs.setup import Added, Data, Known, Setup
    from gatekeeper.records.answers import Answers
    from gatekeeper.records.report import TargetReport

NAME = "optimization"
DESCRIPTION = "Frameworks and techniques."
ORDER = 20
SAMPLES = "samples.json"
FILES = (SAMPLES, "answers.npz")


class OptimizationValidation(Section, frozen=True, kw_only=True):
    """Checks across variants."""

    cross_validation: Annotated[
        Switch,
        Meta(
            description="Compare the answers of every variant and baseline of a target with one another, and point at the one "
            "that differs from all. What cannot be compared is an error; a difference is not."
        ),
    ] = "disabled"
    performance_comparison: Annotated[
        Need | None,
        Meta(description="`required`: a target of which fewer than two variants could be measured is an error."),
    ] = None


Weight = Annotated[float, Meta(ge=0, le=1000)]


class Preferences(Section, frozen=True, kw_only=True):
    """Weights of the logarithms of ratios to the baseline: twice as fast and half the memory weigh alike."""

    speed: Annotated[Weight, Meta(description="Of the median latency.")] = 0
    accuracy: Annotated[Weight, Meta(description="Of the share of the baseline's quality that is kept.")] = 0
    memory: Annotated[Weight, Meta(description="Of the peak memory.")] = 0
    energy: Annotated[Weight, Meta(description="Of the energy per inference, where the machine measures it.")] = 0


class Repairing(Section, frozen=True, kw_only=True):
    """What `gatekeeper run` does where a gate with `on_fail: repair` fails."""

    budget: Annotated[Duration, Meta(description="How long it looks for a change that passes.")] = "10m"


class Optimization(Section, frozen=True, kw_only=True):
    """Which frameworks optimize the model, and how."""

    frameworks: Annotated[
        tuple[FrameworkName, ...] | Literal["auto"],
        Meta(
            description="Frameworks to try on every target; empty where only `variants` of your own are judged; `auto`: those "
            "that suit model and target, by the tables of docs/selection.md."
        ),
    ] = ("onnx_runtime",)
    variants: Annotated[
        list[OwnVariant],
        Meta(description="Models that you have optimized, judged as those are that gatekeeper makes."),
    ] = []
    techniques: Annotated[
        Techniques | Literal["auto"],
        Meta(
            description="Techniques per framework, each by its name or with options; default: those that suit the target; "
            "`auto`: by framework, kind of model and instruction set."
        ),
    ] = Techniques()
    trust_scripts: Annotated[
        bool, Meta(description="Let configuration files named in `techniques` run scripts of their own.")
    ] = False
    repair: Annotated[Repairing, Meta(description="The search for a change that passes, see `on_fail` of gates.")] = Repairing()
    validation: Annotated[OptimizationValidation, Meta(description="Checks across variants.")] = OptimizationValidation()
    select: Annotated[
        Literal["speed", "accuracy", "memory", "balanced"] | None,
        Meta(description="By what one is chosen among the variants that pass; default: speed."),
    ] = None
    preferences: Annotated[
        Preferences | None, Meta(description="How much each thing weighs in that choice, in place of `select`.")
    ] = None


SECTION = Optimization


def problems(review: Review) -> None:
    """Techniques that their frameworks do not have, and frameworks that no target tries."""
    from gatekeeper.config.techniques import technique_problems

    section = review.loaded.section(NAME)
    if not (section.frameworks or section.variants or review.pipeline.baseline):
        review.add((NAME, "frameworks"), "there is nothing to judge. Name a framework, or a variant of your own in `variants`.")
    variant_problems(review, section.variants)
    if section.techniques != AUTO:
        technique_problems(review, section)
    _choice_problems(review, section)


def _choice_problems(review: Review, section: Optimization) -> None:
    """Weights that say nothing, or say it twice."""
    if section.preferences is None:
        return
    if not any(getattr(section.preferences, axis) > 0 for axis in AXES):
        said = "weighs nothing: every weight is 0. Give one of speed, accuracy, memory, energy a weight, or remove this."
        review.add((NAME, "preferences"), said, key=True)
    if section.select is not None:
        said = f"says `preferences` and `select: {section.select}`, which both choose. Remove one."
        review.add((NAME, "select"), f"the file {said}", key=True)


def user_code(loaded: Loaded) -> list[str]:
    """Scripts that configuration files of Olive may run."""
    section = loaded.section(NAME)
    listed = [each.technique for name in listing(section) for each in asked_of(section, name)]
    named = [technique for technique in listed if technique.endswith(".json")]
    return [f"scripts of {technique}" for technique in named] if section.trust_scripts else []


def run(setup: Setup, known: Known) -> Added:
    """Run every leg of this machine; a leg that cannot run is reported as such."""
    import msgspec

    from gatekeeper.legs.optimizing import optimize_leg
    from gatekeeper.legs.setup import Added, Artifacts, Data, Scanned
    from gatekeeper.records.answers import FILE_NAME as ANSWERS
    from gatekeeper.records.answers import packed
    from gatekeeper.verdicts.across import checked, summary

    data, section = known.get(Data), setup.loaded.section(NAME)
    done = {leg.id: optimize_leg(setup, leg, data, section.trust_scripts, known.get(Scanned)) for leg in setup.legs}
    compare = section.validation.cross_validation == "enabled"
    answers = _answers(setup, done, data) if compare else None
    targets = _targets(setup, done, answers, compare)
    made = Artifacts({name: made for each in done.values() for name, made in each.made.items()})
    samples = {leg: each.samples for leg, each in done.items() if each.samples}
    files = {SAMPLES: msgspec.json.encode(samples)} if samples else {}
    if answers:
        files[ANSWERS] = packed(answers)
    errors = [each.leg.error for each in done.values() if each.leg.error]
    if errors:
        said = report(setup.loaded, NAME, Verdict.ERROR, "; ".join(dict.fromkeys(errors)))
    elif compare and data.evaluation is None:
        reason = "cross_validation needs an evaluation set. Name one with `dataset.path`, or set it to disabled."
        said = report(setup.loaded, NAME, Verdict.ERROR, reason, NAME, "validation", "cross_validation")
    else:
        count = summary(sum(len(leg.planned.variants) for leg in setup.legs), len(setup.legs))
        said = checked(report(setup.loaded, NAME, Verdict.PASS, count), targets, setup.pipeline)
    return Added(said, targets, [made], files)


def _answers(setup: Setup, done: dict[str, Optimized], data: Data) -> Answers | None:
    """What all models of this machine answered, to be compared with one another."""
    predictions = {name: file for each in done.values() for name, file in each.predictions.items()}
    if data.evaluation is None or not predictions:
        return None
    setup.progress.step(f"comparing the answers of {len(predictions)} model{'s' * (len(predictions) != 1)}")
    return setup.evaluation.answers(predictions, data.evaluation)


def _targets(setup: Setup, done: dict[str, Optimized], answers: Answers | None, compare: bool) -> list[TargetReport]:
    from gatekeeper.config.wishes import wish_of
    from gatekeeper.planning.selection.auto import rule_of
    from gatekeeper.verdicts.across import agreement_of
    from gatekeeper.verdicts.targets import target_report

    targets, wish = [], wish_of(setup.loaded)
    for name, legs in setup.by_target().items():
        own = [done[leg.id].leg for leg in legs]
        variants = [variant for leg in legs for variant in done[leg.id].variants]
        agreement = agreement_of(own, variants, [answers] if answers else []) if compare else None
        hardware = setup.loaded.target(name).hardware
        rule = rule_of(hardware, setup.assessment)
        targets.append(target_report(name, hardware, setup.loaded.require, own, variants, agreement, wish, rule))
    return targets
