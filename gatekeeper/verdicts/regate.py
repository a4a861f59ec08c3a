"""One gate judged again from what the report holds of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from gatekeeper.config.limits import Limit, as_number
from gatekeeper.gates._base import GateConfig, Told, counted_checks, gate, metered, of_testing, tested_by
from gatekeeper.gates._checks import CHECKS, MOST_NAMED, lost
from gatekeeper.ids import set_of
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.evidence import Effort, Evidence
from gatekeeper.records.gates import Decision, GateResult
from gatekeeper.records.measured import Artifact, Control, Energy, RoundData
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.records.tested import Check
from gatekeeper.stats.looks import attempt_alpha, equal_alpha, look_alpha
from gatekeeper.verdicts.gates import holds, judge_gate
from gatekeeper.verdicts.judge import all_of
from gatekeeper.verdicts.rules import Rules

T = TypeVar("T")
NONE = Artifact(path="", sha256="", bytes=0)
AGREE = 1e-6
"""Bounds that were computed elsewhere differ by less, relative to what they bound."""
RECOMPUTED = ("rounds", "artifact", "checks")
"""What gates are judged on that a report holds whole."""


Known = dict[tuple[str, float | None, bool, bool, int], tuple[Limit, float | None, str]]
"""Limits that were worked out before: by gate, what is stated, and `id` of what is asked."""


@dataclass(frozen=True)
class Held:
    """A gate as it stands after it was judged again; what its report says of it that is not so, and what cannot be."""

    gate: GateResult
    said: str = ""
    problem: str = ""


@dataclass(frozen=True)
class LegEvidence:
    """What a leg's variants are judged on; `untimed` is why its times say nothing, if that is believed."""

    leg: LegReport
    untimed: str
    max_rounds: int
    baseline: Mapping[int, RoundData]
    control: Mapping[int, RoundData]
    rules: Rules

    @property
    def alpha_at_load(self) -> float:
        """One-sided, where there is one look."""
        return attempt_alpha(self.leg.attempt)

    def alpha(self, rounds: int, share: float = 1.0) -> float:
        """One-sided, of the look after `rounds`, at a share of the leg's budget."""
        return leg_alpha(self.leg, rounds, self.max_rounds, share)


def leg_alpha(leg: LegReport, rounds: int, max_rounds: int, share: float = 1.0) -> float:
    """The level of a look, as the version had it that measured. By neither is any level more than `look_alpha`."""
    if not leg.spending:
        return share * equal_alpha(max_rounds, leg.attempt)
    return look_alpha(rounds, max_rounds, leg.attempt, share)


def leg_evidence(leg: LegReport, untimed: str, max_rounds: int, rules: Rules) -> LegEvidence:
    """The rounds of a leg by their number; of `rules` those of what is asked beyond limits."""
    baseline = {each.round: each for each in leg.baseline.rounds} if leg.baseline else {}
    control = {each.round: each for each in leg.control_rounds}
    return LegEvidence(leg, untimed, max_rounds, baseline, control, rules)


def held(
    each: GateResult, owner: str, asked: Limit | None, variant: VariantReport, leg: LegEvidence, confirmed: bool = False
) -> Held:
    """The gate judged again by the stricter of the limit that is asked for and the one that it states.

    `confirmed` says that its verdict and bounds are known to follow from its rounds, by the limit that it states.
    """
    disabled = each.limit is None and not each.measured_limit and each.verdict is Verdict.SKIP and not each.blocking
    try:
        known: Known = leg.rules.known
        key = owner, None if each.measured_limit else each.limit, each.blocking, disabled, id(asked)
        if (stricter := known.get(key)) is None:
            stricter = known[key] = _stricter(*key[:4], asked)
        limit, number, loosened = stricter
        if limit.config is not None and (asked is None or asked.config is None):
            config = _others_stated(limit.config, each)
            limit = limit if config is limit.config else replace(limit, config=config)
    except msgspec.ValidationError as error:
        return Held(each, problem=f"{each.gate}: no limit can be {each.limit} ({error})")
    if limit.config is None:
        off = msgspec.structs.replace(each, verdict=Verdict.SKIP, blocking=False)
        return Held(each if each.verdict is Verdict.SKIP and not each.blocking else off)
    if (
        each.verdict is Verdict.SKIP
        and not each.blocking
        and (_nothing(each, limit, variant, leg) or not holds(limit, variant.id, None if leg.rules.source else each.details))
    ):
        return Held(each)
    blocking = limit.config.blocks
    number = each.limit if number is None else number
    same = number == each.limit and blocking == each.blocking and not loosened
    if confirmed and same:
        return Held(each)
    if each.verdict is Verdict.SKIP and of_testing(owner):
        # Another passes already, or this one does not: what a skipped variant means is for its target to say.
        again = Held(each)
    elif limit.gate.BASIS in RECOMPUTED:
        again = _recomputed(each, limit, variant, leg)
    else:
        again = _by_bounds(each, limit, number, variant, leg)
    if again.problem or (same and again.gate is each):
        return again
    said = " and ".join(filter(None, [again.said, f"{loosened}, which {limit.where} does not" if loosened else ""]))
    return Held(msgspec.structs.replace(again.gate, blocking=blocking, limit=number), said)


