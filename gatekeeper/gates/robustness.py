"""Under declared corruptions the variant keeps at least `retention` of what the baseline has under the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.data.corruptions._base import REGISTRY, Corruption, fitting
from gatekeeper.gates import accuracy
from gatekeeper.gates._base import GateConfig, Told, unmeasured
from gatekeeper.gates._corruptions import WithOptions, all_of, as_written, of
from gatekeeper.gates._counted import agree, finite, right_or_wrong, same
from gatekeeper.records.base import Verdict
from gatekeeper.records.corrupted import Arrived
from gatekeeper.records.gates import Decision, GateResult

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment
    from gatekeeper.records.evidence import Corrupted, Evidence

DESCRIPTION = "Under declared corruptions the variant keeps at least this fraction of the baseline's accuracy under the same."
UNIT = "fraction"
BOUND: Literal["at_least"] = "at_least"
BASIS: Literal["scores"] = "scores"
limit_key = "retention"

UNDER = "under"
"""The key of a gate's details that holds what was found under each corruption."""
TOKENS, LONGER = "kl_mean", 2
"""What is told of a text alone, whose windows are of tokens: mistyped it has more of them, though seldom twice as many."""
BAD = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)

if TYPE_CHECKING:
    Named = Any
else:
    Named = Literal[REGISTRY.names] | WithOptions


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the robustness gate, and under what it holds."""

    retention: Annotated[
        float,
        Meta(gt=0, le=1, description="Least fraction of the baseline's accuracy under a corruption that must be kept under it."),
    ] = 0.9
    corruptions: Annotated[
        tuple[Named, ...],
        Meta(description="Each by its name, or as `{blur: {radius: 2}}`; the variant must keep as much under every one."),
    ] = ()
    seed: Annotated[int, Meta(ge=0, description="Decides what noise is drawn; the same for every model.")] = 0


DEFAULT = None


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if it would pass the accuracy gate under every corruption, each at the gate's whole level: all of them must hold, so
    that a wrong pass takes being wrong of one that does not (an intersection-union test; there is nothing to share out).
    """
    comparison = evidence.comparison
    if comparison.error or comparison.corrupted is None:
        return unmeasured(comparison.error or "nothing was asked under corruptions")
    if comparison.alone:
        return unmeasured("there is no baseline, of whose accuracy under corruptions something could be kept")
    wanted = all_of(config.corruptions)
    if not wanted:
        return unmeasured("no corruption is named. Name some with `gates.robustness.corruptions`")
    found = {each.label: _one(config, evidence, comparison.corrupted.get(each.label)) for each in wanted}
    details: dict[str, Any] = {
        "corruptions": as_written(config.corruptions),
        "seed": config.seed,
        UNDER: {label: told for label, (_, told) in found.items()},
    }
    verdicts = {label: decision.verdict for label, (decision, _) in found.items()}
    verdict = next((bad for bad in BAD if bad in verdicts.values()), Verdict.PASS)
    worst = _worst(details[UNDER])
    if verdict is Verdict.PASS:
        label = worst["label"]
        reason = f"under {', '.join(verdicts)}; least under {label}: {found[label][0].reason}"
        brief = f"keeps at least {worst['lower']:.1%} under {'each of ' if len(found) > 1 else ''}{', '.join(verdicts)}"
    else:
        reason = "; ".join(f"under {label}: {found[label][0].reason}" for label, own in verdicts.items() if own is verdict)
        brief = ""
    return Decision(
        verdict=verdict,
        reason=reason,
        brief=brief,
        observed=worst.get("observed"),
        lower=worst.get("lower"),
        upper=worst.get("upper"),
        details=details,
    )


def stricter(field: str, here: Any, before: Any) -> bool:
    """More corruptions ask for more; of seeds none does."""
    return field == "corruptions" and {each.label for each in all_of(here)} >= {each.label for each in all_of(before)}


