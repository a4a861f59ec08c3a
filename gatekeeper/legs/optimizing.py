"""One leg, optimized: every variant made, measured against the baseline, and judged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatekeeper.config.user_code import user_code
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.compared import quality
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.frameworks._base import prepares, untold
from gatekeeper.gates._base import tested_by
from gatekeeper.ids import BASELINE
from gatekeeper.legs.basis import basis
from gatekeeper.legs.candidates import NOT_SCANNED, Candidate, candidate
from gatekeeper.legs.judging import Judge, artifact, keep
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.measuring import NOTHING, Raced, asked, measured
from gatekeeper.legs.setup import Data, Scanned, Setup
from gatekeeper.making.optimize import Made
from gatekeeper.measure.conditions import conditions, warnings
from gatekeeper.measure.energy._base import told
from gatekeeper.measure.race import Race, control_interval, performance, samples
from gatekeeper.measure.rounds import CONTROL
from gatekeeper.process import memory
from gatekeeper.process.hold import hold, unheld
from gatekeeper.records.measured import RoundData
from gatekeeper.records.report import Basis, LegReport, VariantReport
from gatekeeper.stats.looks import look_alpha, schedule
from gatekeeper.units import parse_duration


@dataclass(frozen=True)
class Optimized:
    """A leg and its variants for the report; artifacts and answers by name, and raw latencies, of what was measured."""

    leg: LegReport
    variants: list[VariantReport] = field(default_factory=list)
    made: dict[str, Made] = field(default_factory=dict)
    predictions: dict[str, Path] = field(default_factory=dict)
    samples: Mapping[str, Any] = field(default_factory=dict)


def optimize_leg(setup: Setup, leg: Leg, data: Data, trusted: bool, scanned: Scanned = NOT_SCANNED) -> Optimized:
    """Make, measure and judge the variants of one leg. What keeps all of them from it is the error of the leg."""
    started = time.monotonic()
    if leg.planned.skip:
        return Optimized(LegReport(id=leg.id, framework=leg.framework, skip=leg.planned.skip))
    looks = schedule(leg.measure.max_rounds)
    limits = [limit for limit in leg.limits() if not tested_by(limit.name)]
    judge = Judge(leg, limits, setup.attempt, setup.beside(leg))
    notes = [leg.place.note] if leg.place.note else []
    if leg.baseline_framework != leg.framework:
        other = f"the original runs in {leg.baseline_framework}, as {leg.framework} cannot open it"
        notes.append(f"{other}: what is gained may be the runtime's")
    try:
        standing = _ready(leg, data)
    except NotMeasured as failure:
        said = str(failure)
        unmade = [judge.report(Candidate(variant, error=said), NOTHING) for variant in leg.planned.variants]
        nothing = Basis(not_judged={"everything": "the leg has an error"})
        return Optimized(LegReport(id=leg.id, framework=leg.framework, error=said, notes=notes, basis=nothing), unmade)
    if not standing.held:
        notes.append(standing.said)
    candidates = {variant.id: candidate(leg, variant, data, trusted, scanned) for variant in leg.planned.variants}
    made = {name: each.made for name, each in candidates.items() if each.made}
    notes += _options(leg, [each for each in candidates.values() if each.made and each.planned.options])
    notes += _prepared(leg, [each for each in candidates.values() if each.made and each.planned.path is None])
    judge.rule_out(list(candidates.values()))
    timed = made if asked(leg, limits, data.evaluation) else {}
    arms = [leg.arm(name, each) for name, each in timed.items()]
    predictions = {name: file for each in candidates.values() for name, file in each.predictions.items()}

    def decided(name: str, race: Race) -> bool:
        return judge.decided(candidates[name], race)

    raced = measured(leg, arms, data.evaluation, predictions.values(), looks, decided)
    variants = [judge.report(each, raced) for each in candidates.values()]
    kept = {variant.id: made[variant.id] for variant in variants if variant.artifact}
    for name, each in kept.items():
        keep(each, setup.output / artifact(name, each).path)
    about = _leg_report(setup, judge, raced, [candidates[name] for name in made], notes, standing, started)
    return Optimized(about, variants, kept, predictions, samples(raced.race.rounds))


def _options(leg: Leg, made: list[Candidate]) -> list[str]:
    """With which options variants were made whose names do not say so."""
    told = {p.technique: untold(leg.framework, p.technique, p.method, p.options) for p in (each.planned for each in made)}
    return [f"{technique}: {said}" for technique, said in told.items() if said]


def _prepared(leg: Leg, made: list[Candidate]) -> list[str]:
    """What was done to the model before the techniques' own work, which is part of what a user gets."""
    by_work: dict[str, list[str]] = {}
    for each in made:
        work = prepares(leg.framework, each.planned.method, leg.evaluation.model)
        by_work.setdefault(work, []).append(each.planned.technique)
    return [f"{', '.join(techniques)}: {work}" for work, techniques in by_work.items() if work]


def _ready(leg: Leg, data: Data) -> Standing:
    """The leg's form of the model, made, and how it answers beside the reference."""
    _ = leg.source
    leg.progress.step(f"{leg.id}: checking the baseline")
    for name, path in data.also.items():
        leg.on(name).standing(path)
    return leg.standing(data.evaluation)


def _leg_report(
    setup: Setup, judge: Judge, raced: Raced, made: list[Candidate], notes: list[str], standing: Standing, started: float
) -> LegReport:
    leg, race = judge.leg, raced.race
    measure, ran = leg.measure, bool(race.rounds)
    state = conditions(race.snapshots) if ran else None
    own = user_code(leg.loaded)
    return LegReport(
        id=leg.id,
        framework=leg.framework,
        environment=raced.environment,
        error=raced.error or "",
        conversion=standing.said if standing.held else "",
        device=leg.place.device,
        untimed=leg.untimed,
        baseline=performance(_rounds_of(race, BASELINE), leg.evaluation.batch_size(), memory.METRIC),
        quality=next((shown for each in made if (shown := quality(each.comparison, variant=False))), None),
        control=control_interval(race.rounds, look_alpha(len(race.rounds), measure.max_rounds, setup.attempt)),
        control_rounds=_rounds_of(race, CONTROL),
        rounds=len(race.rounds),
        max_rounds=measure.max_rounds,
        spending="proportional",
        attempt=setup.attempt,
        seed=measure.seed,
        measuring_s=race.elapsed_s,
        budget_s=parse_duration(measure.budget) if ran else 0.0,
        stopped=race.stopped if ran else "",
        conditions=state,
        basis=basis(leg, made, raced.inputs),
        also={name: basis(leg.on(name), [each.on(name) for each in made], None) for name in (made[0].also if made else ())},
        energy=told(raced.meter, race.blocks),
        notes=notes + (warnings(state) if state else []),
        user_code=own,
        unheld=unheld() if own else "",
        held=hold() if own else "",
        total_s=time.monotonic() - started,
    )


def _rounds_of(race: Race, arm: str) -> list[RoundData]:
    return [each.data[arm] for each in race.rounds]