def _nothing(each: GateResult, limit: Limit, variant: VariantReport, leg: LegEvidence) -> bool:
    """Whether there was nothing that the gate could judge, as far as the report shows."""
    nothing = getattr(limit.gate, "nothing", None)
    measured = variant.artifact is not None and each.observed is None and each.lower is None and each.upper is None
    told = told_of(each, variant, leg, leg.rules.whole)
    return measured and nothing is not None and bool(asked_of(nothing, False, told))


def told_of(each: GateResult, variant: VariantReport, leg: LegEvidence, whole: bool = False) -> Told:
    """What a report holds for a gate: of one on another evaluation set what it holds of that set, and nothing of the main one."""
    about = leg.leg
    if name := set_of(each.gate):
        variant = msgspec.structs.replace(variant, quality=variant.also.get(name))
        about = msgspec.structs.replace(about, basis=about.also.get(name))
    return Told(each, variant, about, leg.alpha_at_load, whole)


def asked_of(hook: Callable[..., T], otherwise: T, *told: object) -> T:
    """What a gate reads out of a report; `otherwise` where a stranger wrote things that cannot be counted with."""
    try:
        return hook(*told)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return otherwise


def _stricter(
    owner: str, stated: float | None, blocking: bool, disabled: bool, asked: Limit | None
) -> tuple[Limit, float | None, str]:
    """What a result is held to, as a number too, and what it says of that in its own favour."""
    module = gate(owner)
    own = None if disabled else _config(owner, stated, blocking)
    if asked is None or asked.config is None:  # what a file switches off may be on in a stricter one
        return Limit(owner, module, own, ""), _number(own, owner), ""
    if own is None:
        return asked, _number(asked.config, owner), "says that it is disabled"
    config, wanted, number, said = asked.config, _number(asked.config, owner), _number(own, owner), []
    if wanted is None or number is None:
        if wanted != number:
            said.append("says the limit is the baseline's" if number is None else f"says the limit is {number:g}")
    elif (number > wanted) if module.BOUND == "at_least" else (number < wanted):
        config = msgspec.structs.replace(config, **{module.limit_key: getattr(own, module.limit_key)})
    elif number != wanted:
        said.append(f"says the limit is {number:g}")
    if config.blocks and not blocking:
        said.append("says that it does not block")
    elif not config.blocks and blocking:
        config = msgspec.structs.replace(config, on_fail="fail")
    return Limit(owner, module, config, asked.where), _number(config, owner), " and ".join(said)


def _number(config: GateConfig | None, owner: str) -> float | None:
    """A limit as it is compared; None where there is none, or it is measured."""
    value = None if config is None else getattr(config, gate(owner).limit_key)
    return None if value is None else as_number(value)


def stated_config(each: GateResult, owner: str) -> Any:
    """The limit that a result states, as the file would."""
    return _config(owner, None if each.measured_limit else each.limit, True)


def _config(owner: str, stated: float | None, blocking: bool) -> Any:
    """The limit that a result states, as the file would; what else its gate may limit is at its default."""
    module = gate(owner)
    values: dict[str, Any] = {"on_fail": "fail" if blocking else "warn"}
    if stated is not None:
        values[module.limit_key] = f"{int(stated)}B" if module.UNIT == "bytes" else _plain(stated)
    return msgspec.convert(values, module.Config)


def _others_stated(config: GateConfig, each: GateResult) -> GateConfig:
    """The config with what else a result says that its gate limits, where no file does."""
    if not each.details:
        return config
    own = {name: each.details[name] for name in config.__struct_fields__ if name in each.details and name != "on_fail"}
    return msgspec.convert(msgspec.to_builtins(config) | own, type(config)) if own else config


def _plain(value: float) -> float | int:
    """Whole where it is: reports hold every limit as a fraction, also one that is a count."""
    return int(value) if value.is_integer() else value


def _recomputed(each: GateResult, limit: Limit, variant: VariantReport, leg: LegEvidence) -> Held:
    """Judged on the evidence itself."""
    if limit.gate.BASIS == "rounds":
        rounds = variant.performance.rounds if variant.performance else []
        if not (rounds and leg.baseline):
            return _without(each, "its report holds no rounds to judge it by")
        if lost := _lost(rounds, leg):
            return Held(each, problem=f"{each.gate}: {lost}")
        evidence = raced(each, rounds, variant.artifact, leg)
    elif variant.artifact is None:
        return _without(each, "its report holds no artifact to judge it by")
    else:
        checks = variant.tested.checks if variant.tested else []
        if limit.gate.BASIS == "checks" and (why := _uncounted(each, limit, checks, leg.rules)):
            return _without(each, why)
        evidence = Evidence(artifact=variant.artifact, checks=checks, name=variant.id)
    decision = limit.gate.judge(limit.config, evidence)  # type: ignore[arg-type]
    if apart := _apart(each, decision):
        return Held(each, problem=f"{each.gate}: {apart}")
    if decision.verdict is each.verdict:
        return Held(each)
    if each.verdict is Verdict.SKIP:
        return Held(each, problem=f"{each.gate}: it says skip, and nothing in its leg says why")
    return Held(judge_gate(limit, evidence, decision), f"says {each.verdict}, and what it measured says {decision.verdict}")


