"""The stand-in itself: what GitHub would refuse, it must not let pass."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from kit.github_api import SPECIFICATION, TOKEN, StandIn
from kit.support import REPOSITORY

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
COMMENTS = "/repos/octo/models/issues/7/comments"


@pytest.fixture
def strict() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", COMMENTS, {}),
        ("POST", COMMENTS, {"body": 5}),
        ("POST", COMMENTS, None),
        ("PATCH", "/repos/octo/models/issues/comments/x", {"body": "a"}),
        ("PUT", COMMENTS, {"body": "a"}),
        ("GET", f"{COMMENTS}?per_page=many", None),
        ("GET", f"{COMMENTS}?perpage=100", None),
        ("GET", "/repos/octo/models/pulls?state=opened", None),
        ("GET", "/repos/octo/models/nothing", None),
    ],
)
def test_a_request_that_is_not_described_is_noticed(strict: StandIn, method: str, path: str, body: Any) -> None:
    requests.request(method, strict.url + path, json=body, headers=HEADERS, timeout=10)
    assert len(strict.violations) == 1
    assert strict.state.comments == []


def test_an_answer_that_is_not_described_is_noticed(strict: StandIn) -> None:
    strict.comment(body=5)  # type: ignore[arg-type]
    requests.get(strict.url + COMMENTS, headers=HEADERS, timeout=10)
    assert "the stand-in's own answer" in strict.violations[0]


def test_the_description_says_where_it_is_from() -> None:
    description = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    assert description["info"]["license"]["name"] == "MIT"
    assert SPECIFICATION.stat().st_size < 250_000


def test_as_a_program_it_keeps_its_state_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"issues": [3], "accounts": {"t": {"login": "me", "installation": False, "writes": True}}}))
    command = [sys.executable, str(REPOSITORY / "tests/kit/github_api.py"), "--port", "0", "--state", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            answer = requests.post(
                f"{url}/repos/octo/models/issues/3/comments",
                json={"body": "hello"},
                headers={"Authorization": "token t"},
                timeout=30,
            )
        finally:
            process.terminate()
    assert answer.status_code == 201
    state = json.loads(file.read_text())
    assert [(c["issue"], c["login"], c["body"]) for c in state["comments"]] == [(3, "me", "hello")]
    assert [(r["method"], r["status"]) for r in state["requests"]] == [("POST", 201)]
    assert state["violations"] == []
