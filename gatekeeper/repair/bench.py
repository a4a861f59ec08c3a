"""Makes candidates and measures them: cheaply, and then by the very code that `gatekeeper run` measures and judges with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.limits import Limit
from gatekeeper.config.load import proposed
from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import ConfigError, NotMeasured, UsageError
from gatekeeper.evaluate.text.asked import read_asked
from gatekeeper.ids import leg_of, target_of
from gatekeeper.legs.candidates import made_of
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.measuring import settings
from gatekeeper.legs.setup import Data, bench
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import Made
from gatekeeper.measure.energy._base import Absent
from gatekeeper.measure.race import Limits, Race, race
from gatekeeper.pipeline import Options, run
from gatekeeper.planning.plan import PlannedLeg, PlannedVariant, make_plan, model_of
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.progress import Progress
from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import Edit, Lost, Tried
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.repair.apart import Diverge, Diverged, in_classes, some_of
from gatekeeper.repair.climb import TOO_LONG, Clock
from gatekeeper.repair.failing import lost_of
from gatekeeper.repair.journal import Journal
from gatekeeper.repair.seen import Unit
from gatekeeper.repair.text import edited
from gatekeeper.reports._read import read_report
from gatekeeper.reports._write import write_reports
from gatekeeper.units import parse_duration

EXAMPLES = 64
WINDOWS = 16
ROUNDS = 2
SLACK = 1.3
"""How far two rounds may be from the truth."""
ROOM = 0.1
"""How far the memory of two rounds may be from that of many, as a share of the original's."""
SHARE = 0.25
LEAST_S = 10.0


class _Late(NotMeasured):
    """A step took more than its share of the budget."""


