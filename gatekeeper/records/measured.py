"""What was measured of a model, and the machine it was measured on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record, Whole
from gatekeeper.records.flips import Flips


class Artifact(Record, frozen=True, kw_only=True):
    """A model file. `path` is relative to the report's folder where it lies inside it."""

    path: str
    sha256: str
    bytes: Count
    zipped_bytes: Annotated[
        Count | None, Meta(description="Of a zip archive of its files, as an apk holds them; None: no gate asked.")
    ] = None


MIXED = "None where all inputs take about as long."
ALIKE = f"each latency divided by what its input takes in other rounds, the mean input being one. {MIXED}"


class RoundData(Record, frozen=True, kw_only=True):
    """One arm in one round: one fresh process. Raw latencies are in `samples.json` beside the report."""

    round: Count
    count: Count
    p10_ns: Annotated[Amount, Meta(description="The fastest tenth: what other load on the machine disturbs least.")]
    median_ns: Amount
    mean_ns: Amount
    turn_median_ns: Annotated[
        Amount | None,
        Meta(
            description="Geometric mean over blocks of each one's median. A turn has one block of every arm, so what slows "
            "it cancels in a ratio of these. None: an earlier version measured."
        ),
    ] = None
    p95_ns: Amount
    p99_ns: Amount
    load_ns: Count
    cpu_utilisation: Annotated[Amount, Meta(description="CPU time / (wall time x threads), 0 to 1.")]
    peak_bytes: Annotated[Whole | None, Meta(description="Peak footprint above the loaded runtime's own.")] = None
    high_water_bytes: Annotated[Whole | None, Meta(description="The same by the kernel's VmHWM, as a cross-check.")] = None
    saturated_per_s: Annotated[float | None, Meta(description="Inferences per second with several callers at once.")] = None
    first_token_ns: Annotated[float | None, Meta(description="Text models: median time to the first token.")] = None
    yielded_per_s: Annotated[float | None, Meta(description="Voluntary context switches per second of timing.")] = None
    preempted_per_s: Annotated[float | None, Meta(description="Involuntary context switches per second of timing.")] = None
    joules: Annotated[float | None, Meta(description="Energy per inference, by the leg's `energy`.")] = None
    timed_ns: Annotated[
        Amount | None,
        Meta(description="Wall time of all blocks: `count` inferences took `joules` each. None: an earlier version measured."),
    ] = None
    overhead_ns: Annotated[Count, Meta(description="What timing itself adds to one latency.")] = 0
    tick_ns: Annotated[Count, Meta(description="Smallest step between two latencies: how fine the clock is.")] = 0
    ran_on: Annotated[str, Meta(description="The device the framework says it ran on; empty if it does not say.")] = ""
    inputs: Annotated[Count, Meta(description="Inputs that were timed equally often; 0: tokens of prompts were timed.")] = 0
    short_ns: Annotated[Amount | None, Meta(description=f"Median latency of the short inputs. {MIXED}")] = None
    long_ns: Annotated[Amount | None, Meta(description=f"Median latency of the long inputs. {MIXED}")] = None
    alike_p10_ns: Annotated[Amount | None, Meta(description=f"As p10_ns, {ALIKE}")] = None
    alike_median_ns: Annotated[Amount | None, Meta(description=f"As median_ns, {ALIKE}")] = None
    alike_p95_ns: Annotated[Amount | None, Meta(description=f"As p95_ns, {ALIKE}")] = None


class Performance(Record, frozen=True, kw_only=True):
    """One arm over all its rounds: the medians over rounds of each round's own statistics."""

    p50_ns: Amount
    p95_ns: Amount
    p99_ns: Amount
    mean_ns: Amount
    throughput_per_s: Annotated[Amount, Meta(description="Examples per second, one request at a time.")]
    load_ns: Amount
    cpu_utilisation: Amount
    variation: Annotated[Amount, Meta(description="Coefficient of variation of a round's median over rounds.")]
    peak_bytes: float | None
    high_water_bytes: float | None
    memory_metric: Literal["pss", "uss"]
    saturated_per_s: Annotated[float | None, Meta(description="Examples per second with several callers at once.")] = None
    first_token_ns: float | None = None
    preempted_per_s: float | None = None
    joules: float | None = None
    per: Annotated[Literal["inference", "token"], Meta(description="What a latency is of, and a throughput counts.")] = (
        "inference"
    )
    ran_on: Annotated[str, Meta(description="The device the framework says it ran on; empty if it does not say.")] = ""
    rounds: list[RoundData]


class Quality(Record, frozen=True, kw_only=True):
    """A model on the evaluation set."""

    metric: str
    value: float | None
    examples: Count
    details: Annotated[dict[str, float], Meta(description="Text models: divergence from the baseline, perplexities.")] = {}
    worse: Annotated[list[str], Meta(description="Names of prompts that it answers worse than the baseline, some of them.")] = []
    flips: Annotated[
        Flips | None,
        Meta(description="Answers that were right and are wrong, or the other way; None: there are none such."),
    ] = None


class Environment(Record, frozen=True, kw_only=True):
    """The machine a leg ran on. Numbers of differing environments never meet in one statistic."""

    cpu: str
    isa: list[str]
    threads: int
    packages: dict[str, str]
    cores: int = 0
    memory_bytes: int = 0
    os: str = ""
    python: str = ""
    machine: str = ""
    governor: Annotated[str, Meta(description="How the CPU's clock is governed, e.g. performance; empty if unknown.")] = ""
    accelerators: Annotated[list[str], Meta(description="GPUs and NPUs with their drivers.")] = []


class Conditions(Record, frozen=True, kw_only=True):
    """What else the machine did while a leg measured. None: this system does not tell."""

    other_cpu: Annotated[float | None, Meta(description="Share of the machine's CPU time other processes took.")]
    steal: Annotated[float | None, Meta(description="Share of CPU time the hypervisor gave to other machines.")]
    throttle_events: Annotated[int | None, Meta(description="Times the CPU was slowed down for heat.")]
    frequency_mhz: Annotated[tuple[float, float] | None, Meta(description="Lowest and highest clock seen between rounds.")]


class Energy(Record, frozen=True, kw_only=True):
    """How energy was measured, or why it was not."""

    method: Annotated[str, Meta(description="rapl, nvml, jetson, apple_silicon, codecarbon; empty if there is none.")] = ""
    kind: Annotated[Literal["measured", "estimate", "none"], Meta(description="An estimate is not a measurement.")] = "none"
    note: Annotated[str, Meta(description="What it covers, or why nothing could be measured.")] = ""
    lag_s: Annotated[
        Amount | None, Meta(description="How old a reading may be, in seconds; None: not known, and no gate is judged by it.")
    ] = None
    blocks: Annotated[Count, Meta(description="Blocks per arm in a round, before and after each of which was read.")] = 0


class Control(Record, frozen=True, kw_only=True):
    """The A/A control: the baseline against a second copy of itself, ratio of latencies. An open bound is None."""

    observed: float | None
    lower: float | None
    upper: float | None
