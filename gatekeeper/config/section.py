"""What sections of the pipeline file are made of: their base, and the kinds of value that several have.

A section belongs to whoever it steers: a stage, a gate, a kind of check, a load profile; `types.py` puts them together. Field
docstrings (`Meta(description=...)`) are what users read in their editor and in docs/pipeline-reference.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.hardware.selection import TARGETS
from gatekeeper.records.base import FRAMEWORKS as KNOWN_FRAMEWORKS
from gatekeeper.units import DURATION_PATTERN, SIZE_PATTERN

AUTO: Literal["auto"] = "auto"
"""In place of frameworks or techniques: planning chooses them."""

Switch = Literal["enabled", "disabled"]
Need = Literal["required"]
Function = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", examples=["my_package.data:load"])]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="Of 64 hexadecimal digits, as sha256sum prints it.")]
NonEmpty = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]
Threads = Annotated[int, Meta(ge=1, le=1024)]
Share = Annotated[float, Meta(gt=0, le=1)]
Size = Annotated[str, Meta(pattern=SIZE_PATTERN, examples=["50MB", "<50MB", "48MiB"])]
Duration = Annotated[str, Meta(pattern=DURATION_PATTERN, examples=["90s", "10m", "1h"])]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: unknown keys are errors."""


def one_of(names: Sequence[str]) -> Any:
    """The type of a value that is one of these names, which are only known when a folder has been listed."""
    return Literal[tuple(names)]


def known_frameworks() -> list[str]:
    """Frameworks the pipeline file may name, whether or not this version can run them."""
    return sorted({*KNOWN_FRAMEWORKS, *FRAMEWORKS.names})


if TYPE_CHECKING:
    FrameworkName = str
    HardwareName = str
else:
    FrameworkName = one_of(known_frameworks())
    HardwareName = one_of(TARGETS.names)


Fields = Sequence[tuple[str, Any] | tuple[str, Any, Any]]
"""(name, type) or (name, type, default) of each."""


def make_section(name: str, description: str, fields: Fields, base: type[Section] = Section) -> Any:
    """A section whose fields are only known when a folder has been listed."""
    return msgspec.defstruct(
        name,
        fields,
        bases=(base,),
        namespace={"__doc__": description},
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
