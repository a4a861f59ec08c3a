"""What a step's environment and the payload of its event say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.github.context import needed, read_event

ENVIRONMENT = {
    "GITHUB_REPOSITORY": "octo/models",
    "GITHUB_SHA": "c" * 40,
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_SERVER_URL": "https://github.com/",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_WORKFLOW": "gate",
}


def environment(folder: Path, name: str, payload: Any) -> dict[str, str]:
    path = folder / "event.json"
    path.write_bytes(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return ENVIRONMENT | {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}


def pull_request(head: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "action": "synchronize",
        "repository": {"id": 1, "default_branch": "main"},
        "pull_request": {
            "number": 7,
            "head": {"sha": "a" * 40, "ref": "topic", "repo": head},
            "base": {"sha": "b" * 40, "ref": "release", "repo": {"id": 1, "full_name": "octo/models"}},
        },
    }


@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_a_pull_request(tmp_path: Path, name: str) -> None:
    event = read_event(environment(tmp_path, name, pull_request({"id": 1})))
    assert (event.name, event.number, event.head_sha, event.sha) == (name, 7, "a" * 40, "c" * 40)
    assert (event.base_ref, event.default_branch, event.fork) == ("release", "main", False)
    assert (event.repository, event.run_id, event.run_attempt, event.workflow) == ("octo/models", 42, 1, "gate")
    assert event.run_url == "https://github.com/octo/models/actions/runs/42"


def test_a_later_attempt_has_a_page_of_its_own(tmp_path: Path) -> None:
    event = read_event(environment(tmp_path, "push", {}) | {"GITHUB_RUN_ATTEMPT": "3"})
    assert event.run_url == "https://github.com/octo/models/actions/runs/42/attempts/3"


@pytest.mark.parametrize("head", [{"id": 2, "fork": True}, None], ids=["fork", "fork that is gone"])
def test_a_fork(tmp_path: Path, head: dict[str, Any] | None) -> None:
    assert read_event(environment(tmp_path, "pull_request", pull_request(head))).fork


def test_a_branch_of_a_repository_that_is_itself_a_fork_is_none(tmp_path: Path) -> None:
    assert not read_event(environment(tmp_path, "pull_request", pull_request({"id": 1, "fork": True}))).fork


def test_a_push_has_no_pull_request(tmp_path: Path) -> None:
    event = read_event(environment(tmp_path, "push", b"not even JSON"))
    assert (event.number, event.head_sha, event.fork, event.measured) == (None, "c" * 40, False, None)


def test_a_merge_group(tmp_path: Path) -> None:
    group = {"merge_group": {"head_sha": "d" * 40, "base_ref": "refs/heads/main"}}
    event = read_event(environment(tmp_path, "merge_group", group))
    assert (event.number, event.head_sha, event.base_ref) == (None, "d" * 40, "main")


def test_a_workflow_run(tmp_path: Path) -> None:
    run = {
        "id": 99,
        "event": "pull_request",
        "head_sha": "a" * 40,
        "head_branch": "topic",
        "head_repository": {"id": 2, "owner": {"login": "stranger"}},
        "conclusion": "failure",
        "pull_requests": [],
    }
    event = read_event(environment(tmp_path, "workflow_run", {"workflow_run": run}))
    assert event.number is None
    assert event.measured is not None
    assert (event.measured.id, event.measured.head_owner, event.measured.head_branch) == (99, "stranger", "topic")
    assert (event.measured.event, event.measured.head_sha, event.measured.conclusion) == ("pull_request", "a" * 40, "failure")


def test_a_workflow_run_of_a_repository_that_is_gone(tmp_path: Path) -> None:
    run = {"id": 99, "event": "pull_request", "head_repository": None, "head_branch": None, "conclusion": None}
    event = read_event(environment(tmp_path, "workflow_run", {"workflow_run": run}))
    assert event.measured is not None
    assert event.measured.head_owner == ""


def test_outside_of_actions_nothing_is_missing_until_it_is_needed() -> None:
    event = read_event({})
    assert (event.repository, event.number, event.run_url) == ("", None, "")
    with pytest.raises(UsageError, match="GITHUB_API_URL is not set"):
        needed(event, "api_url")
    with pytest.raises(UsageError, match="GITHUB_RUN_ID is not set"):
        needed(event, "run_id")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"pull_request": null}',
        b'{"pull_request": {"number": "7"}}',
        b"[" * 100_000,
    ],
    ids=lambda payload: payload[:12].decode("latin-1"),
)
def test_a_damaged_payload_is_named(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(UsageError, match=r"event\.json: not the payload of a 'pull_request' event"):
        read_event(environment(tmp_path, "pull_request", payload))


def test_a_missing_payload_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.json: the event's payload cannot be read"):
        read_event(ENVIRONMENT | {"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(tmp_path / "nowhere.json")})
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH is not set"):
        read_event(ENVIRONMENT | {"GITHUB_EVENT_NAME": "pull_request"})


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "²"])
def test_a_run_number_that_is_none(value: str) -> None:
    event = read_event(ENVIRONMENT | {"GITHUB_RUN_ID": value})
    assert (event.run_id, event.run_url) == (None, "")
