"""A repair as a suggestion at its line: one click in the pull request takes it over.

GitHub refuses a comment at a line that is no part of the pull request's diff with 422, and in a review with it all others. So it
is made only where the whole stretch is, and where the file there is the one that was repaired; else there is the diff in the
comment.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gatekeeper.github._client import connect, explain, persistently, within, without
from gatekeeper.github.comment import _first_line, _login, marker
from gatekeeper.github.context import Event
from gatekeeper.records.base import Record
from gatekeeper.records.repaired import Repair
from gatekeeper.repair.shown import untrue
from gatekeeper.reports._plain import as_written

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest
    from github.PullRequestComment import PullRequestComment
    from github.Repository import Repository

TOTAL_S = 30.0
PERMISSION = "pull-requests: write"
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


class Suggested(Record, frozen=True, kw_only=True):
    """Where it stands; empty where there is none, `reason` says why. A warning is a failure, and what to do."""

    url: str = ""
    reason: str = ""
    warning: str = ""


def suggest(event: Event, token: str, found: Repair, comment_id: str, *, seconds: float = TOTAL_S) -> Suggested:
    """Make the suggestion, bring an older one up to date, or take it away. Never raises; ends within `seconds`."""
    if event.number is None or event.measured is not None:
        return Suggested(reason="the event belongs to no pull request of this run's own")
    try:
        return within(seconds, lambda deadline: _suggest(event, token, found, comment_id, deadline))
    except Exception as error:
        why = without(token, explain(error, event, PERMISSION))
        return Suggested(warning=f"There is no suggestion at the line: {why} The comment has the same as a diff.")


def _suggest(event: Event, token: str, found: Repair, comment_id: str, deadline: float) -> Suggested:
    client = connect(event, token, deadline - time.monotonic())
    assert event.number is not None
    repository = client.get_repo(event.repository)
    pull = repository.get_pull(event.number)
    mark = marker(f"{comment_id or 'gatekeeper'}/repair")
    return persistently(deadline, lambda: _stick(client, repository, pull, found, mark))


def _stick(client: Github, repository: Repository, pull: PullRequest, found: Repair, mark: str) -> Suggested:
    own = [each for each in pull.get_review_comments() if _first_line(each.body) == mark]
    if own:
        login = _login(client)
        own = [each for each in own if each.user and each.user.login == login]
    reason = _unfit(repository, pull, found)
    body = f"{mark}\n{_body(found)}"
    kept = next((each for each in own if not reason and _same(each, found, body)), None)
    _remove([each for each in own if each is not kept])
    if reason or kept:
        return Suggested(url=kept.html_url if kept else "", reason=reason)
    start = {"start_line": found.first_line, "start_side": "RIGHT"} if found.first_line < found.last_line else {}
    made = pull.create_review_comment(body, pull.head.sha, found.file, line=found.last_line, side="RIGHT", **start)  # type: ignore[arg-type]
    return Suggested(url=made.html_url)


def _unfit(repository: Repository, pull: PullRequest, found: Repair) -> str:
    """Why a suggestion would be refused, or would replace other lines than were meant; empty where it fits."""
    if found.outcome != "repaired" or not found.first_line:
        return "the change is not one stretch of lines"
    patch = next((each.patch for each in pull.get_files() if each.filename == found.file), None)
    if not within_diff(patch or "", found.first_line, found.last_line):
        return f"lines {found.first_line} to {found.last_line} of {found.file} are no part of the pull request's diff"
    content = repository.get_contents(found.file, ref=pull.head.sha)  # commits of a fork's pull request can be read here, too
    data = b"" if isinstance(content, list) else content.decoded_content
    return untrue(found, data)


def within_diff(patch: str, first: int, last: int) -> bool:
    """Whether all lines from `first` to `last` of the new file stand in one hunk of a diff, which GitHub shows."""
    for hunk in _HUNK.finditer(patch):
        start, count = int(hunk[1]), int(hunk[2] or 1)
        if start <= first <= last < start + count:
            return True
    return False


def _body(found: Repair) -> str:
    lines = "\n".join(as_written(line) for line in found.replacement.split("\n"))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", lines)), default=0))
    return f"With this change everything passes, see the report.\n\n{fence}suggestion\n{lines}\n{fence}\n"


def _same(each: PullRequestComment, found: Repair, body: str) -> bool:
    """Whether a suggestion says the same at the same line; one whose line is gone from the diff has none."""
    return each.body.replace("\r\n", "\n").rstrip() == body.rstrip() and each.line == found.last_line


def _remove(comments: list[PullRequestComment]) -> None:
    from github import UnknownObjectException

    for each in comments:
        with suppress(UnknownObjectException):  # another run was faster
            each.delete()
