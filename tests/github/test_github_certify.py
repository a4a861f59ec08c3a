"""A certificate made by a workflow: approvals come from GitHub's API for this very run, and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kit.certified import Place, certified
from kit.github_api import TOKEN, StandIn
from kit.once import Once

from gatekeeper.errors import UsageError
from gatekeeper.github.approvals import approvals
from gatekeeper.github.certify import step
from gatekeeper.github.context import Event

SHA = "b" * 40


def event(api: StandIn, run: int | None) -> Event:
    return Event(name="push", repository="octo/models", api_url=api.url, run_id=run)


def test_the_answers_of_this_run_are_told(api: StandIn) -> None:
    run, other = api.run(), api.run()
    api.approve(run, "production", "mona", comment="looks\n::error::good")
    api.approve(run, "staging", "hubot", state="rejected")
    api.approve(other, "production", "eve")
    told = approvals(event(api, run), TOKEN)
    assert [(each.environment, each.state, each.user) for each in told] == [
        ("production", "approved", "mona"),
        ("staging", "rejected", "hubot"),
    ]
    assert "\n" not in told[0].comment
    assert "::error" not in told[0].comment.replace("\u2060", "_")


def test_a_run_that_asked_nobody_has_none(api: StandIn) -> None:
    assert approvals(event(api, api.run()), TOKEN) == []


@pytest.mark.parametrize(
    ("token", "run", "said"),
    [
        ("", 1, "there is no token"),
        ("wrong", 1, "does not accept the token"),
        (TOKEN, 4711, "actions: read"),
        (TOKEN, None, "GITHUB_RUN_ID is not set"),
    ],
)
def test_what_github_does_not_tell_is_said(api: StandIn, token: str, run: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        approvals(event(api, run), token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("body", ["{}", "[1]", '[{"environments": 1, "state": "approved"}]', "null", "<html>"])
def test_an_answer_that_is_none(api: StandIn, body: str) -> None:
    run = api.run()
    api.fail("GET", "approvals", status=200, body=body, headers={"content-type": "application/json"})
    with pytest.raises(UsageError, match="were not read"):
        approvals(event(api, run), TOKEN)


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    found = certified(once, tmp_path)
    found.change_report(lambda report: report.update(commit=SHA))
    found.certificate.unlink()
    return found


def environ(place: Place, api: StandIn, run: int, **more: str) -> dict[str, str]:
    return {
        "RESULT": str(place.report),
        "KEY": str(place.key),
        "TOKEN": TOKEN,
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": api.url,
        "GITHUB_REPOSITORY": "octo/models",
        "GITHUB_RUN_ID": str(run),
        "GITHUB_SHA": SHA,
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF_PROTECTED": "true",
        "GITHUB_OUTPUT": str(place.folder / "outputs"),
    } | more


def stated(place: Place) -> Any:
    return place.payload()["predicate"]["approvals"]


def test_a_step_certifies_with_them(place: Place, api: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    run = api.run()
    api.approve(run, "production", "mona", comment="ship it")
    more = {"APPROVALS": json.dumps([{"user": "eve"}]), "INPUT_APPROVALS": "eve"}
    assert step(environ(place, api, run, **more)) == 0
    assert "approved by: mona (approved, production)" in capsys.readouterr().out
    assert stated(place) == [{"environment": "production", "state": "approved", "user": "mona", "comment": "ship it"}]
    assert place.verify().returncode == 0
    assert "certificate" in (place.folder / "outputs").read_text()


def test_without_an_answer_nothing_is_certified(place: Place, api: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert step(environ(place, api, 4711)) == 2
    assert "the approvals of this run were not read" in capsys.readouterr().err
    assert step({}) == 2
    assert step(environ(place, api, api.run(), KEY="")) == 2
    assert "this is no job of GitHub Actions that may sign by its identity" in capsys.readouterr().err
    assert step(environ(place, api, api.run(), GITHUB_EVENT_NAME="push", GITHUB_REF_PROTECTED="false")) == 1
    assert not place.certificate.exists()


def test_the_command_line_knows_of_none(place: Place, api: StandIn) -> None:
    run = api.run()
    api.approve(run, "production", "mona")
    assert place.certify(env=environ(place, api, run)).returncode == 0
    assert stated(place) is None
