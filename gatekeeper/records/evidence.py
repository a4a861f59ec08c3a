"""What a gate is given to judge one variant by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatekeeper.records.base import Interval
from gatekeeper.records.corrupted import Arrived
from gatekeeper.records.flips import Flips
from gatekeeper.records.measured import Artifact, Energy, RoundData
from gatekeeper.records.scores import Calibrated, KeptClass, KeptOutput, PairedScores
from gatekeeper.records.tested import Check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """Paired scores of baseline and variant on the evaluation set, or why there are none.

    `error` is set when the accuracy cannot be judged (no dataset, a baseline at chance level ...). `agreement`
    says that there were no labels: the scores then compare the variant with the baseline's own answers. `collapsed` says in
    which way the variant answers nothing any more, `signs` are the numbers that show whether it does. `outputs` are those that
    the metric does not read, or only on average, `unjudged` says which of them cannot be compared, and why. None: nothing was
    compared. `worse` names examples that the variant answers worse than the baseline, those that lost most first. `alone`: there
    is no baseline, and the variant stands in its place, too. `near` distinct examples the baseline answers as another, `close` of
    them are nearly the same to ask. `corrupted` are the same comparisons under corruptions, by their labels; None: none was asked
    for. `calibrated` is how sure both are beside how often they are right, where that was asked for. `flips` are answers that
    were right and are wrong, or the other way.
    """

    metric: str = ""
    baseline: float | None = None
    variant: float | None = None
    scores: PairedScores | None = None
    agreement: bool = False
    error: str | None = None
    details: dict[str, float] = field(default_factory=dict)
    collapsed: str = ""
    signs: dict[str, float] = field(default_factory=dict)
    outputs: tuple[KeptOutput, ...] | None = None
    unjudged: dict[str, str] = field(default_factory=dict)
    classes: tuple[KeptClass, ...] | None = None
    worse: tuple[str, ...] = ()
    alone: bool = False
    near: int = 0
    close: int = 0
    corrupted: Mapping[str, Corrupted] | None = None
    calibrated: Calibrated | None = None
    flips: Flips | None = None


@dataclass(frozen=True)
class Corrupted:
    """Both models on the same corrupted examples, and what says that these are others; None: they could not be made."""

    comparison: Comparison
    arrived: Arrived | None = None


@dataclass(frozen=True)
class Effort:
    """What measuring takes: seconds a round; and what the pipeline file and the attempt allow."""

    round_s: float = 0.0
    budget_s: float = 600.0
    max_rounds: int = 24
    threads: int = 1
    attempt: int = 1


@dataclass(frozen=True)
class Requests:
    """Every request of one load scenario, in the order of the intended starts; arrays of shape [n].

    `start_ns` counts from the first intended start, `latency_ns` from each intended start (0 where the request failed),
    `lag_ns` is how late the generator sent it, `ok` whether it was answered well, `shed` whether it was refused with 503.
    `unsent` of those that are neither were never sent: as many as the generator can have on their way already were.
    """

    start_ns: NDArray[np.int64]
    latency_ns: NDArray[np.int64]
    lag_ns: NDArray[np.int64]
    ok: NDArray[np.bool_]
    shed: NDArray[np.bool_]
    unsent: int = 0


@dataclass(frozen=True)
class Soak:
    """A long run: its requests, readings of the server's memory, and its latency afterwards beside a fresh server's.

    `aged_ms[i]` and `fresh_ms[i]` are medians taken one right after the other.
    """

    requests: Requests
    memory_s: list[float]
    memory_bytes: list[int]
    aged_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class LoadEvidence:
    """The server scenario of a variant, and of the baseline at the same rate. `error` says why there is none."""

    server: Requests | None = None
    baseline: Requests | None = None
    offline: Requests | None = None
    soak: Soak | None = None
    target_qps: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Evidence:
    """Measurements of one variant and its baseline.

    `baseline[i]`, `variant[i]` and `control[i]` were measured in the same round. `alpha` is one-sided, for this
    look. `effort` is what measuring took so far, so that an undecided gate can say what it would need. `untimed` says
    why times of this leg mean nothing, where they do not. `copy` is what `control` bounds, where a report of an earlier version
    kept that and not its rounds. `energy` is what the joules were read by. `checks` and `load` come from the testing stage.
    `name` is the variant's, for gates that are not of every one.
    """

    artifact: Artifact
    baseline: list[RoundData] = field(default_factory=list)
    variant: list[RoundData] = field(default_factory=list)
    control: list[RoundData] = field(default_factory=list)
    comparison: Comparison = field(default_factory=Comparison)
    alpha: float = 0.01
    effort: Effort = Effort()
    untimed: str | None = None
    copy: Interval | None = None
    energy: Energy = field(default_factory=Energy)
    checks: list[Check] = field(default_factory=list)
    load: LoadEvidence = LoadEvidence()
    name: str = ""
