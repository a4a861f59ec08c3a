"""What every record is made of. All are frozen. Names carry their unit: `_ns`, `_bytes`. A missing number is None, never zero."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

FRAMEWORKS = ("apple_mlx", "llama_cpp", "microsoft_olive", "onnx_runtime", "openvino")
"""The frameworks the pipeline file knows by name, whether or not this version can run them."""


MOST = 1 << 62
Whole = Annotated[int, Meta(ge=-MOST, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Amount = Annotated[float, Meta(ge=0)]
"""What cannot be negative, or larger than anything that is measured: who reads a record refuses one in which it is."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of every record."""


class Verdict(StrEnum):
    """What is known: `error` is not measured, `inconclusive` is measured and undecided."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    SKIP = "skip"


class Interval(Record, frozen=True, kw_only=True):
    """An observed value with one-sided confidence bounds."""

    observed: float
    lower: float
    upper: float
