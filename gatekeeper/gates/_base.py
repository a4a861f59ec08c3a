"""What every gate shares. A gate is a module of this folder; its file name is its YAML key. (Kinds of check bring their own, of
the same shape: see gatekeeper/checks/kinds/_base.py.) It has:

DESCRIPTION  one line for the schema and the reference
UNIT         unit of the observed value and the limit
BASIS        what it is judged on: "rounds" (again at every look), "scores", "artifact", or, in the testing stage,
             "checks" or "load"
DEFAULT      the Config used when the file does not mention the gate, or None: only when mentioned
Config       its limits: a GateConfig with described fields
limit_key    the field of Config that holds the limit
judge(config, evidence) -> Decision

A gate of the testing stage also has

TESTED_BY    the kind of check that measures it; it applies where that runs and goes so far

A gate whose limit has another name in the pipeline file says so:

SAME_AS      the path of that name, below `edge_ai_pipeline`
BESIDE       where that other name is given: paths of further fields of its config

and, where it has something to say:

GAIN         what a limit of it may be where the model itself is judged (`baseline`): of what is gained by optimizing, which is
             then asked for only where the file mentions the gate
OF_TENSORS   whether it compares outputs other than text on the evaluation set, and applies only where there are such
METERED      whether it is judged on joules, which not every machine counts
JUDGES       the scenarios of load that it decides, the first of them that ran
CHECKS       the kind of checks that it counts, where it is not called as they are
ZIPPED       whether it is judged on the size of the artifact in a zip archive, which is then measured

A gate that is not of every variant has

applies(config, name, stated) -> whether it is of the variant of that name; of the others it is skipped, and does not block
scope(config)                 -> what its results keep of the config in `details`, so that a merge can ask the same

A merge of reports judges every gate again. Those on rounds, artifacts and checks find all their evidence in the report; of the
others it holds their bounds, and "pass" is believed where these clear the limit (so a gate that fails for another reason states
no bounds that do). What more must hold, and can be read from the report, such a gate says:

again(config, told) -> the verdict that the report's own numbers allow, its bounds aside, or None: they say nothing of it
nothing(told)          whether the report shows that there was nothing to judge, for a gate whose decisions may not apply

A target passes by one of its variants, and so by one of many chances: of a variant that passes a merge asks how surely it does
(gatekeeper/verdicts/shares.py). Gates on rounds and on counts of requests are then judged again at a smaller `alpha`, of others
the bounds say it. A gate of which neither is so has

share(told) -> the least share of its level at which it would still pass
VETO           whether it passes unless a fault is shown

A gate on rounds may say at a glance what `judge` would take long to say of thousands of variants:

glance(limits, alpha, baseline, variant, control) -> Glance, of arrays: limits of shape [n], and of each arm its columns by the
                                                     names of RoundData, of shape [n, rounds], NaN where a value is missing

A gate that limits more than its limit_key says which of two values of such a field is as strict as the other (else none is, and
a policy's holds):

stricter(field, here, before) -> whether `here` asks for no less than `before`

A gate that cannot judge every model says so where the file is validated:

unsuited(config, model, task) -> pairs (place below the gate, what is wrong and what is allowed)

A gate whose results sometimes go by another name, as those of `accuracy` by `agreement`, lists these names in ALSO.

A gate that bounds ratios over rounds may also tell `gatekeeper calibrate` which, so that it says what a runner can decide:

ratios(baseline, variant) -> pairs (numerators, denominators), one value a round
to_ratio(limit) / from_ratio(ratio) -> between the limit's unit and that of the ratios
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, cast, runtime_checkable

import msgspec
from msgspec import Meta

from gatekeeper.errors import UsageError, nearest
from gatekeeper.ids import without_set
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision, GateResult
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.measured import RoundData
    from gatekeeper.records.report import LegReport, VariantReport

REGISTRY = Registry("gates", ("DESCRIPTION", "UNIT", "BOUND", "BASIS", "DEFAULT", "Config", "limit_key", "judge"))
KINDS = Registry("checks.kinds", ("DESCRIPTION", "TITLE", "LEVELS", "ORDER", "SERVER", "GATE", "run"))
"""Kinds of check bring the gate of their own name (`checks_gate`); they are asked only where no file of this folder has it."""

Ratio = tuple[list[float], list[float]]
"""Numerators and denominators, one each a round."""


OnFail = Annotated[
    Literal["fail", "warn", "repair"],
    Meta(
        description="`fail` blocks; `warn` reports the failure and does not block; `repair` blocks, and `gatekeeper run` "
        "looks for the smallest change of this file that passes."
    ),
]
"""Made once: msgspec reads the annotations of a base again for every gate there is."""


class GateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a gate; `on_fail: warn` reports a failure without blocking, `repair` blocks and looks for what would pass."""

    on_fail: OnFail = "fail"

    @property
    def blocks(self) -> bool:
        """Whether a failure keeps a variant from passing."""
        return self.on_fail != "warn"


