"""The types that flow between steps, and the public report (`report.json`, schema gatekeeper/report/v1).

All are frozen. Names carry their unit: `_ns`, `_bytes`. A missing number is None, never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

FRAMEWORKS = ("apple_mlx", "llama_cpp", "microsoft_olive", "onnx_runtime", "openvino")
"""The frameworks the pipeline file knows by name, whether or not this version can run them."""

REPORT_SCHEMA: Literal["gatekeeper/report/v1"] = "gatekeeper/report/v1"


class Verdict(StrEnum):
    """What is known: `error` is not measured, `inconclusive` is measured and undecided."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    SKIP = "skip"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of every record."""


class Interval(Record, frozen=True, kw_only=True):
    """An observed value with one-sided confidence bounds."""

    observed: float
    lower: float
    upper: float


class Decision(Record, frozen=True, kw_only=True):
    """What a gate concludes from its evidence, before it is tied to a file and a policy."""

    verdict: Verdict
    reason: str
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None  # where the limit itself was measured, e.g. the baseline's p99
    name: str | None = None  # when the gate judged something weaker than its name says, e.g. agreement
    settled: bool = False  # more rounds would not change an inconclusive verdict
    details: dict[str, Any] = {}


class Waiver(Record, frozen=True, kw_only=True):
    """A gate's failure that is tolerated for a while, down (or up) to a ceiling, by a named owner."""

    ceiling: Annotated[float, Meta(description="The bound must still clear this value, in the gate's unit.")]
    reason: str
    owner: str
    expires: Annotated[str, Meta(description="Last day it holds, ISO 8601, UTC.")]
    issue: Annotated[str, Meta(description="Where the repair is tracked; empty if nowhere.")] = ""
    where: Annotated[str, Meta(description="file:line of the waiver.")] = ""


class Before(Record, frozen=True, kw_only=True):
    """The same gate on the same variant in the report of the base branch."""

    verdict: Verdict
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None


class GateResult(Record, frozen=True, kw_only=True):
    """One gate on one variant."""

    gate: Annotated[str, Meta(description="Name of the gate, e.g. speedup.")]
    verdict: Verdict
    observed: Annotated[float | None, Meta(description="Point estimate, in `unit`.")] = None
    lower: Annotated[float | None, Meta(description="Lower confidence bound.")] = None
    upper: Annotated[float | None, Meta(description="Upper confidence bound.")] = None
    limit: Annotated[float | None, Meta(description="The limit the bound is held against.")] = None
    bound: Annotated[Literal["at_least", "at_most"], Meta(description="Which side of the limit passes.")] = "at_least"
    unit: str = ""
    reason: str = ""
    where: Annotated[str, Meta(description="file:line of the limit.")] = ""
    blocking: Annotated[bool, Meta(description="False when `on_fail: warn` or the gate is disabled.")] = True
    details: Annotated[dict[str, Any], Meta(description="What more the gate knows; free form.")] = {}
    waiver: Annotated[Waiver | None, Meta(description="What keeps a failure from blocking.")] = None
    before: Annotated[Before | None, Meta(description="What the base branch's report says of it.")] = None


class Artifact(Record, frozen=True, kw_only=True):
    """A model file. `path` is relative to the report's folder where it lies inside it."""

    path: str
    sha256: str
    bytes: int


class RoundData(Record, frozen=True, kw_only=True):
    """One arm in one round: one fresh process. Raw latencies are in `samples.json` beside the report."""

    round: int
    count: int
    p10_ns: Annotated[float, Meta(description="The fastest tenth: what other load on the machine disturbs least.")]
    median_ns: float
    mean_ns: float
    p95_ns: float
    p99_ns: float
    load_ns: int
    cpu_utilisation: Annotated[float, Meta(description="CPU time / (wall time x threads), 0 to 1.")]
    peak_bytes: Annotated[int | None, Meta(description="Peak footprint above the loaded runtime's own.")] = None
    high_water_bytes: Annotated[int | None, Meta(description="The same by the kernel's VmHWM, as a cross-check.")] = None
    saturated_per_s: Annotated[float | None, Meta(description="Inferences per second with several callers at once.")] = None
    first_token_ns: Annotated[float | None, Meta(description="Text models: median time to the first token.")] = None
    yielded_per_s: Annotated[float | None, Meta(description="Voluntary context switches per second of timing.")] = None
    preempted_per_s: Annotated[float | None, Meta(description="Involuntary context switches per second of timing.")] = None
    joules: Annotated[float | None, Meta(description="Energy per inference, by the leg's `energy`.")] = None
    overhead_ns: Annotated[int, Meta(description="What timing itself adds to one latency.")] = 0
    tick_ns: Annotated[int, Meta(description="Smallest step between two latencies: how fine the clock is.")] = 0
    ran_on: Annotated[str, Meta(description="The device the framework says it ran on; empty if it does not say.")] = ""


