"""The comment of a pull request: one, its own, up to date; and what is said where it cannot be."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import sys
from typing import Any

import pytest
from kit.github_api import TOKEN, Account, StandIn

from gatekeeper.github.comment import Published, find_pull_request, marker, publish, wanted
from gatekeeper.github.context import Event, MeasuredRun
from gatekeeper.records.base import Verdict

BOT = "github-actions[bot]"
HEAD = "a" * 40
RATE = '{"message": "API rate limit exceeded for installation ID 1.", "documentation_url": "https://docs.github.com/rest"}'
SECONDARY = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'
GARBAGE = ["", "{", "<html>sign in</html>", "null", "[1, 2]", '{"a": 1}', "[{}]", '[{"id": "x", "body": 5}]', "\x00"]


def event(api: StandIn, **changes: Any) -> Event:
    values = {"name": "pull_request", "repository": "octo/models", "api_url": api.url, "number": 7, "head_sha": HEAD}
    return Event(**(values | changes))


def say(api: StandIn, body: str = "✅ **pass**", token: str = TOKEN, mode: Any = "always", **changes: Any) -> Published:
    how = {name: changes.pop(name) for name in ("verdict", "changed", "seconds", "comment_id") if name in changes}
    how.setdefault("verdict", Verdict.PASS)
    return publish(event(api, **changes), token, body, how.pop("comment_id", "gate"), mode, **how)


def marked(body: str, comment_id: str = "gate") -> str:
    return f"{marker(comment_id)}\n{body}"


def test_the_first_comment_is_created_and_the_second_push_edits_it(api: StandIn) -> None:
    first, second, third = say(api, "one"), say(api, "two"), say(api, "two")
    assert [first.action, second.action, third.action] == ["created", "updated", "unchanged"]
    assert first.url == second.url == third.url
    assert first.url.startswith("https://github.com/octo/models/pull/7#issuecomment-")
    assert api.bodies() == [marked("two")]
    assert len(api.writes()) == 2
    assert first.warning == second.warning == third.warning == ""


def test_the_comment_is_found_behind_hundreds_of_others(api: StandIn) -> None:
    for number in range(130):
        api.comment(f"{number}", "reader")
    api.comment(marked("old"))
    for number in range(130):
        api.comment(f"{number}", "reader")
    assert say(api, "new").action == "updated"
    assert [body for body in api.bodies() if "new" in body] == [marked("new")]
    assert len(api.bodies()) == 261
    pages = [r.query.get("page", ["1"])[0] for r in api.requests if r.path.endswith("/7/comments")]
    assert pages == ["1", "2", "3"]


def test_another_author_with_the_same_first_line_is_left_alone(api: StandIn) -> None:
    theirs = marked("❌ fail, says a stranger")
    api.comment(theirs, "stranger")
    assert say(api, "mine").action == "created"
    assert say(api, "mine, again").action == "updated"
    assert api.bodies() == [theirs, marked("mine, again")]


def test_an_author_whose_account_is_gone(api: StandIn) -> None:
    api.comment(marked("theirs"), "")
    assert say(api, "mine").action == "created"


def test_a_duplicate_that_another_run_deletes_first(api: StandIn) -> None:
    api.comment(marked("first"))
    api.comment(marked("second"))
    api.fail("DELETE", "/comments", status=404, body='{"message": "Not Found"}')
    assert (say(api, "new").action, say(api, "new").warning) == ("updated", "")


def test_every_id_has_a_comment_of_its_own(api: StandIn) -> None:
    assert say(api, "one", comment_id="cpu").action == "created"
    assert say(api, "two", comment_id="cpu-arm").action == "created"
    assert say(api, "three", comment_id="cpu").action == "updated"
    assert api.bodies() == [marked("three", "cpu"), marked("two", "cpu-arm")]


def test_a_quoted_comment_is_not_the_comment(api: StandIn) -> None:
    api.comment(f"> {marked('quoted')}")
    api.comment(f"see\n{marked('below')}")
    assert say(api, "mine").action == "created"


def test_what_the_browser_does_to_line_ends_is_no_change(api: StandIn) -> None:
    api.comment(marked("a\nb").replace("\n", "\r\n") + "\r\n")
    assert say(api, "a\nb").action == "unchanged"


@pytest.mark.parametrize(
    "account",
    [
        Account("person", installation=False),
        Account("our-app[bot]"),
    ],
    ids=["personal token", "app"],
)
def test_a_token_that_is_not_the_job_s(api: StandIn, account: Account) -> None:
    api.state.accounts["own"] = account
    api.comment(marked("of the job's token"))
    assert say(api, "one", token="own").action == "created"
    assert say(api, "two", token="own").action == "updated"
    assert api.bodies() == [marked("of the job's token"), marked("two")]


def test_the_job_s_token_is_known_where_nobody_says_whose_it_is(api: StandIn) -> None:
    api.fail("POST", "/graphql", status=404, body='{"message": "Not Found"}')
    api.comment(marked("old"))
    assert say(api, "new").action == "updated"
    assert api.bodies() == [marked("new")]


def test_of_two_that_a_race_left_the_oldest_stays(api: StandIn) -> None:
    oldest = api.comment(marked("first"))
    api.comment("a word in between", "reader")
    api.comment(marked("second"))
    published = say(api, "new")
    assert published.url.endswith(str(oldest))
    assert api.bodies() == [marked("new"), "a word in between"]


MODES = ("always", "changes", "failures", "off")


@pytest.mark.parametrize(("mode", "verdict", "changed"), list(itertools.product(MODES, Verdict, (True, False))))
def test_modes(mode: Any, verdict: Verdict, changed: bool) -> None:
    intent = wanted(mode, verdict, changed)
    if mode == "off":
        assert intent == "nothing"
    elif mode == "changes":
        assert intent == ("write" if changed else "update")
    elif mode == "failures":
        assert intent == ("update" if verdict is Verdict.PASS else "write")
    else:
        assert intent == "write"


@pytest.mark.parametrize(("mode", "changed"), [("changes", False), ("failures", True)])
def test_a_silent_mode_begins_no_comment_but_keeps_one_up_to_date(api: StandIn, mode: str, changed: bool) -> None:
    assert say(api, "quiet", mode=mode, changed=changed) == Published(action="skipped")
    assert api.bodies() == []
    api.comment(marked("❌ the verdict before"))
    assert say(api, "✅ now", mode=mode, changed=changed).action == "updated"
    assert api.bodies() == [marked("✅ now")]


def test_mode_off_asks_nothing(api: StandIn) -> None:
    assert say(api, mode="off") == Published(action="skipped")
    assert say(api, number=None, name="push") == Published(action="skipped")
    assert api.requests == []


@pytest.mark.parametrize("comment_id", ["x -->\n<script>", "--", "", "a" * 500, "<!-- -->", "-->", "line\nbreak\u2028\x85"])
def test_no_id_closes_its_marker(comment_id: str) -> None:
    line = marker(comment_id)
    inside = line.removeprefix("<!-- ").removesuffix(" -->")
    assert len(line.splitlines()) == 1
    assert "--" not in inside
    assert not set("<>") & set(inside)


FAILURES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "401": ({"status": 401, "body": '{"message": "Bad credentials"}'}, ["does not accept the token", "Bad credentials"]),
    "404": ({"status": 404, "body": '{"message": "Not Found"}'}, ["does not show octo/models", "pull-requests: write"]),
    "422": (
        {"status": 422, "body": '{"message": "Validation Failed", "errors": [{"message": "Body is too long"}]}'},
        ["Body is too long"],
    ),
    "locked": (
        {"status": 403, "body": '{"message": "Unable to create comment because issue is locked."}'},
        ["refuses it (403: Unable to create comment because issue is locked.)"],
    ),
    "rate": ({"status": 403, "body": RATE, "headers": {"X-RateLimit-Reset": "9999999999999"}}, ["rate limit", "in some minutes"]),
    "secondary": ({"status": 403, "body": SECONDARY, "headers": {"Retry-After": "60"}}, ["rate limit", "in 60 s"]),
    "429": ({"status": 429, "body": SECONDARY, "headers": {"Retry-After": "3600"}}, ["rate limit", "in 60 minutes"]),
}


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_refusal_is_a_warning_that_says_why_and_what_to_do(api: StandIn, name: str, verb: str) -> None:
    how, words = FAILURES[name]
    api.fail(verb, "/issues/7/comments", **how)
    published = say(api)
    assert (published.action, published.url) == ("", "")
    assert published.warning.startswith("The comment was not written: ")
    assert [word for word in words if word not in published.warning] == []
    assert "The verdict stands" in published.warning
    assert api.bodies() == []
    assert len([r for r in api.requests if r.method == verb]) == 1, "a refusal is not repeated"


def test_an_unknown_token(api: StandIn) -> None:
    assert "does not accept the token (401: Bad credentials)" in say(api, token="expired").warning


def test_a_pull_request_that_is_not_there(api: StandIn) -> None:
    assert "does not show octo/models" in say(api, number=8).warning


def test_a_token_that_only_reads(api: StandIn) -> None:
    api.state.accounts[TOKEN].writes = False
    assert "permissions: {pull-requests: write}" in say(api).warning
    from_fork = say(api, fork=True).warning
    assert "a pull request from a fork may only read" in from_fork
    assert "examples/workflows" in from_fork
    assert api.bodies() == []


def test_a_body_that_github_would_refuse_is_not_sent(api: StandIn) -> None:
    assert "GitHub takes 65536" in say(api, "é" * 65_536).warning
    assert api.requests == []
    assert say(api, "é" * 65_000).action == "created"


def test_a_failure_that_passes_is_not_noticed(api: StandIn) -> None:
    api.fail("GET", "/comments", status=502, times=1)
    assert say(api, "one") == Published(action="created", url=say(api, "one").url)
    api.fail("PATCH", "/comments", status=503, times=1)
    assert say(api, "two").action == "updated"
    assert api.bodies() == [marked("two")]


def test_a_comment_whose_answer_was_lost_is_not_made_twice(api: StandIn) -> None:
    api.fail("POST", "/comments", status=502, times=1, serve_first=True)
    assert say(api, "one").action == "unchanged"
    assert api.bodies() == [marked("one")]


def test_a_failure_that_stays_ends(api: StandIn) -> None:
    api.fail("GET", "/comments", status=503, body="<html>Unicorn!</html>")
    assert "GitHub's API fails (503)" in say(api).warning
    assert len(api.requests) == 3


@pytest.mark.parametrize("slow", [{"delay_s": 30.0}, {"trickle_s": 0.2, "status": 200}], ids=["silent", "byte by byte"])
def test_a_slow_service_is_not_waited_for(api: StandIn, slow: dict[str, Any]) -> None:
    api.fail("GET", "/comments", body="[" + " " * 200 + "]", **slow)
    assert "did not answer" in say(api, seconds=1.0).warning
    assert api.bodies() == []


def test_nobody_there(api: StandIn) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    warning = say(api, api_url=f"http://user:secret@{address}", seconds=1.0).warning
    assert f"cannot be reached at {address}" in warning
    assert "secret" not in warning


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize("status", [200, 403])
def test_garbage(api: StandIn, body: str, status: int) -> None:
    api.fail("GET", "/comments", status=status, body=body)
    api.fail("POST", "/comments", status=201, body="{}")
    published = say(api)
    assert isinstance(published.warning, str)
    assert published.warning or published.action == "created"
    assert "Traceback" not in published.warning


@pytest.mark.parametrize(
    "said", ["::error::x\n::set-output name=a::b", "\x1b[31mred", "\u202eesrever", f"your token {TOKEN}", "x" * 10_000]
)
def test_what_the_service_says_is_harmless(api: StandIn, said: str) -> None:
    api.fail("GET", "/comments", status=403, body=json.dumps({"message": said}))
    warning = say(api).warning
    assert len(warning.splitlines()) == 1
    assert len(warning) < 1000
    assert [part for part in ("\x1b", "\u202e", TOKEN) if part in warning] == []
    assert not any(word.startswith("::") for word in warning.split()), "nothing that a line could start with is a command"


@pytest.mark.parametrize("token", ["", " \n", f"{TOKEN}\nX-Evil: 1", f'"{TOKEN} "', "ünicode", "\x00"])
def test_a_token_that_is_none(api: StandIn, token: str) -> None:
    warning = say(api, token=token).warning
    assert "token" in warning
    assert TOKEN not in warning
    assert api.requests == []


def test_a_token_with_a_line_end_works(api: StandIn) -> None:
    assert say(api, token=f"{TOKEN}\n").action == "created"


@pytest.mark.parametrize("url", ["", "api.github.com", "ftp://x", "http://", "http://[", "file:///etc/passwd"])
def test_an_address_that_is_none(api: StandIn, url: str) -> None:
    assert "GITHUB_API_URL is" in say(api, api_url=url).warning


def test_the_token_is_in_no_log(api: StandIn, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        say(api)
        api.fail("GET", "/comments", status=401)
        say(api)
    printed = capfd.readouterr()
    assert TOKEN not in caplog.text + printed.out + printed.err


def test_hostile_text_arrives_as_it_is(api: StandIn) -> None:
    body = 'a"b\\ \u2028 \ud800 😀 --> {"body": 1}'
    assert say(api, body).action == "created"
    assert api.bodies() == [marked(body.replace("\ud800", "?"))]
    assert say(api, body).action == "unchanged"


def measured(api: StandIn, **changes: Any) -> Event:
    run = {"id": 1, "event": "pull_request", "head_sha": HEAD, "head_branch": "topic", "head_owner": "stranger"}
    return event(api, name="workflow_run", number=None, measured=MeasuredRun(**(run | changes)))


def test_the_pull_request_of_a_run_is_the_open_one_with_its_head(api: StandIn) -> None:
    api.pull(8, owner="stranger", sha=HEAD)
    api.pull(9, owner="octo", sha=HEAD)
    api.pull(10, owner="stranger", branch="other", sha=HEAD)
    api.pull(11, owner="stranger", sha=HEAD, state="closed")
    assert find_pull_request(measured(api), TOKEN).number == 8
    published = publish(measured(api), TOKEN, "hello", "gate", "always", verdict=Verdict.FAIL)
    assert published.action == "created"
    assert (api.bodies(8), api.bodies(9)) == ([marked("hello")], [])


@pytest.mark.parametrize(
    ("pulls", "changes", "reason"),
    [
        ([], {}, "no open pull request has the head stranger:topic"),
        ([{"sha": "f" * 40}], {}, "stranger:topic was pushed to since the run"),
        ([{"state": "closed"}], {}, "no open pull request"),
        ([{}, {}], {}, "#20, #21 have the same head"),
        ([], {"head_branch": "::x\u202e"}, "no open pull request has the head stranger"),
        ([{}], {"event": "push"}, "started by 'push'"),
        ([{}], {"head_owner": ""}, "is gone"),
        ([{}], {"head_branch": ""}, "is gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_run_without_a_pull_request_to_comment_on(
    api: StandIn, pulls: list[dict[str, Any]], changes: dict[str, Any], reason: str
) -> None:
    for number, pull in enumerate(pulls, 20):
        api.pull(number, **({"owner": "stranger", "sha": HEAD} | pull))
    found = find_pull_request(measured(api, **changes), TOKEN)
    assert found.number is None
    assert reason in found.reason
    published = publish(measured(api, **changes), TOKEN, "x", "gate", "always", verdict=Verdict.PASS)
    assert published.action == "skipped"
    assert reason in published.warning
    assert api.writes() == []


def test_a_service_that_is_down_has_no_pull_request(api: StandIn) -> None:
    api.pull(8, owner="stranger", sha=HEAD)
    api.fail("GET", "/pulls", status=500)
    assert "GitHub's API fails (500" in find_pull_request(measured(api), TOKEN, seconds=2.0).reason


def test_without_pygithub_the_remedy_is_named(api: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "github", None)
    assert "pip install 'edge-gatekeeper[github]'" in say(api).warning
    assert "pip install 'edge-gatekeeper[github]'" in find_pull_request(measured(api), TOKEN).reason
