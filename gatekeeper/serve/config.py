"""What a server serves, and its limits."""

from __future__ import annotations

import msgspec

from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.models.info import Assessment

SESSION = "gatekeeper.serve.worker"
"""The module of a process with a session."""

DATATYPES = {
    "bool": "BOOL",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
"""Element types by their names in the Open Inference Protocol."""


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output as the protocol describes it; -1 is an axis of any length."""

    name: str
    datatype: str
    shape: list[int]


class Served(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model behind a server."""

    name: str
    spec: ModelSpec
    model: Assessment
    task: str | None = None
    host: str = "127.0.0.1"
    port: int = 0  # 0: any that is free
    workers: int = 1  # processes with a session each
    queue: int = 64  # requests that may wait; more are refused with 503
    max_batch: int = 1  # examples that are put together; 1: each request by itself
    batch_delay_ms: float = 2.0
    cache: int = 0  # answers that are kept for questions that come again; 0: none
    max_body_bytes: int = 64 << 20
    request_timeout_s: float = 30.0
    body_timeout_s: float = 10.0
    drain_s: float = 30.0

    def inputs(self) -> list[TensorMetadata]:
        """What a request must hold; of a text model the ids of a prompt."""
        if self.spec.text is not None:
            return [TensorMetadata(name="tokens", datatype="INT64", shape=[1, -1])]
        return [_tensor(t.name, t.dtype, t.shape) for t in self.model.inputs]

    def outputs(self) -> list[TensorMetadata]:
        """What an answer holds."""
        if self.spec.text is not None:
            return [TensorMetadata(name="logits", datatype="FP32", shape=[1, -1, self.spec.text.vocabulary or -1])]
        return [_tensor(t.name, t.dtype, t.shape) for t in self.model.outputs]


def _tensor(name: str, dtype: str, shape: list[int | str | None]) -> TensorMetadata:
    sizes = [d if isinstance(d, int) and d > 0 else -1 for d in shape]
    return TensorMetadata(name=name, datatype=DATATYPES.get(dtype, dtype.upper()), shape=sizes)