class Performance(Record, frozen=True, kw_only=True):
    """One arm over all its rounds: the medians over rounds of each round's own statistics."""

    p50_ns: float
    p95_ns: float
    p99_ns: float
    mean_ns: float
    throughput_per_s: Annotated[float, Meta(description="Examples per second, one request at a time.")]
    load_ns: float
    cpu_utilisation: float
    variation: Annotated[float, Meta(description="Coefficient of variation of a round's median over rounds.")]
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
    examples: int
    details: Annotated[dict[str, float], Meta(description="Text models: divergence from the baseline, perplexities.")] = {}


class Check(Record, frozen=True, kw_only=True):
    """One test of the testing stage on one model."""

    kind: Annotated[
        Literal["unit_tests", "integration_tests", "load_tests", "security_tests"],
        Meta(description="The key of `testing` that asked for it."),
    ]
    name: Annotated[str, Meta(description="What is tested, e.g. batch_invariance.")]
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0


class LoadRun(Record, frozen=True, kw_only=True):
    """One scenario of load on one model. Latencies count from the intended start; a failed request has none."""

    scenario: Literal["single_stream", "server", "offline", "stress", "soak"]
    over: Literal["http", "in_process"]
    target_qps: Annotated[float | None, Meta(description="Requests sent per second; None: as fast as they went.")] = None
    completed_qps: Annotated[float, Meta(description="Requests per second that were answered well.")]
    requests: int
    errors: Annotated[int, Meta(description="Requests that failed or timed out.")] = 0
    shed: Annotated[int, Meta(description="Requests refused with 503 because the queue was full; not among the errors.")] = 0
    duration_s: float
    p50_ns: float | None = None
    p95_ns: float | None = None
    p99_ns: float | None = None
    max_ns: float | None = None
    lag_p99_ns: Annotated[float | None, Meta(description="How late the load generator itself sent its requests.")] = None
    meets: Annotated[bool | None, Meta(description="Whether p99 and errors are within the limits; None: there are none.")] = None


class Tested(Record, frozen=True, kw_only=True):
    """What the testing stage found of one model."""

    checks: list[Check] = []
    load: Annotated[list[LoadRun], Meta(description="A line for each scenario.")] = []
    curve: Annotated[list[LoadRun], Meta(description="Latency against load, by rising rate.")] = []
    peak_qps: Annotated[float | None, Meta(description="The highest rate of `curve` that met the latency limit.")] = None
    bound_ms: Annotated[float | None, Meta(description="The latency limit that the curve was held against.")] = None
    notes: list[str] = []
    seconds: float = 0.0


class VariantReport(Record, frozen=True, kw_only=True):
    """One optimized artifact and what is known of it."""

    id: str
    framework: str
    technique: str
    verdict: Verdict
    reason: str = ""
    artifact: Artifact | None = None
    performance: Performance | None = None
    quality: Quality | None = None
    gates: list[GateResult] = []
    pareto: Annotated[
        bool | None,
        Meta(description="Whether no other variant of its target is better in speed, memory or quality and as good in the rest."),
    ] = None
    tested: Annotated[Tested | None, Meta(description="What the testing stage found; None: it did not come to test it.")] = None


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

    method: Annotated[str, Meta(description="rapl, nvml, apple_silicon, codecarbon; empty if there is none.")] = ""
    kind: Annotated[Literal["measured", "estimate", "none"], Meta(description="An estimate is not a measurement.")] = "none"
    note: Annotated[str, Meta(description="What it covers, or why nothing could be measured.")] = ""


class Control(Record, frozen=True, kw_only=True):
    """The A/A control: the baseline against a second copy of itself, ratio of latencies. An open bound is None."""

    observed: float | None
    lower: float | None
    upper: float | None


class LegReport(Record, frozen=True, kw_only=True):
    """One matrix job: target x framework, measured together on one machine."""

    id: str
    framework: str
    environment: Environment | None = None
    error: Annotated[str, Meta(description="Why the whole leg could not be measured; empty if it was.")] = ""
    skip: Annotated[str, Meta(description="Why the framework cannot take this model to this hardware, anywhere.")] = ""
    conversion: Annotated[str, Meta(description="How a baseline that had to be converted answers, beside the original.")] = ""
    device: Annotated[
        str, Meta(description="What sessions were opened on, with a hint if one was asked for: cpu:throughput.")
    ] = ""
    untimed: Annotated[str, Meta(description="Why times measured here say nothing of the hardware; empty if they do.")] = ""
    baseline: Performance | None = None
    quality: Quality | None = None
    control: Control | None = None
    rounds: int = 0
    max_rounds: int = 0
    attempt: Annotated[int, Meta(description="Attempt at this commit; all attempts together share one error budget.")] = 1
    seed: int = 0
    measuring_s: float = 0.0
    budget_s: Annotated[float, Meta(description="Seconds the pipeline file allows for measuring; 0: not measured.")] = 0.0
    stopped: Annotated[
        Literal["", "decided", "rounds", "budget"], Meta(description="What ended measuring: a verdict, or what ran out.")
    ] = ""
    conditions: Conditions | None = None
    energy: Energy | None = None
    total_s: float = 0.0
    tested: Annotated[Tested | None, Meta(description="What the testing stage found of the baseline.")] = None
    notes: list[str] = []