class Gate(Protocol):
    """The shape of a gate module."""

    DESCRIPTION: str
    UNIT: str
    BOUND: Literal["at_least", "at_most"]
    BASIS: Literal["rounds", "scores", "artifact", "checks", "load"]
    DEFAULT: GateConfig | None
    Config: type[GateConfig]
    limit_key: str

    @staticmethod
    def judge(config: GateConfig, evidence: Evidence) -> Decision:
        """Decide from evidence; absence is never a pass."""


@dataclass(frozen=True)
class Told:
    """What a report holds for one gate on one variant; `alpha` is that of the attempt at load.

    `whole` says that a version measured which writes down all that its verdicts rest on: what is not there is then an error.
    """

    gate: GateResult
    variant: VariantReport
    leg: LegReport
    alpha: float
    whole: bool = False


@dataclass(frozen=True)
class Glance:
    """Bounds of shape [n], where they clear and where they miss the limit, and where that is all that `judge` would look at.

    Where it is and they do neither, it would say "inconclusive"; where it is not, only `judge` can say.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    passes: NDArray[np.bool_]
    fails: NDArray[np.bool_]
    sure: NDArray[np.bool_]


Columns = dict[str, "NDArray[np.float64]"]


@runtime_checkable
class RatioGate(Gate, Protocol):
    """A gate that bounds ratios over rounds."""

    @staticmethod
    def ratios(baseline: list[RoundData], variant: list[RoundData]) -> list[Ratio]: ...

    @staticmethod
    def to_ratio(limit: float) -> float: ...

    @staticmethod
    def from_ratio(ratio: float) -> float: ...


@cache
def names() -> tuple[str, ...]:
    """Every gate: the files of this folder, and the gates that kinds of check bring."""
    return tuple(sorted({*REGISTRY.names, *(name for name in KINDS.names if KINDS.get(name).GATE is not None)}))


@lru_cache(maxsize=256)
def gate(name: str) -> Gate:
    """The gate of that name, on whichever set; an unknown one is a `UsageError` that lists what exists."""
    name = without_set(name)
    if name in REGISTRY.names:
        return cast(Gate, REGISTRY.get(name))
    if name not in names():
        raise UsageError(f"'{name}' is not one of gates: {', '.join(names())}{nearest(name, names()) or '.'}")
    return cast(Gate, KINDS.get(name).GATE)


@cache
def per_set() -> tuple[str, ...]:
    """Gates that are judged on every evaluation set: those on scores that are on unless the file says otherwise."""
    return tuple(name for name in names() if gate(name).BASIS == "scores" and gate(name).DEFAULT is not None)


@cache
def also() -> dict[str, str]:
    """Other names of results, and the gate whose results they are."""
    return {other: name for name in names() for other in getattr(gate(name), "ALSO", ())}


def tested_by(name: str) -> str:
    """The key of `testing` that measures a gate; empty for those of the optimization stage."""
    key: str = getattr(gate(name), "TESTED_BY", "")
    return key


def of_tensors(name: str) -> bool:
    """Whether a gate compares outputs other than text on the evaluation set."""
    return bool(getattr(gate(name), "OF_TENSORS", False))


def metered(name: str) -> bool:
    """Whether a gate is judged on joules, which not every machine counts."""
    return bool(getattr(gate(name), "METERED", False))


@lru_cache(maxsize=256)
def of_testing(name: str) -> bool:
    """Whether a gate, which may be a stranger's, is one of the many that the testing stage measures."""
    return name in names() and bool(tested_by(name))


def decides(name: str, ran: Collection[str]) -> str:
    """The scenario of load, of those that ran, that a gate decides; empty where it decides none."""
    stated: tuple[str, ...] = getattr(gate(name), "JUDGES", ()) if of_testing(name) else ()
    return next((scenario for scenario in stated if scenario in ran), "")


def counts_checks(name: str, kind: str) -> bool:
    """Whether a gate counts the checks of a kind."""
    return kind == (getattr(gate(name), "CHECKS", name) if of_testing(name) else name)


def counted_checks(name: str) -> str:
    """The kind of checks that a gate counts."""
    kind: str = getattr(gate(name), "CHECKS", name)
    return kind


def unmeasured(reason: str) -> Decision:
    """Something this gate needs was not measured."""
    return Decision(verdict=Verdict.ERROR, reason=reason)
