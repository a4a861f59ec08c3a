"""`gatekeeper-waivers.yml`: failures that are tolerated for a while, by a named owner, down to a ceiling."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.also import also_sets
from gatekeeper.config.limits import as_number, limits
from gatekeeper.config.load import converted
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.section import Section, Size, one_of
from gatekeeper.config.source import Source, read_source
from gatekeeper.errors import ConfigError, Problem, nearest
from gatekeeper.gates._base import also, gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.ids import of_target, on_set, set_of, target_of, within_target, without_set
from gatekeeper.records.gates import Waiver

FILE_NAME = "gatekeeper-waivers.yml"
OTHER_NAMES = also()
"""What a gate is called in reports when it judges something weaker, and whose limit it holds."""

REMEDY = "docs/pipeline-reference.md shows one."

Words = Annotated[str, Meta(pattern=r"\S")]
if TYPE_CHECKING:
    GateName = str
else:
    GateName = one_of(sorted({*gate_names(), *OTHER_NAMES}))


class WaiverEntry(Section, frozen=True, kw_only=True):
    """One failure that is tolerated for a while."""

    gate: Annotated[GateName, Meta(description="Gate whose failure is tolerated, as reports name it.")]
    set: Annotated[
        Words | None, Meta(description="Name of a further evaluation set (`dataset.also`); default: the main one's gate.")
    ] = None
    target: Annotated[Words, Meta(description="Name of the target.")]
    variant: Annotated[
        Words | None,
        Meta(description="framework/technique, or the whole id; default: every variant of the target."),
    ] = None
    ceiling: Annotated[
        float | Size,
        Meta(description="Value the bound must still clear: looser than the limit and in its unit, a size where that is one."),
    ]
    reason: Annotated[Words, Meta(description="Why it is tolerated, in words.")]
    owner: Annotated[Words, Meta(description="Who answers for it, in words.")]
    expires: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            examples=["2031-05-01"],
            description="Last day it holds (UTC).",
        ),
    ]
    issue: Annotated[Words | None, Meta(description="Where the repair is tracked, in words or as a link.")] = None


class WaiverDocument(Section, frozen=True, kw_only=True):
    """The file `gatekeeper-waivers.yml`, beside the pipeline file."""

    waivers: Annotated[list[WaiverEntry], Meta(description="Failures that are tolerated for a while.")]


@dataclass(frozen=True)
class GateWaiver:
    """A waiver as it is applied: to which gate of which variants, until which day."""

    gate: str
    target: str
    variant: str | None
    until: datetime.date
    waiver: Waiver

    def covers(self, target: str, variant: str) -> bool:
        """Whether it speaks of a variant, by its whole id."""
        return self.target == target and self.variant in (None, variant, within_target(variant, target))

    def __str__(self) -> str:
        what = f"{self.gate} of {self.target}" if self.variant is None else f"{self.gate} of {self.id}"
        return f"{self.waiver.where} ({what})"

    @property
    def id(self) -> str:
        """The whole id of its variant, or the name of its target."""
        return self.target if self.variant is None else of_target(self.variant, self.target)


@dataclass(frozen=True)
class Waivers:
    """A valid file of waivers, with the text it came from."""

    source: Source
    entries: tuple[GateWaiver, ...]


def read_waivers(path: Path) -> Waivers:
    """Read and check a file of waivers; a `ConfigError` lists every problem."""
    return parse_waivers(read_source(path, REMEDY))


def parse_waivers(source: Source) -> Waivers:
    """The waivers of a parsed file; a `ConfigError` lists every problem that can be seen without the pipeline file."""
    document: WaiverDocument = converted(source, WaiverDocument)
    problems = list(_problems(source, document))
    if problems:
        raise ConfigError(source.path, problems)
    return Waivers(source, tuple(_waiver(source, index, entry) for index, entry in enumerate(document.waivers)))


def _waiver(source: Source, index: int, entry: WaiverEntry) -> GateWaiver:
    return GateWaiver(
        gate=on_set(entry.gate, entry.set or ""),
        target=entry.target,
        variant=entry.variant,
        until=datetime.date.fromisoformat(entry.expires),
        waiver=Waiver(
            ceiling=as_number(entry.ceiling),
            reason=entry.reason,
            owner=entry.owner,
            expires=entry.expires,
            issue=entry.issue or "",
            where=source.where(("waivers", index)),
        ),
    )


def _problems(source: Source, document: WaiverDocument) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(document.waivers):
        at = {key: source.values[("waivers", index, key)] for key in source.data["waivers"][index]}
        sized = gate(OTHER_NAMES.get(entry.gate, entry.gate)).UNIT == "bytes"
        if sized != isinstance(entry.ceiling, str):
            wanted = "a size such as 50MB" if sized else "a number in the gate's unit"
            yield Problem(*at["ceiling"], f"the limit of {entry.gate} is not like {entry.ceiling!r}. Write {wanted}.")
        try:
            datetime.date.fromisoformat(entry.expires)
        except ValueError:
            yield Problem(*at["expires"], f"'{entry.expires}' is not a day of the calendar. Write year-month-day.")
        own = (on_set(entry.gate, entry.set or ""), f"{entry.target}/{(entry.variant or '').removeprefix(entry.target + '/')}")
        if own in seen:
            line = source.values[("waivers", seen[own])][0]
            yield Problem(
                *source.values[("waivers", index)], f"the same waiver is already given on line {line}. Keep one of them."
            )
        seen.setdefault(own, index)


def check_waivers(waivers: Waivers, loaded: Loaded, variants: list[str] | None) -> None:
    """Hold a file against its pipeline file: a `ConfigError` for what is not there, or waives nothing.

    `variants` are the ids of the plan, None while there is none.
    """
    targets = {target.name: target for target in loaded.targets}
    problems = []
    for index, entry in enumerate(waivers.entries):
        values = {key: waivers.source.values[("waivers", index, key)] for key in waivers.source.data["waivers"][index]}
        if entry.target not in targets:
            hint = nearest(entry.target, targets) or "."
            problems.append(
                Problem(*values["target"], f"there is no target '{entry.target}'{hint} The targets are {', '.join(targets)}.")
            )
            continue
        if entry.variant is not None and variants is not None and entry.id not in variants:
            own = [within_target(name, entry.target) for name in variants if target_of(name) == entry.target]
            hint = nearest(within_target(entry.variant, entry.target), own) or "."
            problems.append(
                Problem(*values["variant"], f"{entry.target} has no variant '{entry.variant}'{hint} It has {', '.join(own)}.")
            )
        own_limits, name = limits(loaded, targets[entry.target]), _owner(entry.gate)
        if "set" in values and name not in {limit.name for limit in own_limits}:
            sets = ", ".join(each.name for each in also_sets(loaded)) or "of which there are none"
            problems.append(Problem(*values["set"], f"no gate '{name}' is on {entry.target}. The further sets are {sets}."))
        for limit in own_limits:
            if limit.name != name or limit.config is None:
                continue
            value = getattr(limit.config, limit.gate.limit_key)
            if value is None:
                continue  # it is measured: the baseline's
            number = as_number(value)
            ceiling = entry.waiver.ceiling
            if ceiling >= number if limit.gate.BOUND == "at_least" else ceiling <= number:
                side = "below" if limit.gate.BOUND == "at_least" else "above"
                problems.append(
                    Problem(
                        *values["ceiling"], f"waives nothing: the limit is {value} ({limit.where}). Choose a ceiling {side} it."
                    )
                )
    if problems:
        raise ConfigError(waivers.source.path, problems)


def _owner(name: str) -> str:
    """The gate that holds the limit, with its evaluation set, of one as reports name it."""
    base = without_set(name)
    return on_set(OTHER_NAMES.get(base, base), set_of(name))


def waivers_for(loaded: Loaded, variants: Callable[[], list[str]] | None = None) -> Waivers | None:
    """The waivers beside a pipeline file, held against it; with a policy those beside the policy, and no others.

    A policy's waivers may speak of what this file no longer has: they then apply to nothing, which is no problem here.
    `variants` gives the ids of the plan, and is asked only where there are waivers.
    """
    if loaded.policy is not None:
        return parse_waivers(loaded.policy.waivers) if loaded.policy.waivers else None
    path = loaded.folder / FILE_NAME
    if not path.exists():
        return None
    waivers = read_waivers(path)
    check_waivers(waivers, loaded, variants() if variants else None)
    return waivers