@dataclass(frozen=True)
class RealBench:
    """Works on one pipeline file as it would be with the candidates' changes; `content` are its bytes, and `before` the changes
    that were found before, for others. `unit` is what must pass. `reports`: what is measured fully leaves its reports in the
    folder of the output, which must be no folder that a merge looks through.
    """

    loaded: Loaded
    content: bytes
    options: Options
    journal: Journal
    clock: Clock
    progress: Progress
    before: tuple[Edit, ...] = ()
    unit: Unit | None = None
    reports: bool = True

    def first(self) -> Report:
        """The file as it stands, measured."""
        return self._report([], self.options.attempt)[0]

    def changed(self, edits: list[Edit]) -> bytes:
        """The file's bytes with a change."""
        return with_edits(self.content, self.loaded, [*self.before, *edits])

    def cheap(self, tried: Tried) -> Tried:
        """Made, asked 64 calibration examples, and two rounds of it."""
        self.progress.step(f"{tried.variant}: trying {tried.remedy} ({_said(tried.edits)})")

        def do(folder: Path) -> dict[str, Any]:
            return dict(msgspec.to_builtins(self._tried(tried)))

        try:
            _, meta, kept = self.journal.step("cheap", [tried.variant, list(self.before), tried.edits], do)
        except _Late as error:  # which says as much of the budget as of the remedy, and is not kept
            return msgspec.structs.replace(tried, step="waiting", reason=f"{TOO_LONG}: {error}")
        except NotMeasured as error:
            return msgspec.structs.replace(tried, step="unmade", reason=str(error))
        found = msgspec.convert(meta, Tried)
        return msgspec.structs.replace(found, remedy=tried.remedy, kept=kept)

    def _tried(self, tried: Tried) -> Tried:
        started = self.clock.now()
        try:
            loaded = proposed(self.loaded, self.changed(tried.edits))
        except ConfigError as error:
            said = "; ".join(problem.message for problem in error.problems)
            return msgspec.structs.replace(tried, step="unsuited", reason=said)
        (loaded, hurried), (_, assessment) = _hurried(loaded, self.clock), model_of(loaded)
        leg, variant = self._planned(loaded, tried)
        if why := variant.skip or variant.error or leg.skip or leg.error:
            return msgspec.structs.replace(tried, step="unsuited", reason=why)
        with bench(loaded, assessment, [leg], Cache(self.options.cache), self.progress) as (space, evaluation, legs, _):
            own = legs[0]
            data = Data(evaluation.prepared(), evaluation.prepared(calibration=True))
            try:
                made = made_of(own, variant, data, loaded.section("optimization").trust_scripts)
                apart = _apart(own, made, data.calibration, space.scratch)
                raced = _raced(own, variant.id, made, data.evaluation)
            except NotMeasured as error:
                if error.kind == "timeout" and hurried:
                    raise _Late(error.kind, str(error)) from None
                if error.kind == "disk":
                    raise  # which says nothing of the remedy
                seconds = self.clock.now() - started
                return msgspec.structs.replace(tried, step="unmade", reason=str(error), seconds=seconds)
            speedup, memory = _ratios(raced, variant.id)
            found = msgspec.structs.replace(
                tried, step="cheap", reason="", kl=apart.kl if apart else None, same=apart.same if apart else None,
                examples=apart.examples if apart else 0, speedup=speedup, memory=memory, seconds=self.clock.now() - started,
            )  # fmt: skip
            return msgspec.structs.replace(found, lost=_estimated(own.limits(), found))

    def _planned(self, loaded: Loaded, tried: Tried) -> tuple[PlannedLeg, PlannedVariant]:
        """Where the changed file has the variant: at the same place of the list."""
        plan = make_plan(loaded, model_of(loaded)[1])
        leg = next(each for each in plan.legs if each.id == leg_of(tried.variant))
        return leg, leg.variants[min(place_of(tried.edits, tried.variant, self.loaded), len(leg.variants) - 1)]

    def full(self, tried: Tried, attempt: int) -> Tried:
        """The whole file with the change, run as that attempt."""
        self.progress.step(f"{tried.variant}: measuring {tried.remedy} fully, as attempt {attempt}")
        started = self.clock.now()
        try:
            report, kept = self._report(tried.edits, attempt)
        except (NotMeasured, UsageError) as error:
            return msgspec.structs.replace(tried, step="unmade", reason=str(error), attempt=attempt)
        name = self._planned(proposed(self.loaded, self.changed(tried.edits)), tried)[1].id
        own = find(report, name)
        passed = self.unit.passes(report, name) if self.unit else report.verdict is Verdict.PASS
        lost = list(lost_of(own.gates)) if own else []
        return msgspec.structs.replace(
            tried, step="confirmed", variant=name, passed=passed, lost=[] if passed else lost, attempt=attempt, kept=kept,
            reason="" if passed or lost else (own.reason if own else "") or _why(report, name),
            seconds=tried.seconds + self.clock.now() - started,
        )  # fmt: skip

    def report(self, edits: list[Edit], attempt: int) -> Report:
        """The report of a full measurement that was made."""
        return self._report(edits, attempt)[0]

    def _report(self, edits: list[Edit], attempt: int) -> tuple[Report, bool]:
        loaded = proposed(self.loaded, self.changed(edits))

        def do(folder: Path) -> dict[str, Any]:
            with scratch_folder() as place:  # the cache has the artifacts already
                report = run(loaded, replace(self.options, output=place / "run", attempt=attempt), self.progress)
            (folder / "report.json").write_bytes(msgspec.json.encode(report))
            return {}

        folder, _, kept = self.journal.step("full", [loaded.sha256, attempt], do)
        report = read_report(folder / "report.json")
        if self.reports:
            write_reports(report, self.options.output / f"attempt-{attempt}")
        return report, kept


def with_edits(content: bytes, loaded: Loaded, edits: list[Edit]) -> bytes:
    """A file's bytes with values set; a mark of UTF-8 at its beginning stays."""
    text = content.decode("utf-8-sig")
    mark = content[: len(content) - len(text.encode())]
    return mark + edited(text, loaded.source.path, edits).encode()


def place_of(edits: list[Edit], variant: str, loaded: Loaded) -> int:
    """Which variant of its leg a change is of: the number in the list of techniques that it speaks of, else the variant's own."""
    for each in edits:
        if each.path[:2] == ("optimization", "techniques"):
            return each.path[3] if len(each.path) > 3 and isinstance(each.path[3], int) else 0
    plan = make_plan(loaded, model_of(loaded)[1])
    leg = next(each for each in plan.legs if each.id == leg_of(variant))
    return [each.id for each in leg.variants].index(variant)


def find(report: Report, name: str) -> VariantReport | None:
    """The variant of that name."""
    return next((each for target in report.targets for each in target.variants if each.id == name), None)


