"""What `gatekeeper explain` says: profiles, layers, bottlenecks and diagnoses, each with what it rests on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record

EXPLANATION_SCHEMA: Literal["gatekeeper/explanation/v1"] = "gatekeeper/explanation/v1"


class Fact(Record, frozen=True, kw_only=True):
    """One thing that was measured or read, with its unit."""

    what: Annotated[str, Meta(description="Such as `CPU utilisation`.")]
    value: Annotated[float | None, Meta(description="None: it is no number, and `said` is all of it.")]
    unit: Annotated[
        str, Meta(description="`fraction`, `nats`, `bytes`, `bytes/s`, `ns`, `count`, or the gate's; empty of words.")
    ]
    said: Annotated[str, Meta(description="The same in words.")]


class Tried(Record, frozen=True, kw_only=True):
    """What became of a remedy that was tried."""

    outcome: Annotated[str, Meta(description="In words: what it reached, or the gate it lost and by how much.")]
    helped: Annotated[bool, Meta(description="Whether every gate then held.")] = False


class Remedy(Record, frozen=True, kw_only=True):
    """What may be done about a cause."""

    what: str
    tried: Annotated[Tried | None, Meta(description="None: nobody has tried it here.")] = None


class Bottleneck(Record, frozen=True, kw_only=True):
    """What a model's speed is limited by, or is not."""

    name: Annotated[str, Meta(description="Such as memory_bound.")]
    found: Annotated[
        Literal["yes", "no", "unknown"], Meta(description="`unknown`: what would tell was not measured well, or not at all.")
    ]
    evidence: list[Fact] = []
    cause: str = ""
    remedy: str = ""
    reason: Annotated[str, Meta(description="Why it is unknown; empty where it is not.")] = ""


class Diagnosis(Record, frozen=True, kw_only=True):
    """Why gates did not pass, and what may be done."""

    problem: Annotated[str, Meta(description="Such as slow_inference.")]
    gates: Annotated[list[str], Meta(description="The gates it is about; empty where none was judged.")] = []
    evidence: list[Fact] = []
    cause: str
    remedies: list[Remedy] = []


class Operator(Record, frozen=True, kw_only=True):
    """All nodes of one kind in a profile."""

    operator: str
    share: Annotated[float, Meta(ge=0, le=1, description="Of the time that all operators take.")]
    nodes: Count = 0


class Profile(Record, frozen=True, kw_only=True):
    """Where an inference's time goes. Shares, not times: to profile is to slow down."""

    profiler: str
    runs: Count
    operators: list[Operator] = []
    inside: Annotated[
        float | None,
        Meta(description="Operators' time by the profiler over the latency without it: more than it really is. None: not known."),
    ] = None
    notes: list[str] = []


class Layer(Record, frozen=True, kw_only=True):
    """One layer, and how far the answers move when it alone is quantized."""

    output: Annotated[str, Meta(description="The tensor it computes, which names it: names of nodes may be missing or doubled.")]
    node: Annotated[str, Meta(description="The node's own name; empty where it has none.")] = ""
    operator: str = ""
    exclude: Annotated[
        str, Meta(description="What `exclude` of the technique calls it: the node that has its weights, by name or output.")
    ] = ""
    weights: Annotated[Count, Meta(description="Constant numbers that it has.")] = 0
    divergence: Annotated[Amount, Meta(description="Kullback-Leibler divergence of the answers from the original's, in nats.")]
    share: Annotated[float | None, Meta(description="Of the time that all operators take; None: not known.")] = None


class Ranking(Record, frozen=True, kw_only=True):
    """The quantized layers, the most sensitive first."""

    layers: list[Layer] = []
    together: Annotated[Amount | None, Meta(description="The divergence of the variant itself, with all of them quantized.")] = (
        None
    )
    examples: Annotated[Count, Meta(description="Calibration examples that were answered.")] = 0
    left: Annotated[Count, Meta(description="Layers that there was no time for.")] = 0
    seconds: Amount = 0.0
    reason: Annotated[str, Meta(description="Why layers could not be ranked; empty where they were.")] = ""


class Traffic(Record, frozen=True, kw_only=True):
    """What a model moves, beside what this machine was seen to move."""

    bytes_per_inference: Annotated[Amount, Meta(description="Read and written by operators, or at least the weights.")]
    least: Annotated[bool, Meta(description="Whether only weights were counted, so that it is more than that.")] = False
    rate: Annotated[Amount, Meta(description="Bytes a second, at the latency without a profiler.")]
    ceiling: Annotated[Amount, Meta(description="Bytes a second: the best that was seen here.")]
    ceiling_of: Annotated[str, Meta(description="What reached it: copy, triad, read, or an operator of the model.")] = ""
    rounds: Annotated[
        list[float], Meta(description="The best of copy and triad (and read, of weights) in each round, bytes a second.")
    ] = []
    spread: Annotated[Amount, Meta(description="(largest - smallest) / largest of the rounds.")] = 0.0


class Explained(Record, frozen=True, kw_only=True):
    """What is known of one variant."""

    id: str
    framework: str
    technique: str
    verdict: Annotated[str, Meta(description="As in the report; empty where nothing was judged.")] = ""
    bottlenecks: list[Bottleneck] = []
    diagnoses: list[Diagnosis] = []
    profile: Profile | None = None
    traffic: Traffic | None = None
    ranking: Ranking | None = None
    unsaid: Annotated[list[str], Meta(description="What cannot be said of it, and why.")] = []


class Explanation(Record, frozen=True, kw_only=True):
    """Everything `gatekeeper explain` found."""

    schema: Literal["gatekeeper/explanation/v1"]
    of: Annotated[str, Meta(description="The report or the pipeline file that is explained.")]
    variants: list[Explained] = []
    notes: list[str] = []
    version: str = ""
