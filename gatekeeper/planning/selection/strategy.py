"""What is recommended for a model on a target: which framework first, asked for what, which then, and why."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.frameworks._base import framework
from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.selection import hardware
from gatekeeper.models.info import Assessment
from gatekeeper.planning.selection.auto import Advice, advice, rule_of, techniques
from gatekeeper.planning.selection.techniques import unified
from gatekeeper.records.base import Record
from gatekeeper.records.wish import Rule


class Recommended(Record, frozen=True, kw_only=True):
    """A framework, and what of it applies to the model; `cannot` says why it cannot take this model to this hardware."""

    framework: str
    because: str
    cannot: str = ""
    techniques: list[str] = []
    why: str = ""


class Strategy(Record, frozen=True, kw_only=True):
    """`rule` is what the decision tree says of the case, `unified` the unified quantization strategy (framework and technique),
    whether or not that framework can take the model. Where none can, the rule's is recommended, and says why it cannot.
    """

    target: str
    rule: Rule
    unified: str
    recommended: Recommended
    then: list[Recommended]


def strategy(target: str, model: Assessment, goal: str = "", needs: Sequence[str] = ()) -> Strategy:
    """The strategy for a model on a kind of hardware; instruction sets are this machine's where it is such hardware."""
    device = hardware(target).DEVICE
    isa = this_machine().isa if hardware(target).absent(this_machine()) is None else ()
    every = [_recommended(each, model, device, isa) for each in advice(target, model, device, True, goal, needs)]
    rule = rule_of(target, model, enterprise=goal == "enterprise")
    ruled = next(each for each in every if each.framework == rule.framework)
    first = next((each for each in every if not each.cannot), ruled)
    then = [each for each in every if each is not first]
    said = " ".join(filter(None, unified(target)))
    return Strategy(target=target, rule=rule, unified=said, recommended=first, then=then)


def _recommended(each: Advice, model: Assessment, device: str, isa: tuple[str, ...]) -> Recommended:
    if each.cannot:
        return Recommended(framework=each.framework, because=each.because, cannot=each.cannot)
    module = framework(each.framework)
    asked = [
        (name, why)
        for name, why in techniques(each.framework, model, device, isa, calibrated=True)
        if module.refuses(name, model, calibrated=True) is None
    ]
    return Recommended(
        framework=each.framework,
        because=each.because,
        techniques=[name for name, _ in asked],
        why=asked[0][1] if asked else "",
    )
