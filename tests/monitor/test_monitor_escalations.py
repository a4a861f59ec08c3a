"""Who is told when nothing helps: a webhook and an issue on GitHub, and what is said where they cannot be reached."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from kit.github_api import REPOSITORY, TOKEN, Account, StandIn

from gatekeeper.config.sections.resolution import Resolution
from gatekeeper.monitor.decide import Finding
from gatekeeper.monitor.escalations._base import ESCALATIONS, telling
from gatekeeper.monitor.resolution.evidence import Evidence, Step

HOSTILE = "`</code>@octo #1 ![x](http://evil/x) \x1b[31m <!-- gatekeeper -->"


def evidence() -> Evidence:
    fires = Finding(
        name="latency_p99", test="performance", alert="latency_p99", status="fires", observed=80.0, limit=50.0, unit="ms",
        p_value=1e-9, n=900, needs=299, over=0.2, allowed=0.01,
    )  # fmt: skip
    steps = [Step(step="more_cpu", what="2 threads", decision="rollback", reason=HOSTILE, kept=False)]
    return Evidence(
        schema="gatekeeper/escalation/v1", time="2026-11-28T12:00:00Z", pipeline="p.yaml", alert="latency_p99", severity="page",
        means="Slow.", remedy="Look.", findings=[fires], steps=steps, signals=[],
    )  # fmt: skip


@contextmanager
def listener(status: int, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", heard
    finally:
        server.shutdown()
        server.server_close()


def test_every_way_is_a_key_of_the_section() -> None:
    assert set(ESCALATIONS.names) <= set(Resolution.__struct_fields__)


def test_a_webhook_hears_the_evidence() -> None:
    with listener(204) as (url, heard):
        sent, unsent = telling(Resolution(live="x", webhook=url), {})(evidence())
    assert unsent == [] and "204" in sent[0]
    [(headers, body)] = heard
    assert headers["content-type"] == "application/json"
    assert msgspec.json.decode(body, type=Evidence) == evidence()
    assert json.loads(body)["schema"] == "gatekeeper/escalation/v1"


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (404, {}), (302, {"Location": "http://127.0.0.1:1/"})])
def test_what_is_no_yes_is_not_sent(status: int, headers: dict[str, str]) -> None:
    with listener(status, headers) as (url, heard):
        sent, unsent = telling(Resolution(live="x", webhook=url), {})(evidence())
    assert sent == [] and f"answers {status}" in unsent[0] and len(heard) == 1


def test_who_is_not_there_is_said_without_the_password() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{held.getsockname()[1]}/token-in-path"
        sent, unsent = telling(Resolution(live="x", webhook=url), {})(evidence())
    assert sent == [] and "does not answer" in unsent[0] and "secret" not in unsent[0] and "token-in-path" not in unsent[0]


def test_an_issue_is_opened_with_everything_and_nothing_of_it_is_live() -> None:
    with StandIn() as github:
        told = telling(Resolution(live="x", issue=REPOSITORY), {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url})
        sent, unsent = told(evidence())
        assert github.violations == []
    [issue] = github.state.opened
    assert unsent == [] and str(issue["number"]) in sent[0]
    assert issue["title"] == "gatekeeper: latency_p99 fires and 1 step did not help"
    assert "20.00% of 900 over it" in issue["body"] and "more_cpu" in issue["body"]
    assert "<!--" not in issue["body"] and "\x1b" not in issue["body"]
    told_line = next(line for line in issue["body"].splitlines() if "more_cpu" in line)
    assert told_line.count("`") == 4, "what a stranger wrote stays in its code span"


def test_a_token_that_is_missing_or_may_not_is_said_and_never_shown() -> None:
    with StandIn() as github:
        own = Resolution(live="x", issue=REPOSITORY)
        _, none = telling(own, {"GITHUB_API_URL": github.url})(evidence())
        _, unknown = telling(own, {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": "ghp_wrong_token"})(evidence())
        github.state.accounts[TOKEN] = Account(writes=False)
        _, reading = telling(own, {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": TOKEN})(evidence())
    assert "GITHUB_TOKEN is not set" in none[0]
    assert "does not accept the token" in unknown[0] and "ghp_wrong" not in unknown[0]
    assert "issues: write" in reading[0] and github.state.opened == []


def test_one_that_fails_keeps_nobody_from_hearing_by_another() -> None:
    with listener(500) as (url, _), StandIn() as github:
        own = Resolution(live="x", webhook=url, issue=REPOSITORY)
        sent, unsent = telling(own, {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url})(evidence())
    assert len(sent) == len(unsent) == 1 and len(github.state.opened) == 1