def _lost(rounds: Sequence[RoundData], leg: LegEvidence) -> str:
    """A round in which only the variant was measured, in words."""
    for arm, own in (("baseline", leg.baseline), ("control", leg.control)):
        if own and (lost := [each.round for each in rounds if each.round not in own]):
            return f"the {arm} was not measured in its round {lost[0]}"
    return ""


def _uncounted(each: GateResult, limit: Limit, checks: Sequence[Check], rules: Rules) -> str:
    """Which checks a report has left out, in words."""
    kind = counted_checks(limit.name)
    own = [check for check in checks if check.kind == kind]
    if gone := lost(own, rules.checks(tested_by(limit.name))):
        more = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
        return f"its report says nothing of {', '.join(gone[:MOST_NAMED])}{more}, which every run at this level tests"
    stated = each.details.get(CHECKS)
    if stated != len(own) and (rules.whole or stated is not None) and each.verdict is not Verdict.ERROR:
        return f"its report holds {len(own)} checks of {'an unknown number' if stated is None else stated}"
    return ""


def raced(each: GateResult, rounds: list[RoundData], artifact: Artifact | None, leg: LegEvidence) -> Evidence:
    """What a gate on rounds is judged on; the control of an earlier version's report is what that says of it."""
    return Evidence(
        artifact=artifact or NONE,
        baseline=[leg.baseline[own.round] for own in rounds],
        variant=rounds,
        control=[leg.control[own.round] for own in rounds] if leg.control else [],
        alpha=leg.alpha(len(rounds)),
        effort=Effort(max_rounds=leg.max_rounds, attempt=leg.leg.attempt),
        untimed=leg.untimed or None,
        copy=None if leg.control or metered(each.gate) else _copy(each.control),
        energy=leg.leg.energy or Energy(),
    )


def _without(each: GateResult, reason: str) -> Held:
    """Nothing to judge by: no better than an error."""
    verdict = all_of([each.verdict, Verdict.ERROR])
    if verdict is each.verdict:
        return Held(each)
    return Held(msgspec.structs.replace(each, verdict=verdict, reason=reason, brief=""), f"says {each.verdict}, and {reason}")


def _copy(control: Control | None) -> Interval | None:
    """What a report of an earlier version, which kept no rounds of it, says of the control."""
    if control is None or control.lower is None or control.upper is None or not 0 < control.lower <= control.upper:
        return None
    observed = control.observed if control.observed is not None else (control.lower * control.upper) ** 0.5
    return Interval(observed=observed, lower=control.lower, upper=control.upper)


def _apart(each: GateResult, decision: Decision) -> str:
    """How bounds that are stated differ from those of their own rounds; empty where they do not."""
    for name in ("lower", "upper"):
        stated, own = getattr(each, name), getattr(decision, name)
        if stated is None or (own is not None and abs(stated - own) <= AGREE * max(abs(stated), abs(own), AGREE)):
            continue
        shown = "have none" if own is None else f"say {own:.6g}"
        return f"its {name} bound is {stated:.6g}, and its own measurements {shown}"
    return ""


def _by_bounds(each: GateResult, limit: Limit, bound: float | None, variant: VariantReport, leg: LegEvidence) -> Held:
    """Judged on bounds, and on what else the gate finds in the report; never better than it says itself."""
    again = getattr(limit.gate, "again", None)
    told = told_of(each, variant, leg, leg.rules.whole)
    bounded = _bounded(each, limit.gate.BOUND, bound)
    own = None
    if again is not None and each.verdict is not Verdict.ERROR:
        own = asked_of(again, Verdict.ERROR, limit.config, told)
    verdict = all_of([each.verdict, own or bounded])
    if verdict is each.verdict:
        return Held(each)
    if own is Verdict.ERROR:
        return _without(
            each, "its report does not hold the numbers that it is judged by, or too few, or they do not fit together"
        )
    ends = " to ".join("open" if end is None else f"{end:.6g}" for end in (each.lower, each.upper))
    reason = f"bounds of {ends} with a limit of {'none' if bound is None else f'{bound:g}'}: {verdict}"
    return Held(
        msgspec.structs.replace(each, verdict=verdict, reason=reason, brief=""),
        f"says {each.verdict}, and its own numbers say {verdict}",
    )


def _bounded(each: GateResult, side: str, limit: float | None) -> Verdict:
    """What bounds show; what has neither was not measured, or is undecided where something was seen."""
    if each.lower is None and each.upper is None:
        return Verdict.ERROR if each.observed is None else Verdict.INCONCLUSIVE
    if limit is None:
        return Verdict.ERROR
    good, bad = (each.lower, each.upper) if side == "at_least" else (each.upper, each.lower)
    sign = 1 if side == "at_least" else -1
    if good is not None and sign * good >= sign * limit:
        return Verdict.PASS
    return Verdict.FAIL if bad is not None and sign * bad < sign * limit else Verdict.INCONCLUSIVE
