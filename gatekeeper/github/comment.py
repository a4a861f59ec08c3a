"""One comment in a pull request, which later runs bring up to date.

The comment is found again by a hidden first line, and by its author: anybody can write that line. Whatever goes wrong
becomes a warning; the verdict does not depend on a comment.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from gatekeeper.errors import UsageError
from gatekeeper.github._client import connect, explain, persistently, within, without
from gatekeeper.github.context import Event, MeasuredRun
from gatekeeper.records.base import Record, Verdict
from gatekeeper.reports._plain import plain

if TYPE_CHECKING:
    from github import Github
    from github.IssueComment import IssueComment

Mode = Literal["always", "changes", "failures", "off"]
Action = Literal["created", "updated", "unchanged", "skipped", ""]

MAX_CHARACTERS = 65_536  # GitHub's
TOTAL_S = 30.0
_PERMISSION = "pull-requests: write"
_ACTIONS = "github-actions[bot]"


class Published(Record, frozen=True, kw_only=True):
    """What became of the comment. An empty action is a failure; the warning says why and what to do."""

    url: str = ""
    warning: str = ""
    action: Action = ""


class PullRequest(Record, frozen=True, kw_only=True):
    """The pull request of a run, or why there is none to comment on."""

    number: int | None = None
    reason: str = ""


def marker(comment_id: str) -> str:
    """The hidden first line of the comment with this id. What is neither letter, digit, dot nor slash becomes a hyphen."""
    clean = re.sub(r"[^\w./]+", "-", comment_id).strip("-")[:80]
    return f"<!-- gatekeeper:{clean or 'default'} -->"


def wanted(mode: Mode, verdict: Verdict, changed: bool) -> Literal["write", "update", "nothing"]:
    """What a mode asks for: `update` touches a comment that is there already, so that it never shows an old verdict."""
    if mode == "off":
        return "nothing"
    silent = (mode == "changes" and not changed) or (mode == "failures" and verdict is Verdict.PASS)
    return "update" if silent else "write"


def publish(
    event: Event,
    token: str,
    body: str,
    comment_id: str,
    mode: Mode,
    *,
    verdict: Verdict,
    changed: bool = True,
    seconds: float = TOTAL_S,
) -> Published:
    """Create or update the comment. Never raises; ends within `seconds`.

    `changed` is whether anything differs from the base branch; without a comparison it is True.
    """
    intent = wanted(mode, verdict, changed)
    if intent == "nothing" or (event.number is None and event.measured is None):
        return Published(action="skipped")
    text = f"{marker(comment_id)}\n{body}".encode("utf-8", "replace").decode()
    try:
        if len(text) > MAX_CHARACTERS:
            raise UsageError(f"it has {len(text)} characters, and GitHub takes {MAX_CHARACTERS}. Shorten it.")
        return within(seconds, lambda deadline: _publish(event, token, text, intent == "write", deadline))
    except Exception as error:
        why = without(token, explain(error, event, _PERMISSION))
        return Published(
            warning=f"The comment was not written: {why} The verdict stands; the step summary shows the same report."
        )


def find_pull_request(event: Event, token: str, *, seconds: float = TOTAL_S) -> PullRequest:
    """The open pull request whose head a `workflow_run` event's run measured. Never raises.

    The payload does not name it where it comes from a fork, and what the run itself left behind is a stranger's word:
    only GitHub knows whose head this is.
    """
    if event.measured is None:
        return PullRequest(number=event.number, reason="" if event.number else "the event belongs to no pull request")
    try:
        run = event.measured
        return within(seconds, lambda end: persistently(end, lambda: _find(connect(event, token, end - _now()), event, run)))
    except Exception as error:
        return PullRequest(reason=without(token, explain(error, event, "pull-requests: read")))


def _find(client: Github, event: Event, run: MeasuredRun) -> PullRequest:
    if not run.event.startswith("pull_request"):
        return PullRequest(reason=f"the run was started by '{plain(run.event, 40)}', not by a pull request")
    if not run.head_owner or not run.head_branch:
        return PullRequest(reason="the repository that the pull request came from is gone")
    head = f"{run.head_owner}:{run.head_branch}"
    pulls = client.get_repo(event.repository).get_pulls(state="open", head=head)
    heads = {pull.number: pull.head.sha for pull in pulls if pull.head.label == head}
    numbers = sorted(number for number, sha in heads.items() if sha == run.head_sha)
    if len(numbers) == 1:
        return PullRequest(number=numbers[0])
    if numbers:
        names = ", ".join(f"#{number}" for number in numbers)
        return PullRequest(reason=f"{names} have the same head, and the run does not say which of them it measured")
    if heads:
        return PullRequest(reason=f"{plain(head, 200)} was pushed to since the run; the run of the new commit comments")
    return PullRequest(reason=f"no open pull request has the head {plain(head, 200)}")


def _publish(event: Event, token: str, text: str, create: bool, deadline: float) -> Published:
    client = connect(event, token, deadline - _now())
    number = event.number
    if event.measured is not None:
        run = event.measured
        pull = persistently(deadline, lambda: _find(client, event, run))
        if pull.number is None:
            return Published(action="skipped", warning=without(token, f"There is no comment: {pull.reason}."))
        number = pull.number
    assert number is not None
    # A repeated POST could leave two comments; a repetition that looks again first cannot.
    return persistently(deadline, lambda: _stick(client, event.repository, number, text, create, deadline))


def _stick(client: Github, repository: str, number: int, text: str, create: bool, deadline: float) -> Published:
    from github import UnknownObjectException

    issue = client.get_repo(repository).get_issue(number)
    marked = [comment for comment in issue.get_comments() if _first_line(comment.body) == _first_line(text)]
    own = _own(client, marked)
    if not own:
        if not create:
            return Published(action="skipped")
        _still_time(deadline)
        return Published(action="created", url=issue.create_comment(text).html_url)
    # Two first runs at once leave two comments. The oldest is the one that every later run agrees on, whatever else
    # is added meanwhile, and the one that links point to; the others would go on showing an old verdict.
    comment, *others = own
    same = _normal(comment.body) == _normal(text)
    if not same:
        _still_time(deadline)
        comment.edit(text)
    for other in others:
        _still_time(deadline)
        with suppress(UnknownObjectException):  # another run was faster
            other.delete()
    return Published(action="unchanged" if same else "updated", url=comment.html_url)


def _own(client: Github, marked: list[IssueComment]) -> list[IssueComment]:
    if not marked:
        return []
    login = _login(client)
    # the account of an author may be gone
    return sorted((c for c in marked if c.user and c.user.login == login), key=lambda comment: comment.id)


def _login(client: Github) -> str:
    """Whose token this is. An app's token, GITHUB_TOKEN among them, may ask GraphQL only."""
    import github

    try:
        return client.get_user().login
    except github.GithubException as error:
        if error.status != 403:
            raise
    try:
        _, answer = client.requester.graphql_query("query { viewer { login } }", {})
        return str(answer["data"]["viewer"]["login"])
    except (github.GithubException, KeyError, TypeError) as error:
        if isinstance(error, github.GithubException) and error.status >= 500:
            raise
        return _ACTIONS


def _first_line(body: str | None) -> str:
    return (body or "").partition("\n")[0].strip()


def _normal(body: str | None) -> str:
    return (body or "").replace("\r\n", "\n").rstrip()


def _now() -> float:
    return time.monotonic()


def _still_time(deadline: float) -> None:
    """Nobody waits for the answer any more: a write now would contradict the warning that was given."""
    if _now() >= deadline:
        raise TimeoutError
