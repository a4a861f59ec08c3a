"""`targets`: the hardware that the model must run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import FrameworkName, HardwareName, NonEmpty, Section, Threads
from gatekeeper.config.sections.gates import TargetGates
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.hardware.selection import DEVICES, hardware
from gatekeeper.models.files import model_format

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


class Target(Section, frozen=True, kw_only=True):
    """One kind of hardware the model must run on, and the runner that has it."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            max_length=64,
            description="Your name for it, unique whatever the capitals: letters from A to Z and digits, then . _ - too.",
        ),
    ]
    hardware: Annotated[HardwareName, Meta(description="Kind of hardware.")]
    runs_on: Annotated[
        NonEmpty | Annotated[list[NonEmpty], Meta(min_length=1)], Meta(description="GitHub runner label, or a list of labels.")
    ] = "ubuntu-latest"
    threads: Annotated[Threads | None, Meta(description="Threads of every model; default: the machine's physical cores.")] = None
    hint: Annotated[
        Literal["latency", "throughput"], Meta(description="What OpenVINO tunes a model for: one request, or many at once.")
    ] = "latency"
    fallback: Annotated[
        Literal["none", "cpu"],
        Meta(description="`cpu`: where the hardware is missing, run on the CPU and say so; `none`: that is an error."),
    ] = "none"
    frameworks: Annotated[
        list[FrameworkName], Meta(description="Frameworks for this target; default: those of `optimization`.")
    ] = []
    gates: Annotated[
        TargetGates | None,  # type: ignore[valid-type]
        Meta(description="Limits that differ on this target, same keys as `gates`."),
    ] = None


def problems(review: Review) -> None:
    """Names that are taken, and hardware that no framework takes the model to."""
    names: dict[str, str] = {}
    for i, target in enumerate(review.pipeline.targets):
        if (other := names.get(target.name.casefold())) is not None:
            how = "Names must differ" if other == target.name else f"There is '{other}': names must differ by more than capitals"
            review.add(("targets", i, "name"), f"the target name '{target.name}' is already taken. {how}.")
        names[target.name.casefold()] = target.name
        _supported(review, i, target)


def _supported(review: Review, index: int, target: Target) -> None:
    path = review.loaded.model_path()
    kind = model_format(path) if path else None
    frameworks = review.loaded.frameworks(target)
    if kind is None or not frameworks or any(name not in FRAMEWORKS.names for name in frameworks):
        return
    device = hardware(target.hardware).DEVICE
    if device not in DEVICES and target.fallback == "cpu":  # nobody's framework need know it
        device = "cpu"
    reasons = {name: framework(name).supports(kind, device) for name in frameworks}
    if all(reasons.values()):
        able = [name for name in FRAMEWORKS.names if framework(name).supports(kind, device) is None]
        remedy = " Remove the target, or give the model another format."
        if device not in DEVICES:
            remedy = " Say `fallback: cpu` to run it on the CPU, which the report then says."
        elif able:
            remedy = f" Add {' or '.join(able)} to the frameworks."
        said = f"no listed framework supports {target.hardware}: {'; '.join(str(r) for r in reasons.values())}.{remedy}"
        review.add(("targets", index, "hardware"), said)
