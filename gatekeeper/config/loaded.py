"""A valid pipeline file, with the text it came from and the policy it is held to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.config.section import AUTO
from gatekeeper.config.sections.targets import Target
from gatekeeper.config.sections.techniques import Asked, asked_of
from gatekeeper.config.source import ROOT as ROOT
from gatekeeper.config.source import Source
from gatekeeper.config.types import Common
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.gates._base import KINDS, of_tensors, tested_by
from gatekeeper.models.files import digest, model_format

if TYPE_CHECKING:
    from gatekeeper.config.base import Base

OFF = "off"
TESTING = "testing"
"""The stage whose kinds of check measure gates of their own."""

TIMES = (("model_validation", "performance_baseline"), ("optimization", "validation", "performance_comparison"))
"""Keys that ask for times, where a file has them."""

DEFAULT_TARGET = Target(name="local", hardware="cpu")


@dataclass(frozen=True)
class Loaded:
    """A valid pipeline with the text it came from."""

    path: Path
    pipeline: Common
    source: Source
    model_override: Path | None = None
    policy: Policy | None = None
    proposed: str = ""  # SHA-256 of the text, where it is not what lies at the path

    @property
    def sha256(self) -> str:
        """Of the file that the pipeline was read from."""
        return self.proposed or digest(self.path)

    @property
    def folder(self) -> Path:
        """Paths in the file are relative to this."""
        return self.path.parent

    def section(self, stage: str) -> Any:
        """A stage's own section, of the type that its module calls SECTION."""
        return getattr(self.pipeline, stage)

    @property
    def targets(self) -> list[Target]:
        """The targets, or the one that stands for this machine's CPU."""
        return self.pipeline.targets or [DEFAULT_TARGET]

    @cached_property
    def position(self) -> dict[str, int]:
        """Where in the file's list each target stands."""
        return {target.name: index for index, target in enumerate(self.pipeline.targets)}

    def target(self, name: str) -> Target:
        """The target of that name."""
        return next(target for target in self.targets if target.name == name)

    def model_path(self) -> Path | None:
        """The model, from the command line or the file."""
        if self.model_override is not None:
            return self.model_override
        return self.folder / self.pipeline.model.path if self.pipeline.model else None

    def frameworks(self, target: Target) -> list[str]:
        """Frameworks to try on a target, without repeats; with `auto` all that planning may choose from."""
        stated = target.frameworks or self.section("optimization").frameworks
        return list(FRAMEWORKS.names) if stated == AUTO else list(dict.fromkeys(stated))

    def chooses(self, target: Target) -> bool:
        """Whether planning chooses the frameworks of a target."""
        return not target.frameworks and self.section("optimization").frameworks == AUTO

    @property
    def chooses_techniques(self) -> bool:
        """Whether planning chooses the techniques."""
        return bool(self.section("optimization").techniques == AUTO)

    def named_techniques(self, framework: str) -> list[Asked]:
        """The techniques that the file names for a framework; empty where it names none."""
        return asked_of(self.section("optimization"), framework)

    @property
    def require(self) -> Literal["best", "all"]:
        """How many variants of a target must pass; a policy that says `all` holds."""
        return "all" if "all" in self._both("require") else "best"

    @property
    def on_inconclusive(self) -> Literal["fail", "warn"]:
        """What an undecided gate does to the exit code; a policy that says `fail` holds."""
        return "fail" if "fail" in self._both("on_inconclusive") else "warn"

    def stated_in_both(self) -> list[Loaded]:
        """This file, and its policy where there is one."""
        return [self, *([self.policy.limits] if self.policy and self.policy.limits else [])]

    def _both(self, key: str) -> list[str]:
        """What this file and its policy say under `gates`."""
        return [getattr(each.pipeline.gates, key) for each in self.stated_in_both()]

    def level(self, kind: str) -> str:
        """How deep a kind of check goes; a policy that goes deeper holds."""
        order = (OFF, *KINDS.get(kind).LEVELS)
        return str(max((getattr(each.section(TESTING), kind) for each in self.stated_in_both()), key=order.index))

    def tests(self, kind: str) -> bool:
        """Whether the testing stage runs this kind of check."""
        return TESTING in self.pipeline.stages and self.level(kind) != OFF

    def unmeasured(self, gate: str) -> bool:
        """Whether nothing that the file asks for measures a gate: there is nothing to compare, or the kind of check that would
        measure it is off, or does not go so far.
        """
        if of_tensors(gate) and not self.compares_tensors:
            return True
        kind = tested_by(gate)
        return bool(kind) and not (self.tests(kind) and not why_unmeasured(self, kind, gate))

    @property
    def compares_tensors(self) -> bool:
        """Whether there is an evaluation set on which outputs other than text are compared."""
        path = self.model_path()
        return self.pipeline.dataset is not None and not (path and model_format(path) in TEXT_FORMATS)

    @property
    def wants_times(self) -> bool:
        """Whether this file, or its policy, says that times are to be measured, whatever its gates are."""
        return any(each.stated(*path) == "required" for each in self.stated_in_both() for path in TIMES)

    def stated(self, *path: str | int) -> Any:
        """What the file itself says at a path under `edge_ai_pipeline`; None where it says nothing."""
        part: Any = self.source.data[ROOT]
        for key in path:
            part = part[key] if isinstance(key, int) else part.get(key) if isinstance(part, dict) else None
        return part

    def where(self, *path: str | int) -> str:
        """`file:line` of a key under `edge_ai_pipeline`."""
        return self.source.where((ROOT, *path))


@dataclass(frozen=True)
class Policy:
    """Whose limits a file is held to: those of the pipeline file at another commit."""

    name: str  # "main at 0123456789ab", or the path of a file
    sha256: str  # empty where `limits` is None
    limits: Loaded | None  # None: the file is new, there are no limits to hold it to
    waivers: Source | None  # the waivers beside it
    base: Base | None = None  # the tree of files that it lies in, and where there
    file: str = ""
    moved: bool = False  # whether that is another file than the one that is held to it


def why_unmeasured(loaded: Loaded, kind: str, gate: str) -> str:
    """Why a kind of check that runs does not measure a gate of its own, and what would make it; empty where it does."""
    ask = getattr(KINDS.get(kind), "unmeasured", None)
    return str(ask(loaded, gate)) if ask else ""