class Agreement(Record, frozen=True, kw_only=True):
    """Cross-validation: how far the models of one target answer alike, baselines among them."""

    kind: Annotated[
        Literal["same class", "same top token", "relative distance"],
        Meta(description="What `matrix` holds: a share of examples, or ||a - b|| / ||baseline||."),
    ]
    names: Annotated[list[str], Meta(description="Rows and columns of `matrix`.")]
    matrix: list[list[float]]
    examples: Annotated[int, Meta(description="Examples compared; of text, tokens.")]
    alone: Annotated[
        list[float], Meta(description="Share of examples on which a model differs while all others agree; empty below four.")
    ] = []
    findings: Annotated[list[str], Meta(description="Models to look at.")] = []
    notes: Annotated[list[str], Meta(description="What could not be compared.")] = []


class TargetReport(Record, frozen=True, kw_only=True):
    """One kind of hardware the model must run on."""

    name: str
    verdict: Verdict
    selected: str | None
    environment: Environment | None
    variants: list[VariantReport]
    hardware: str = ""
    reason: str = ""
    require: Literal["best", "all"] = "best"
    legs: list[LegReport] = []
    agreement: Agreement | None = None
    notes: list[str] = []


class StageReport(Record, frozen=True, kw_only=True):
    """One stage of the pipeline file."""

    stage: str
    verdict: Verdict
    reason: str = ""
    where: str = ""
    blocks: Annotated[bool, Meta(description="Whether the stages after it were not run because of its verdict.")] = True


class ModelInfo(Record, frozen=True, kw_only=True):
    """The model under test."""

    path: str
    sha256: str
    bytes: int = 0
    format: str = ""
    architecture: str = ""
    parameters: int = 0


class PipelineInfo(Record, frozen=True, kw_only=True):
    """The pipeline file the verdict belongs to."""

    path: str
    sha256: str
    legs: Annotated[list[str], Meta(description="Every leg the file asks for; a merge holds reports against it.")] = []
    on_inconclusive: Literal["fail", "warn"] = "fail"
    cross_validation: Annotated[str, Meta(description="file:line that asks for it; empty if it is disabled.")] = ""
    performance_comparison: Annotated[str, Meta(description="file:line that requires it; empty if nothing does.")] = ""
    policy: Annotated[str, Meta(description="Git ref and commit whose limits were applied; empty: the file's own.")] = ""
    policy_sha256: Annotated[str, Meta(description="Of the pipeline file at that ref.")] = ""
    loosened: Annotated[list[str], Meta(description="Limits the file loosens against its policy, not applied, in words.")] = []


class Base(Record, frozen=True, kw_only=True):
    """The report of the base branch that this one was compared with."""

    verdict: Verdict
    commit: str = ""
    created: str = ""
    same_model: Annotated[bool, Meta(description="Whether both measured the same model file.")] = False
    gone: Annotated[list[str], Meta(description="Variants it had, and this report has not.")] = []
    new: Annotated[list[str], Meta(description="Variants that it had not.")] = []
    loosened: Annotated[list[str], Meta(description="Limits that were stricter there, in words.")] = []
    changed: Annotated[bool, Meta(description="Whether anything differs by more than noise.")] = True


class Report(Record, frozen=True, kw_only=True):
    """Everything a run found; renderers are pure functions of it."""

    schema: Literal["gatekeeper/report/v1"]
    verdict: Verdict
    model: ModelInfo
    pipeline: PipelineInfo
    targets: list[TargetReport]
    stages: list[StageReport] = []
    notes: list[str] = []
    reproduce: Annotated[str, Meta(description="The command that measures this again.")] = ""
    created: Annotated[str, Meta(description="UTC time, ISO 8601.")] = ""
    version: Annotated[str, Meta(description="Version of gatekeeper that measured.")] = ""
    commit: Annotated[str, Meta(description="Commit that was measured; empty outside of GitHub Actions.")] = ""
    base: Annotated[Base | None, Meta(description="The report of the base branch, where one was given.")] = None
