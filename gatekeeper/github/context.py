"""What GitHub Actions says of the run: `GITHUB_*` variables and the payload of the event.

Outside of Actions every field is empty: `needed` is for those that something cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.records.base import Record

_VARIABLES = {
    "name": "GITHUB_EVENT_NAME",
    "repository": "GITHUB_REPOSITORY",
    "sha": "GITHUB_SHA",
    "api_url": "GITHUB_API_URL",
    "server_url": "GITHUB_SERVER_URL",
    "run_id": "GITHUB_RUN_ID",
    "run_attempt": "GITHUB_RUN_ATTEMPT",
    "workflow": "GITHUB_WORKFLOW",
}


class MeasuredRun(Record, frozen=True, kw_only=True):
    """The run that a `workflow_run` event speaks of: the one that measured, maybe with a stranger's code."""

    id: int
    event: str = ""  # what started it
    head_sha: str = ""
    head_branch: str = ""
    head_owner: str = ""  # empty where the fork is gone
    conclusion: str = ""


class Event(Record, frozen=True, kw_only=True):
    """One run of a workflow. `number` is its pull request's, None where it has none."""

    name: str = ""  # push, pull_request, workflow_run ...
    repository: str = ""  # owner/name
    sha: str = ""  # what was checked out; of a pull request, the merge commit
    api_url: str = ""
    server_url: str = ""
    run_id: int | None = None
    run_attempt: int | None = None
    workflow: str = ""
    number: int | None = None
    head_sha: str = ""  # the last commit of the pull request; else the commit itself
    base_ref: str = ""  # the branch that the pull request or the merge group wants to join
    default_branch: str = ""
    fork: bool = False  # whether the pull request comes from another repository
    measured: MeasuredRun | None = None

    @property
    def run_url(self) -> str:
        """The page of this run, with its summary; empty outside of Actions."""
        if not (self.server_url and self.repository and self.run_id):
            return ""
        attempt = f"/attempts/{self.run_attempt}" if self.run_attempt and self.run_attempt > 1 else ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}{attempt}"

    @property
    def measured_url(self) -> str:
        """The page of the run that a `workflow_run` event speaks of; empty for others."""
        known = self.measured and self.server_url and self.repository
        return f"{self.server_url}/{self.repository}/actions/runs/{self.measured.id}" if known and self.measured else ""


class _Repository(msgspec.Struct):
    id: int | None = None
    default_branch: str | None = None


class _Side(msgspec.Struct):
    sha: str = ""
    ref: str = ""
    repo: _Repository | None = None  # null where the fork is gone


class _PullRequest(msgspec.Struct):
    number: int
    head: _Side
    base: _Side


class _Group(msgspec.Struct):
    head_sha: str = ""
    base_ref: str = ""


class _Owner(msgspec.Struct):
    login: str = ""


class _HeadRepository(msgspec.Struct):
    owner: _Owner | None = None


class _Run(msgspec.Struct):
    id: int
    event: str = ""
    head_sha: str = ""
    head_branch: str | None = None
    head_repository: _HeadRepository | None = None
    conclusion: str | None = None


class _Payload(msgspec.Struct):
    repository: _Repository | None = None


_P = TypeVar("_P", bound=_Payload)


class _PullRequestPayload(_Payload, kw_only=True):
    pull_request: _PullRequest


class _GroupPayload(_Payload, kw_only=True):
    merge_group: _Group


class _RunPayload(_Payload, kw_only=True):
    workflow_run: _Run


def needed(event: Event, field: str) -> str:
    """A field that must be there; `UsageError` names the variable that is missing."""
    value = getattr(event, field)
    if value in ("", None):
        raise UsageError(f"{_VARIABLES[field]} is not set. Run this in GitHub Actions, which sets it, or set it yourself.")
    return str(value)


def read_event(environ: Mapping[str, str]) -> Event:
    """The event, from the environment of a step.

    Only a pull request's, a merge group's and a `workflow_run`'s payload is read; `UsageError` where such a one is
    missing or damaged, because then it is unknown whom the verdict is for.
    """
    fields: dict[str, Any] = {field: environ.get(variable, "").strip() for field, variable in _VARIABLES.items()}
    for field in ("run_id", "run_attempt"):
        fields[field] = int(fields[field]) if fields[field].isascii() and fields[field].isdigit() else None
    fields["api_url"], fields["server_url"] = fields["api_url"].rstrip("/"), fields["server_url"].rstrip("/")
    fields["head_sha"] = fields["sha"]
    name, path = fields["name"], environ.get("GITHUB_EVENT_PATH", "")
    if name.startswith("pull_request"):
        fields |= _pull_request(_payload(name, path, _PullRequestPayload))
    elif name == "merge_group":
        fields |= _group(_payload(name, path, _GroupPayload))
    elif name == "workflow_run":
        fields |= _run(_payload(name, path, _RunPayload))
    return Event(**fields)


def _pull_request(payload: _PullRequestPayload) -> dict[str, Any]:
    request = payload.pull_request
    head, base = request.head.repo, request.base.repo
    return {
        "number": request.number,
        "head_sha": request.head.sha,
        "base_ref": request.base.ref,
        "default_branch": _default_branch(payload),
        # not `head.repo.fork`, which says whether that repository was ever forked from another
        "fork": head is None or base is None or head.id is None or head.id != base.id,
    }


def _group(payload: _GroupPayload) -> dict[str, Any]:
    return {
        "head_sha": payload.merge_group.head_sha,
        "base_ref": payload.merge_group.base_ref.removeprefix("refs/heads/"),
        "default_branch": _default_branch(payload),
    }


def _run(payload: _RunPayload) -> dict[str, Any]:
    run = payload.workflow_run
    owner = run.head_repository.owner if run.head_repository else None
    return {
        "head_sha": run.head_sha,
        "default_branch": _default_branch(payload),
        "measured": MeasuredRun(
            id=run.id,
            event=run.event,
            head_sha=run.head_sha,
            head_branch=run.head_branch or "",
            head_owner=owner.login if owner else "",
            conclusion=run.conclusion or "",
        ),
    }


def _default_branch(payload: _Payload) -> str:
    return (payload.repository and payload.repository.default_branch) or ""


def _payload(name: str, path: str, kind: type[_P]) -> _P:
    remedy = "Run this in a step of GitHub Actions, which writes it"
    if not path:
        raise UsageError(f"GITHUB_EVENT_PATH is not set, and the event is '{name}'. {remedy}, or unset GITHUB_EVENT_NAME.")
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(f"{path}: the event's payload cannot be read: {error.strerror}. {remedy}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not the payload of a '{name}' event ({error}). {remedy}.") from None
