"""What `frameworks: auto` and `techniques: auto` choose, with the reason of each choice, from the tables beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.hardware.selection import hardware
from gatekeeper.models.info import Assessment
from gatekeeper.planning.selection.kinds import is_multimodal, kind_of, reads_text
from gatekeeper.planning.selection.requirements import ORDERS, met, said
from gatekeeper.planning.selection.techniques import rows
from gatekeeper.planning.selection.tree import Case, decide
from gatekeeper.records.wish import Rule

FEWEST, MOST = 2, 3
"""Frameworks that are tried where that many can take the model: one alone says nothing of the others."""


@dataclass(frozen=True)
class Advice:
    """A framework for a model on a target, why it is where it is in the order, and why it cannot be used, if it cannot."""

    framework: str
    because: str
    cannot: str = ""
    rule: bool = False  # the decision tree or the platform matrix names it for this case


def rule_of(target: str, model: Assessment, enterprise: bool = False) -> Rule:
    """What the decision tree starts with."""
    names, because = decide(_case(target, model, enterprise))
    return Rule(framework=names[0], because=because, also=list(names[1:]))


def advice(
    target: str, model: Assessment, device: str, calibrated: bool = True, goal: str = "", needs: Sequence[str] = ()
) -> list[Advice]:
    """Every framework in the order in which to try it: the decision tree, the platform matrix, then the order of priorities.

    `goal` is a key of ORDERS; `needs` are requirements, the frameworks that meet them best being first among those that can.
    """
    reasons: dict[str, tuple[str, bool]] = {}
    for name, because, rule in _reasons(target, model, goal):
        reasons.setdefault(name, (because, rule))
    listed = [
        Advice(
            name,
            "; ".join(filter(None, [because, said(name, needs)])),
            cannot(name, model, device, calibrated, auto=True),
            rule,
        )
        for name, (because, rule) in reasons.items()
    ]
    return sorted(listed, key=lambda each: (bool(each.cannot), met(each.framework, needs)))


def _reasons(target: str, model: Assessment, goal: str) -> Iterator[tuple[str, str, bool]]:
    names, because = decide(_case(target, model, goal == "enterprise"))
    yield from ((name, because, True) for name in names)
    module = hardware(target)
    yield module.PRIMARY, f"first on {module.DESCRIPTION}: {module.SPECIAL}", True
    yield module.SECOND, f"second on {module.DESCRIPTION}", True
    order = goal or "enterprise"
    yield from ((name, f"{_place(i)} in the order for {order}", False) for i, name in enumerate(ORDERS[order]))
    yield "onnx_runtime", "lightweight and cross-platform", False
    yield from ((name, "installed here", False) for name in REGISTRY.names)


def _place(index: int) -> str:
    return ("first", "second", "third", "fourth")[index]


def _case(target: str, model: Assessment, enterprise: bool) -> Case:
    return Case(target, model.parameters, reads_text(model), is_multimodal(model), enterprise)


def cannot(name: str, model: Assessment, device: str, calibrated: bool, auto: bool = False) -> str:
    """Why a framework is no choice for a model on a device; empty where it is one."""
    if name not in REGISTRY.names:
        return "this version of gatekeeper cannot run it"
    module = framework(name)
    if reason := module.supports(model.format, device):
        return reason
    asked = [each for each, _ in techniques(name, model, device, (), calibrated)] if auto else list(module.TECHNIQUES)
    refused = [module.refuses(each, model, calibrated) for each in asked]
    return "" if any(reason is None for reason in refused) else next((str(reason) for reason in refused), "it has no technique")


def frameworks(target: str, model: Assessment, device: str, calibrated: bool) -> dict[str, str]:
    """Framework -> why `auto` takes it: those of the rules that can, and others in order where fewer than two can."""
    able = [each for each in advice(target, model, device, calibrated) if not each.cannot]
    taken = [each for each in able if each.rule] or able[:1]
    taken += [each for each in able if each not in taken][: max(0, FEWEST - len(taken))]
    return {each.framework: each.because for each in taken[:MOST]}


def techniques(name: str, model: Assessment, device: str, isa: tuple[str, ...], calibrated: bool) -> list[tuple[str, str]]:
    """(technique, why `auto` takes it) of a framework: the first row of which one applies to the model, else its own defaults."""
    module = framework(name)
    fitting = rows(name, kind_of(model), isa, device)
    for row in fitting:
        if any(module.refuses(each, model, calibrated) is None for each in row.techniques):
            return [(each, row.because) for each in row.techniques]
    own = fitting[0].techniques if fitting else module.defaults(model.format, device)
    return [(each, fitting[0].because if fitting else f"what {name} itself suggests") for each in own]
