"""Names of what is measured: a leg is `target/framework`, a variant `target/framework/technique`.

The original model of a leg goes by `target/framework/baseline`. A gate on one of several evaluation sets is `gate/set`.
"""

from __future__ import annotations

BASELINE = "baseline"
"""What the original model is called among the variants of its leg."""
PROPOSED = "proposed"
"""What the model itself is called where it is judged as a variant is: against an earlier one, or against none."""


def leg_id(target: str, framework: str) -> str:
    """The leg of a target and a framework."""
    return f"{target}/{framework}"


def variant_id(leg: str, technique: str) -> str:
    """A variant of a leg."""
    return f"{leg}/{technique}"


def baseline_id(leg: str) -> str:
    """The original model in a leg."""
    return f"{leg}/{BASELINE}"


def target_of(name: str) -> str:
    """The target of a leg or a variant."""
    return name.partition("/")[0]


def framework_of(name: str) -> str:
    """The framework of a leg or a variant."""
    return name.split("/")[1] if "/" in name else ""


def technique_of(name: str) -> str:
    """What of a variant's name its leg does not say."""
    return "/".join(name.split("/")[2:]) or name


def leg_of(name: str) -> str:
    """The leg of a variant; a leg is its own."""
    return "/".join(name.split("/", 2)[:2])


def belongs(variant: str, leg: str) -> bool:
    """Whether a variant, or a baseline, is of a leg."""
    return leg_of(variant) == leg


def is_baseline(name: str) -> bool:
    """Whether this is the original model of a leg: a technique may be called what it likes."""
    return name.split("/")[2:] == [BASELINE]


def of_target(name: str, target: str) -> str:
    """The whole name of what may have been written without its target, `framework/technique`."""
    return name if name.startswith(f"{target}/") else f"{target}/{name}"


def within_target(name: str, target: str) -> str:
    """A variant's name without its target, where people write it that way."""
    return name.removeprefix(f"{target}/")


def file_name(name: str) -> str:
    """A name for files and folders."""
    return name.replace("/", "__")


def artifact_name(name: str) -> str:
    """A name for artifacts of GitHub Actions, which take no slash."""
    return name.replace("/", ".")


def on_set(gate: str, name: str) -> str:
    """A gate on an evaluation set of that name; on the main one, which has none, the gate itself."""
    return f"{gate}/{name}" if name else gate


def set_of(gate: str) -> str:
    """The evaluation set that a gate is judged on; empty for the main one."""
    return gate.partition("/")[2]


def without_set(gate: str) -> str:
    """A gate, whichever set it is judged on."""
    return gate.partition("/")[0]
