"""The description that a server serves of itself: valid, whole, and true of every answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest
import requests
import schemathesis
from kit.served import HANGS, RAISES, REFUSES, SLOW, Served, asked, request, row, serving
from kit.support import spec, write_model
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.models.info import Assessment, TensorInfo
from gatekeeper.serve import config
from gatekeeper.serve.app import App
from gatekeeper.serve.metrics import Metrics
from gatekeeper.serve.openapi import description
from gatekeeper.serve.pool import Pool

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
CASES = 15  # of each operation, with data that fits and with data that does not
NAME = "my digits"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    write_model(folder / "digits.onnx")
    return folder / "digits.onnx"


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Served]:
    with serving(model, "--name", NAME, "--max-body", "100kB") as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Served) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{server.url}/v2/openapi.json", timeout=60).json()
    return found


def assessment(*inputs: TensorInfo) -> Assessment:
    return Assessment(
        path="m", format="onnx", files=[], bytes=1, architecture="", parameters=0, weights={}, operators={},
        weighted_operators={}, nested_operators={}, inputs=list(inputs), outputs=[], opset={},
    )  # fmt: skip


def text() -> config.Served:
    """A text model, described only."""
    words = TextSpec(model="m", framework="llama_cpp", vocabulary=512, end=[0], context=256)
    return config.Served(name="t", spec=spec("m", "llama_cpp", text=words), model=assessment())


def tensors(*inputs: TensorInfo) -> config.Served:
    return config.Served(name="m", spec=spec("m"), model=assessment(*inputs))


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    odd_ones = tensors(
        TensorInfo(name="s", dtype="string", shape=[]), TensorInfo(name="u", dtype="uint8", shape=[2, "n"]),
        TensorInfo(name="b", dtype="bool", shape=[None]), TensorInfo(name="i", dtype="int64", shape=[1]),
    )  # fmt: skip
    for found in (document, description(text()), description(odd_ones), description(tensors())):
        OpenAPIV31SpecValidator(cast(Any, found)).validate()
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(cast(Any, document | {"paths": {"/v2": {"get": {"responses": 1}}}})).validate()


def test_every_path_is_described_and_no_other(document: dict[str, Any]) -> None:
    about = tensors()
    metrics = Metrics(None)
    routes = App(about, Pool(about, metrics), metrics).routes().routes
    there = {(route.path, method) for route in routes for method in cast(Any, route).methods - {"HEAD"}}  # type: ignore[attr-defined]
    fill = {"{name}": "my%20digits", "{version}": "1"}
    expected = set()
    for path, method in there:
        for name, value in fill.items():
            path = path.replace(name, value)
        expected.add((path, method))
    described = {(path, method.upper()) for path, operations in document["paths"].items() for method in operations}
    assert described == expected - {("/v2/", "GET")}


def test_it_says_what_the_model_takes_and_the_limits(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    (tensor,) = schemas["InferRequest"]["properties"]["inputs"]["items"]["anyOf"]
    assert tensor["properties"]["name"] == {"const": "x"} and tensor["properties"]["datatype"] == {"const": "FP32"}
    assert tensor["properties"]["shape"]["prefixItems"] == [{"type": "integer", "minimum": 0}, {"const": 16}]
    assert schemas["InferAnswer"]["properties"]["outputs"]["items"]["properties"]["name"] == {"enum": ["y"]}
    infer = document["paths"]["/v2/models/my%20digits/infer"]["post"]
    assert "100000 bytes" in infer["requestBody"]["description"]
    assert "200" not in document["paths"]["/v2/models/my%20digits/generate"]["post"]["responses"]
    assert "200" in description(text())["paths"]["/v2/models/t/generate"]["post"]["responses"]


def test_integers_have_the_limits_of_their_type() -> None:
    def data(dtype: str) -> Any:
        schemas = description(tensors(TensorInfo(name="x", dtype=dtype, shape=[1])))["components"]["schemas"]
        return schemas["InferRequest"]["properties"]["inputs"]["items"]["anyOf"][0]["properties"]["data"]["items"]

    assert data("uint8") == {"type": "integer", "minimum": 0, "maximum": 255}
    assert data("int64") == {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert (data("bool"), data("float16"), data("string")) == ({"type": "boolean"}, {"type": "number"}, {"type": "string"})


def conforms(operation: Any, answer: requests.Response) -> None:
    """Hold an answer against the description."""
    operation.Case().validate_response(schemathesis.Response.from_requests(answer, verify=False), checks=CHECKS[1:])


def operations(server: Served) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{server.url}/v2/openapi.json")
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_answers_to_what_a_fuzzer_makes_up_are_as_described(server: Served, mode: schemathesis.GenerationMode) -> None:
    statuses: set[int] = set()
    for operation in operations(server).values():
        if mode is schemathesis.GenerationMode.NEGATIVE and operation.method.upper() != "POST":
            continue
        count = CASES if operation.method.upper() == "POST" else 1

        @hypothesis.seed(6)
        @hypothesis.settings(
            max_examples=count, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            answer = case.call(timeout=60)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        ask()
    assert 400 in statuses
    assert statuses <= {200, 400, 413, 422}


def test_every_status_is_described(model: Path, tmp_path: Path) -> None:
    """What only a model in trouble is answered with, and that a description which lacks it would be found out."""
    with serving(
        model, "--framework", "asked", "--queue", "2", "--timeout", "2s", "--max-body", "1MB", env=asked(tmp_path)
    ) as moody:
        known = operations(moody)
        url = f"{moody.url}/v2/models/digits/infer"

        def infer(first: float) -> requests.Response:
            return requests.post(url, json=request(row(first)), timeout=60)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(infer, [SLOW] * 8))
        answers += [infer(1.0), infer(RAISES), infer(REFUSES), infer(float(HANGS))]
        answers.append(requests.post(url, data=b" " * 1_500_000, timeout=60))
        binary = request(row()) | {"parameters": {"binary_data_output": True}}
        answers.append(requests.post(url, json=binary, timeout=60))
        assert {answer.status_code for answer in answers} == {200, 400, 413, 500, 503, 504}
        for answer in answers:
            conforms(known["infer"], answer)
        with pytest.raises(FailureGroup):
            conforms(known["live"], infer(RAISES))
