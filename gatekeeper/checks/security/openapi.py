"""What the server of a model takes and answers, as an OpenAPI description: the part of the Open Inference Protocol it speaks."""

from __future__ import annotations

from typing import Any

from gatekeeper.serve.config import Served

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}


def description(served: Served) -> dict[str, Any]:
    """An OpenAPI 3.1 document of one server."""
    model = f"/v2/models/{served.name}"
    paths: dict[str, Any] = {
        "/v2/health/live": {"get": _operation("live", {"200": {"description": "it lives"}})},
        "/v2/health/ready": {"get": _operation("ready", {"200": {"description": "it is ready"}})},
        "/v2": {"get": _operation("server", {"200": _json(_object(name=_TEXT, version=_TEXT, extensions=_list(_TEXT)))})},
        model: {"get": _operation("model", {"200": _json(_metadata())})},
        f"{model}/ready": {"get": _operation("model_ready", {"200": {"description": "it is ready"}})},
        f"{model}/infer": {"post": _operation("infer", {"200": _json(_answer()), **_refusals()}, _infer(served))},
    }
    text = {"200": _json(_object(model_name=_TEXT, model_version=_TEXT, text_output=_TEXT)), **_refusals()}
    events = {"200": {"description": "pieces", "content": {"text/event-stream": {}}}, **_refusals()}
    if served.text is None:
        text, events = _refusals(), _refusals()
    paths[f"{model}/generate"] = {"post": _operation("generate", text, _generate())}
    paths[f"{model}/generate_stream"] = {"post": _operation("generate_stream", events, _generate())}
    return {"openapi": "3.1.0", "info": {"title": "gatekeeper serve", "version": "2"}, "paths": paths}


def _operation(name: str, responses: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"operationId": name, "responses": responses}
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "as the protocol has it", "content": {"application/json": {"schema": schema}}}


def _refusals() -> dict[str, Any]:
    return {code: _json(_ERROR) for code in ("400", "404", "405", "408", "413", "422")}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _metadata() -> dict[str, Any]:
    tensors = _list(_object(name=_TEXT, datatype=_TEXT, shape=_list(_WHOLE)))
    return _object(name=_TEXT, versions=_list(_TEXT), platform=_TEXT, inputs=tensors, outputs=tensors)


def _answer() -> dict[str, Any]:
    output = _object(name=_TEXT, datatype=_TEXT, shape=_list(_WHOLE))
    return _object(model_name=_TEXT, outputs=_list(output))


def _infer(served: Served) -> dict[str, Any]:
    """Requests of the model's own names and types, so that some of what is made up is nearly right."""
    names = {"enum": [tensor.name for tensor in served.inputs()]}
    types = {"enum": sorted({tensor.datatype for tensor in served.inputs()} | {"FP32", "INT64", "BYTES"})}
    element = {"type": ["number", "boolean", "string"]}
    tensor = _object(name=names, datatype=types, shape=_list(_WHOLE | {"minimum": -1, "maximum": 64}) | {"maxItems": 5})
    tensor["properties"]["data"] = _list(element)
    tensor["properties"]["parameters"] = {"type": "object", "properties": {"binary_data_size": _WHOLE}}
    whole = _object(inputs=_list(tensor) | {"maxItems": 4})
    whole["properties"] |= {"id": _TEXT, "outputs": _list(_object(name=_TEXT)) | {"maxItems": 4}}
    return whole


def _generate() -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {
            "max_tokens": _WHOLE | {"minimum": 0, "maximum": 4},
            "temperature": {"type": "number"},
            "stop": _list(_TEXT) | {"maxItems": 4},
        },
    }
    whole = _object(text_input=_TEXT)
    whole["properties"]["parameters"] = parameters
    return whole
