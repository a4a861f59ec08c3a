"""What the server says of the model."""

from __future__ import annotations

from gatekeeper.checks.asking import call_json
from gatekeeper.checks.integration.base import Case
from gatekeeper.checks.integration.service import Service
from gatekeeper.checks.outcome import Broken
from gatekeeper.serve.behind import NAME
from gatekeeper.serve.child import Server


def metadata(service: Service, server: Server) -> str:
    """It describes the model's inputs and outputs."""
    from gatekeeper.serve.config import DATATYPES

    said, model = call_json(server.address, f"/v2/models/{NAME}"), service.subject.model
    if said.get("name") != NAME:
        raise Broken(f"it calls itself {said.get('name')!r}")
    for kind, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        described = {t["name"]: (t["datatype"], t["shape"]) for t in said.get(kind, [])}
        if service.subject.spec.text is not None:
            if not described:
                raise Broken(f"it names no {kind}")
            continue
        if set(described) != {t.name for t in tensors}:
            raise Broken(f"its {kind} are {', '.join(described)}, and the model's {', '.join(t.name for t in tensors)}")
        for tensor in tensors:
            datatype, shape = described[tensor.name]
            sizes = [d if isinstance(d, int) and d > 0 else -1 for d in tensor.shape]
            if (datatype, shape) != (DATATYPES.get(tensor.dtype, datatype), sizes):
                raise Broken(f"it says that {tensor.name} is {datatype}{shape}, and it is {tensor.dtype}{sizes}")
    return "it names the model's inputs and outputs"


CASES = (Case("metadata", "smoke", metadata),)
