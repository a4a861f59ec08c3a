"""`gates`: the limits a variant must hold; a field for each gate there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.config.named import check_outputs
from gatekeeper.config.section import make_section
from gatekeeper.config.source import Path_
from gatekeeper.config.suited import check_suited
from gatekeeper.gates._base import gate, of_tensors, tested_by
from gatekeeper.gates._base import names as gate_names

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


def _gate_fields() -> list[tuple[str, Any, Any]]:
    """One field per gate."""
    fields: list[tuple[str, Any, Any]] = []
    for name in gate_names():
        module = gate(name)
        kind = Annotated[module.Config | Literal["disabled"] | None, Meta(description=module.DESCRIPTION)]  # type: ignore[name-defined]
        fields.append((name, kind, None))
    return fields


_FIELDS = _gate_fields()
TargetGates = make_section("TargetGates", "Limits that differ on one target.", _FIELDS)
Gates = make_section(
    "Gates",
    "The limits a variant must hold.",
    [
        *_FIELDS,
        (
            "require",
            Annotated[
                Literal["best", "all"],
                Meta(description="`best`: each target needs one variant that passes every gate; `all`: every variant must."),
            ],
            "best",
        ),
        (
            "on_inconclusive",
            Annotated[
                Literal["fail", "warn"],
                Meta(description="What an undecided gate does to the exit code: 3 (`fail`) or 0 (`warn`)."),
            ],
            "fail",
        ),
        (
            "new_files",
            Annotated[
                Literal["held", "refused", "own"] | None,
                Meta(
                    description="At the base of a change: what holds a pipeline file that is not there under its name. `held` "
                    "(where none says otherwise): the limits of the file there that is of the same model, and of another model "
                    "none is taken; `refused`: none at all is; `own`: of another model its own limits hold. Of several the "
                    "strictest."
                ),
            ],
            None,
        ),
    ],
)


DISABLED = "disabled"


def problems(review: Review) -> None:
    """Limits that contradict one another, and gates that nothing would measure."""
    same_limits(review)
    places: list[Path_] = [("gates",), *(("targets", i, "gates") for i in range(len(review.pipeline.targets)))]
    for place in places:
        for name, said in (review.loaded.stated(*place) or {}).items():
            if said != DISABLED and name in gate_names() and review.loaded.unmeasured(name):
                review.add((*place, name), f"{name} {_why_not(review, name)}, or remove this.", key=True)
            elif isinstance(said, dict) and name in gate_names():
                check_outputs(review, (*place, name, "ignore"), said.get("ignore", ()))
                check_suited(review, (*place, name), name, said)


def same_limits(review: Review) -> None:
    """A limit that has two names in the file and is given under both."""
    gates = review.loaded.stated("gates") or {}
    for name, path in same_as().items():
        value, said = review.loaded.stated(*path), gates.get(name)
        if value is None or said is None:
            continue
        key = gate(name).limit_key
        if said == DISABLED:
            review.add(("gates", name), f"disabled here, but {'.'.join(path)} asks for {value}. Remove one.")
        elif said.get(key) not in (None, value):
            both = f"{said[key]} here, but {'.'.join(path)} says {value}"
            review.add(("gates", name, key), f"{both}: they are the same limit. Keep one.")


def same_as() -> dict[str, tuple[str, ...]]:
    """Gates whose limit also has another name in the file, where the source workflow has it."""
    return {name: path for name in gate_names() if (path := getattr(gate(name), "SAME_AS", None))}


def _why_not(review: Review, name: str) -> str:
    """Why the tests that measure a gate do not run, and what would make them."""
    from gatekeeper.config.loaded import OFF, TESTING, why_unmeasured

    if of_tensors(name):
        return "compares outputs on an evaluation set, and there is none of such outputs. Name one with `dataset.path`"
    kind = tested_by(name)
    needed = f"is measured by {TESTING}.{kind}"
    if TESTING not in review.pipeline.stages:
        return f"{needed}, but the stage '{TESTING}' is not listed. Add it to `stages`, set a level"
    if getattr(review.loaded.section(TESTING), kind) == OFF:
        return f"{needed}, but {TESTING}.{kind} is off. Set a level"
    return why_unmeasured(review.loaded, kind, name)