def _why(report: Report, name: str) -> str:
    """Why a report does not pass although the variant does."""
    target = next((each for each in report.targets if each.name == target_of(name)), None)
    said = [target.reason] if target and target.reason else []
    return "; ".join(said + [each.reason for each in report.stages if each.verdict is not Verdict.PASS])


def _hurried(loaded: Loaded, clock: Clock) -> tuple[Loaded, bool]:
    """The same where no step of a worker takes more than its share of the budget, so that one that hangs leaves time for others;
    and whether that is less than the file allows.
    """
    measure = loaded.pipeline.measure
    most, own = max(LEAST_S, SHARE * (clock.budget_s - clock.passed)), parse_duration(measure.timeout)
    if own <= most:
        return loaded, False
    measure = msgspec.structs.replace(measure, timeout=f"{math.ceil(most)}s")
    return replace(loaded, pipeline=msgspec.structs.replace(loaded.pipeline, measure=measure)), True


def _apart(leg: Leg, made: Made, calibration: Path | None, scratch: Path) -> Diverged | None:
    """How far its answers are from the original's on calibration data; None where there is none that could tell."""
    text = leg.evaluation.model.text is not None
    if calibration is None or (text and read_asked(calibration).prompts):  # answers to prompts take as long as a full measurement
        return None
    some_of(calibration, some := scratch / "some", WINDOWS if text else EXAMPLES)
    before, after = leg.baseline_predictions(some), leg.predictions(made, some)
    return leg.space.ask_clerk(Diverge(before=str(before), after=str(after), classes=in_classes(leg), text=text), Diverged)


def _raced(leg: Leg, name: str, made: Made, dataset: Path | None) -> Race | None:
    """Two rounds against the original; None where times here say nothing."""
    if leg.untimed:
        return None
    inputs = leg.feeds("inputs", dataset)
    with leg.space.alone(leg.progress, f"trying {name}", leg.measure.budget):
        raced = race(
            leg.baseline_arm(), [leg.arm(name, made)], settings(leg, inputs, Absent("not asked for")),
            Limits((ROUNDS,), math.inf, leg.measure.seed), lambda name, so_far: True, leg.progress,
        )  # fmt: skip
    if failure := raced.failures.get(name):
        raise failure
    return raced


def _ratios(raced: Race | None, name: str) -> tuple[float | None, float | None]:
    """Speedup and memory beside the original's: geometric means of the rounds."""
    if raced is None:
        return None, None
    baseline, variant, _ = raced.paired(name)
    pairs = list(zip(baseline, variant, strict=True))
    speed = [math.log(b.median_ns / v.median_ns) for b, v in pairs]
    memory = [math.log(v.peak_bytes / b.peak_bytes) for b, v in pairs if b.peak_bytes and v.peak_bytes]
    return _mean(speed), _mean(memory)


def _mean(logs: list[float]) -> float | None:
    return math.exp(sum(logs) / len(logs)) if logs else None


def _estimated(limits: list[Limit], tried: Tried) -> list[Lost]:
    """Limits that a candidate is so far from that a full measurement would say no more."""
    stated = {each.name: float(getattr(each.config, each.gate.limit_key)) for each in limits if each.config and _blocks(each)
              and each.name in ("speedup", "memory", "accuracy")}  # fmt: skip
    found = []
    if "speedup" in stated and tried.speedup is not None and tried.speedup * SLACK < stated["speedup"]:
        found.append(("speedup", tried.speedup, "x", f"two rounds: {tried.speedup:.2f}x"))
    if "memory" in stated and tried.memory is not None and 1 - tried.memory < stated["memory"] - ROOM:
        found.append(("memory", 1 - tried.memory, "fraction", f"two rounds: {1 - tried.memory:.0%} smaller"))
    if "accuracy" in stated and tried.same is not None and tried.same < stated["accuracy"]:
        said = f"{tried.same:.1%} of {tried.examples} calibration examples are answered as before"
        found.append(("accuracy", tried.same, "fraction", said))
    return [
        Lost(gate=gate, verdict=Verdict.FAIL, observed=value, limit=stated[gate], unit=unit, estimated=True, reason=said)
        for gate, value, unit, said in found
    ]


def _blocks(limit: Limit) -> bool:
    return limit.config is not None and limit.config.blocks


def _said(edits: list[Edit]) -> str:
    return "; ".join(str(each) for each in edits)
