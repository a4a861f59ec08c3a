"""What a server takes and answers, as an OpenAPI document that it serves itself: its part of the Open Inference Protocol.

The names, types and axes are those of its model, the limits its own, and every status that a path can answer with is there.
What a schema cannot say, such as that a tensor has as many elements as its shape claims, is answered with 400.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gatekeeper.serve.config import DATATYPES, Served, TensorMetadata
from gatekeeper.version import version

MODEL_VERSION = "1"
MOST_TOKENS = 4096

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_SIZE = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}


def description(served: Served) -> dict[str, Any]:
    """An OpenAPI 3.1 document of one server."""
    paths: dict[str, Any] = {
        "/v2/health/live": _get("live", "Whether the process answers", {"200": _empty("it does")}),
        "/v2/health/ready": _get("ready", "Whether requests can be answered", {"200": _empty("they can"), **_errors("503")}),
        "/v2": _get("server", "What this server is", {"200": _json("Server")}),
        "/v2/openapi.json": _get("openapi", "This document", {"200": _is("application/json", {"type": "object"})}),
        "/metrics": _get("metrics", "Metrics of Prometheus", {"200": _is("text/plain", _TEXT)}),
    }
    model = f"/v2/models/{quote(served.name, safe='')}"
    for path, more in ((model, ""), (f"{model}/versions/{MODEL_VERSION}", "_of_version")):
        paths |= _model(served, path, more)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"gatekeeper serve: {served.name}", "version": version()},
        "paths": paths,
        "components": {"schemas": _schemas(served)},
    }


def _model(served: Served, path: str, more: str) -> dict[str, Any]:
    """The paths of the model, or of its one version."""
    body = _errors("408", "413")
    asked = {**body, **_errors("400", "422", "500", "504"), "503": _busy()}
    none = {**body, **_errors("400")}  # a model that writes no text says so
    text = none if served.spec.text is None else {"200": _json("Text"), **asked}
    events = (
        none
        if served.spec.text is None
        else {"200": {"description": "events, a piece of text each", "content": {"text/event-stream": {}}}, **asked}
    )
    answer = {"200": _json("InferAnswer", "application/octet-stream"), **asked}
    limit = f"At most {served.max_body_bytes} bytes, within {served.body_timeout_s:g} s."
    infer = _post(f"infer{more}", "Tensors to tensors", answer, "InferRequest", limit, "application/octet-stream")
    infer["post"]["parameters"] = [
        {"name": "Inference-Header-Content-Length", "in": "header", "required": False, "schema": _SIZE,
         "description": "Bytes of the JSON at the body's beginning, where tensors follow it in binary."}
    ]  # fmt: skip
    return {
        path: _get(f"model{more}", "The model's inputs and outputs", {"200": _json("Model")}),
        f"{path}/ready": _get(
            f"model_ready{more}", "Whether the model can be asked", {"200": _empty("it can"), **_errors("503")}
        ),
        f"{path}/infer": infer,
        f"{path}/generate": _post(f"generate{more}", "The likeliest text", text, "TextRequest", limit),
        f"{path}/generate_stream": _post(f"generate_stream{more}", "The same, piece by piece", events, "TextRequest", limit),
    }


def _get(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _post(
    name: str, summary: str, responses: dict[str, Any], schema: str, limit: str, binary: str | None = None
) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(schema)}} | ({binary: {}} if binary else {})
    body = {"required": True, "description": limit, "content": content}
    return {"post": {"operationId": name, "summary": summary, "requestBody": body, "responses": responses}}


def _empty(said: str) -> dict[str, Any]:
    return {"description": said}


def _json(schema: str, binary: str | None = None) -> dict[str, Any]:
    response = _is("application/json", _ref(schema))
    if binary:
        response["content"][binary] = {}
    return response


def _is(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "as the protocol has it", "content": {media: {"schema": schema}}}


_MEANING = {
    "400": "the request is not one that the model can be asked",
    "408": "the body did not come in time",
    "413": "the body is too large",
    "422": "what is asked for cannot be said, or is not served",
    "500": "the model failed",
    "503": "not now: the queue is full, or the server is stopping",
    "504": "no answer in time",
}


def _errors(*codes: str) -> dict[str, Any]:
    return {code: _json("Error") | {"description": _MEANING[code]} for code in codes}


def _busy() -> dict[str, Any]:
    unavailable: dict[str, Any] = _errors("503")["503"]
    return unavailable | {"headers": {"Retry-After": {"schema": _SIZE, "description": "seconds"}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _schemas(served: Served) -> dict[str, Any]:
    about = _list(_object(name=_TEXT, datatype=_TEXT, shape=_list(_WHOLE)))
    inputs, outputs = served.inputs(), served.outputs()
    request = _object(inputs=_list({"anyOf": [_input(tensor) for tensor in inputs]} if inputs else {}))
    request["properties"]["inputs"] |= {"minItems": len(inputs), "maxItems": len(inputs)}
    wanted = _object(name=_named(outputs))
    wanted["properties"]["parameters"] = _some(binary_data={"type": "boolean"})
    request["properties"] |= {"id": _TEXT, "outputs": _list(wanted), "parameters": _some(binary_data_output={"type": "boolean"})}
    answered = _object(name=_named(outputs), datatype={"enum": sorted(set(DATATYPES.values()))}, shape=_list(_SIZE))
    answered["properties"] |= {"data": _list({}), "parameters": _some(binary_data_size=_SIZE)}
    answer = _object(model_name={"const": served.name}, model_version={"const": MODEL_VERSION}, outputs=_list(answered))
    answer["properties"]["id"] = _TEXT
    text = _object(text_input=_TEXT)
    text["properties"]["parameters"] = _ref("TextParameters")
    return {
        "Error": _object(error=_TEXT),
        "Server": _object(name=_TEXT, version=_TEXT, extensions=_list(_TEXT)),
        "Model": _object(name={"const": served.name}, versions=_list(_TEXT), platform=_TEXT, inputs=about, outputs=about),
        "InferRequest": request,
        "InferAnswer": answer,
        "TextRequest": text,
        "TextParameters": _some(
            max_tokens=_SIZE | {"maximum": MOST_TOKENS}, stop=_list(_TEXT), temperature=_NUMBER | {"const": 0}, top_p={"const": 1}
        ),
        "Text": _object(model_name={"const": served.name}, model_version={"const": MODEL_VERSION}, text_output=_TEXT),
    }


def _some(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object none of whose properties must be there."""
    return {"type": "object", "properties": properties}


def _named(tensors: list[TensorMetadata]) -> dict[str, Any]:
    return {"enum": [tensor.name for tensor in tensors]} if tensors else _TEXT


def _input(tensor: TensorMetadata) -> dict[str, Any]:
    """An input in JSON, or the description of one that follows in binary."""
    axes = [_SIZE if size < 0 else {"const": size} for size in tensor.shape]
    shape = {"type": "array", "prefixItems": axes, "items": _SIZE, "minItems": len(axes), "maxItems": len(axes)}
    if not axes:
        del shape["prefixItems"]
    schema = _object(name={"const": tensor.name}, datatype={"const": tensor.datatype}, shape=shape)
    schema["properties"] |= {"data": _list(_element(tensor.datatype)), "parameters": _some(binary_data_size=_SIZE)}
    return schema


def _element(datatype: str) -> dict[str, Any]:
    if datatype == "BOOL":
        return {"type": "boolean"}
    if datatype == "BYTES":
        return _TEXT
    if "INT" not in datatype:
        return _NUMBER
    unsigned, _, bits = datatype.partition("INT")
    low = 0 if unsigned else -(2 ** (int(bits) - 1))
    return _WHOLE | {"minimum": low, "maximum": low + 2 ** int(bits) - 1}
