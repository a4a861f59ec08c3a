"""What results are held to, whatever they say of themselves: the plan, the pipeline file, its policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gatekeeper.config.limits import Limit, limits
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.targets import Target
from gatekeeper.config.wishes import wish_of
from gatekeeper.gates._base import KINDS, of_tensors
from gatekeeper.planning.plan import Plan, PlannedLeg
from gatekeeper.records.wish import Wish


@dataclass(frozen=True)
class Rules:
    """`file` is the pipeline file of the results, with its policy; `policy` stands alone where that file is not at hand.

    Where neither is known, results are held to the limits that they state, and to one another, and where `own` says so to these
    limits of every target, by gate. `text` says that the model
    writes text: gates on other outputs do not apply. `whole`: a
    report must hold all that its verdicts rest on. `known` is for who applies the rules to note what it worked out.
    """

    plan: Plan | None = None
    file: Loaded | None = None
    policy: Loaded | None = None
    text: bool = False
    whole: bool = False
    own: Mapping[str, Limit] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)
    _limits: dict[str, Mapping[str, Limit]] = field(default_factory=dict)
    _checks: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def source(self) -> Loaded | None:
        """Where limits come from."""
        return self.file or self.policy

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.source.path.as_posix() if self.source else ""

    def limits(self, target: str) -> Mapping[str, Limit]:
        """The limits that apply to a target, by gate; empty where nothing says."""
        if target not in self._limits:
            source = self.source
            stated = limits(source, _target(source, target)) if source else self.own.values()
            self._limits[target] = {limit.name: limit for limit in stated if not (self.text and of_tensors(limit.name))}
        return self._limits[target]

    def require(self, stated: Literal["best", "all"]) -> Literal["best", "all"]:
        """How many variants must pass: nobody asks for less than the file."""
        return "all" if self.source and self.source.require == "all" else stated

    def wish(self, stated: Wish) -> Wish:
        """By what one is chosen among those that pass: the file's, where it is at hand."""
        return wish_of(self.file) if self.file else stated

    def on_inconclusive(self, stated: Literal["fail", "warn"]) -> Literal["fail", "warn"]:
        """What an undecided gate does: nobody asks for less than the file."""
        return "fail" if self.source and self.source.on_inconclusive == "fail" else stated

    def max_rounds(self, stated: int) -> int:
        """The rounds that a leg could take, which say how many looks share its error budget."""
        return self.file.pipeline.measure.max_rounds if self.file else stated

    def checks(self, kind: str) -> Sequence[str]:
        """The checks of a kind that must be there, by name; none where nothing says.

        A policy alone says how deep it goes at least: what it asks for then is what every deeper level has too.
        """
        source, hook = self.source, getattr(KINDS.get(kind), "expected", None)
        if hook is None or source is None or not source.tests(kind):
            return ()
        if kind not in self._checks:
            order: tuple[str, ...] = KINDS.get(kind).LEVELS
            first = order.index(source.level(kind))
            levels = [hook(self.file, level, self.text) for level in order[first : first + 1 if self.file else None]]
            self._checks[kind] = [name for name in levels[0] if all(name in level for level in levels)]
        return self._checks[kind]

    def planned(self, leg: str) -> PlannedLeg | None:
        """The leg in the plan; None where it says nothing of its variants."""
        if leg not in self._legs:
            return None
        found = self._legs[leg]
        return found if found.variants or found.error or found.skip else None

    @property
    def _legs(self) -> dict[str, PlannedLeg]:
        return {leg.id: leg for leg in self.plan.legs} if self.plan else {}


def _target(source: Loaded, name: str) -> Target:
    """A target of a file; one that it does not have is held to the common limits."""
    return next((target for target in source.targets if target.name == name), Target(name=name, hardware="cpu"))