def unsuited(config: Config, model: Assessment, task: str | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Corruptions that cannot act on a model, and those that can; by the place of each below the gate."""
    able = fitting(model.inputs, model.text is not None, task)
    fits = f"This model's inputs take {', '.join(able)}." if able else "None acts on this model's inputs: remove the gate."
    if not config.corruptions:
        yield ("corruptions",), f"robustness names no corruption. {fits}"
    seen: set[str] = set()
    for i, said in enumerate(config.corruptions):
        found = of(said)
        if len(found) != 1:
            yield (
                ("corruptions", i),
                f"{'several corruptions' if found else 'no corruption'} in one entry. Give each its own.",
            )
        for each in found:
            if each.label in seen:
                yield ("corruptions", i), f"{each.label} is named twice. Remove one."
            elif each.name not in able:
                yield ("corruptions", i), f"{each.name} cannot act on this model. {fits}"
            seen.add(each.label)


def _one(config: Config, evidence: Evidence, under: Corrupted | None) -> tuple[Decision, dict[str, Any]]:
    """The accuracy gate's decision under one corruption, and what of it a report holds."""
    if under is None:
        return unmeasured("it was not asked"), {}
    limit, compared = accuracy.Config(retention=config.retention), under.comparison
    if compared.error and compared.scores is not None:
        return unmeasured(f"{compared.error} Under it nothing can be kept: choose a milder one"), {}
    decision = accuracy.judge(limit, replace(evidence, comparison=compared))
    arrived = under.arrived
    if arrived is None or not arrived.enough:
        decision = decision if decision.verdict in (Verdict.FAIL, Verdict.ERROR) else unmeasured(_unreached(arrived))
    told = decision.details | (arrived.reported() if arrived else {}) | {"reason": decision.reason}
    bounds = {key: finite(getattr(decision, key)) for key in ("observed", "lower", "upper")}
    return decision, told | bounds


def _unreached(arrived: Arrived | None) -> str:
    return f"it did not reach the model: {arrived.lacking}" if arrived else "it did not reach the model"


def _worst(under: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of all corruptions the one whose lower bound is the least, with its label; nothing where one has none."""
    if not under or any(each.get("lower") is None for each in under.values()):
        return {}
    label = min(under, key=lambda name: under[name]["lower"])
    return {**under[label], "label": label}


def again(config: Config, told: Told) -> Verdict | None:
    """Every corruption is judged again by its own counts: none may be missing, or not have arrived."""
    under = told.gate.details[UNDER]
    if not told.gate.details or not isinstance(under, dict):
        return Verdict.ERROR
    wanted = all_of(config.corruptions)
    if not wanted or not {each.label for each in wanted} <= under.keys() or told.gate.details.get("seed") != config.seed:
        return Verdict.ERROR
    found = [_one_again(config, told, each) for each in under.values()]
    if verdict := next((bad for bad in BAD if bad in found), None):
        return verdict
    worst = _worst(under)
    stated = (told.gate.observed, told.gate.lower, told.gate.upper)
    if not worst or not all(map(same, stated, (worst["observed"], worst["lower"], worst["upper"]))):
        return Verdict.ERROR
    return Verdict.PASS


def share(told: Told) -> float:
    """Of the corruption that is the least sure: all of them must hold."""
    under = told.gate.details[UNDER]
    return max(accuracy.share(replace(told, gate=_as_gate(told.gate, each))) for each in under.values())


def _one_again(config: Config, told: Told, each: dict[str, Any]) -> Verdict | None:
    """As the accuracy gate judges again, and the bounds where counts tell them; no corruption makes examples."""
    gate, limit = _as_gate(told.gate, each), accuracy.Config(retention=config.retention)
    of, by, unit = int(each["of"]), float(each["by"]), str(each["by_unit"])
    still, answered = [str(name) for name in each["still"]], each["answered"]
    arrived = Arrived(changed=int(each["changed"]), examples=of, by=by, unit=unit, still=still, answered=answered)
    quality = told.variant.quality
    examples = each["examples"]
    most = 0 if quality is None else quality.examples * (LONGER if TOKENS in each else 1)
    if quality is None or not 0 < examples <= most or not arrived.enough:
        return Verdict.ERROR
    if each["metric"] != quality.metric:
        return Verdict.ERROR
    if (own := accuracy.again(limit, replace(told, gate=gate, whole=True))) is not None:
        return own
    if not agree(each, each) or not _as_many(each, told, examples):
        return Verdict.ERROR
    lower, upper = float(each["lower"]), math.inf if each["upper"] is None else float(each["upper"])
    if lower >= config.retention and lower <= float(each["observed"]) <= upper:
        return Verdict.PASS
    return Verdict.FAIL if upper < config.retention else Verdict.INCONCLUSIVE


def _as_many(each: dict[str, Any], told: Told, examples: int) -> bool:
    """Whether examples and copies are together as many as those of the set itself; of texts that are cut there may be more."""
    quality, basis = told.variant.quality, told.leg.basis
    if TOKENS in each or quality is None or not right_or_wrong(each["metric"]):
        return True
    return examples + int(each.get("copies", 0)) == quality.examples + (basis.copies if basis else 0)


def _as_gate(gate: GateResult, each: dict[str, Any]) -> GateResult:
    """What the accuracy gate would have said under one corruption."""
    bounds = {key: each.get(key) for key in ("observed", "lower", "upper")}
    name = "agreement" if each.get("metric") == "agreement" else "accuracy"
    return msgspec.structs.replace(gate, gate=name, details=each, **bounds)


def corruptions_of(config: Config) -> list[Corruption]:
    """What is to be asked."""
    return all_of(config.corruptions)
