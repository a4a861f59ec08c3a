"""What `gatekeeper repair` found (`repair.json`, schema gatekeeper/repair/v1): a change that passes, or what it would take.

It judges nothing: no verdict of a report rests on it. Who applies the patch has it measured again by `gatekeeper run`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record, Verdict
from gatekeeper.records.gates import GateResult

REPAIR_SCHEMA: Literal["gatekeeper/repair/v1"] = "gatekeeper/repair/v1"
FILE_NAME = "repair.json"


class Edit(Record, frozen=True, kw_only=True):
    """One value of the pipeline file: where it stands below `edge_ai_pipeline`, and what is put there."""

    path: tuple[str | int, ...]
    value: Any

    def __str__(self) -> str:
        dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).lstrip(".")
        return f"{dotted}: {_shown(self.value)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_shown(each) for each in value) + "]"
    return str(value)


class Lost(Record, frozen=True, kw_only=True):
    """A gate that a remedy did not hold, and by how much."""

    gate: str
    verdict: Verdict
    observed: float | None = None
    bound: Annotated[float | None, Meta(description="The bound that was held against the limit; None: it was estimated.")] = None
    limit: float | None = None
    unit: str = ""
    estimated: Annotated[bool, Meta(description="Whether calibration data or two rounds said so, no full measurement.")] = False
    reason: str = ""


Step = Literal["unsuited", "unmade", "cheap", "confirmed", "waiting"]
"""How far a remedy came: it does not suit, could not be made, was tried cheaply, was measured fully, or is still to be tried."""


class Tried(Record, frozen=True, kw_only=True):
    """One remedy on one variant, and what became of it."""

    remedy: str
    variant: str
    edits: list[Edit]
    step: Step
    passed: bool = False
    kl: Annotated[float | None, Meta(description="How far its answers are from the original's on calibration data, in nats.")] = (
        None
    )
    same: Annotated[float | None, Meta(description="Share of calibration examples answered as the original does.")] = None
    examples: Count = 0
    speedup: Annotated[float | None, Meta(description="Over the original, of two rounds.")] = None
    memory: Annotated[float | None, Meta(description="Peak beside the original's, of two rounds.")] = None
    lost: list[Lost] = []
    reason: str = ""
    seconds: Amount = 0.0
    kept: Annotated[bool, Meta(description="Whether an earlier run that was interrupted had found it already.")] = False
    attempt: Annotated[int, Meta(ge=0, description="Attempt that its full measurement was; 0: it had none.")] = 0


class Line(Record, frozen=True, kw_only=True):
    """A line of the patch, and what is lost without it."""

    edit: Edit
    lost: list[Lost]
    attempt: Annotated[int, Meta(ge=0, description="Attempt that the rerun without it was; 0: the file as it stands.")] = 0


class No(Record, frozen=True, kw_only=True):
    """Why there is no repair, in one of three words."""

    word: Literal["bounded", "not_reached", "not_tried"]
    gate: str = ""
    limit: float | None = None
    reached: Annotated[float | None, Meta(description="The best that was seen of it.")] = None
    unit: str = ""
    share: Annotated[float | None, Meta(description="Of the original's time, what can be quantized.")] = None
    cap: Annotated[float | None, Meta(description="Speedup if that share took no time at all (Amdahl's law).")] = None
    rate: Annotated[float | None, Meta(description="How many times as fast that share must be for the limit.")] = None
    fastest: Annotated[float | None, Meta(description="How many times as fast it was seen to be here.")] = None
    remedies: list[str] = []
    reason: str = ""


class Repair(Record, frozen=True, kw_only=True):
    """Everything a repair found; the reports of its full measurements lie beside it."""

    schema: Literal["gatekeeper/repair/v1"]
    outcome: Literal["nothing_to_repair", "repaired", "no"]
    file: str
    file_sha256: str
    model_sha256: str
    version: str
    patch: Annotated[str, Meta(description="A diff of the pipeline file; empty where there is none.")] = ""
    remedy: str = ""
    variant: Annotated[str, Meta(description="The variant that passes with it.")] = ""
    first_line: Annotated[int, Meta(ge=0, description="Where the one changed stretch begins; 0: there are several.")] = 0
    last_line: Annotated[int, Meta(ge=0, description="And where it ends, as the file stands.")] = 0
    replacement: Annotated[str, Meta(description="What stands there with the patch.")] = ""
    edits: list[Edit] = []
    gates: Annotated[list[GateResult], Meta(description="Of that variant, as the full measurement judged them.")] = []
    lines: list[Line] = []
    failed: Annotated[list[Lost], Meta(description="What the file as it stands loses.")] = []
    tried: list[Tried] = []
    no: list[No] = []
    notes: list[str] = []
    attempts: Annotated[list[int], Meta(description="Attempts that full measurements were: all share one error budget.")] = []
    seconds: Amount = 0.0
    budget_s: Amount = 0.0
