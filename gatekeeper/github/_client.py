"""What comment and artifact share: a client of GitHub's API, an end to waiting, and failures in words.

A service that is slow or down must neither break a verdict nor hold a job: nothing here waits without a limit.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.github.context import Event, needed
from gatekeeper.reports._plain import plain

if TYPE_CHECKING:
    import github

T = TypeVar("T")

ATTEMPTS = 3
ANSWER_S = 8  # the longest silence within one answer


class TookTooLong(GatekeeperError):
    """The whole exchange did not end in its time."""


def connect(event: Event, token: str, seconds: float) -> github.Github:
    """A client that fetches nothing on its own and repeats nothing; `UsageError` where it cannot be made."""
    token = token.strip()
    if not token:
        raise UsageError("there is no token. Pass `token: ${{ github.token }}`.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("the token holds characters that no token has. Pass it alone, without quotes or line breaks.")
    api = needed(event, "api_url")
    needed(event, "repository")
    if not _is_address(api):
        raise UsageError(f"GITHUB_API_URL is '{plain(api, 100)}', not an address such as https://api.github.com. Correct it.")
    try:
        import github
    except ImportError:
        raise UsageError("PyGithub is not installed. Install it with: pip install 'edge-gatekeeper[github]'") from None
    return github.Github(
        base_url=api,
        auth=github.Auth.Token(token),
        timeout=max(1, min(ANSWER_S, int(seconds / 3))),
        retry=None,  # urllib3 would repeat a request that GitHub may have served, and wait as long as a rate limit asks
        per_page=100,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    )


def _is_address(text: str) -> bool:
    try:
        return urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).hostname)
    except ValueError:
        return False


def within(seconds: float, work: Callable[[float], T]) -> T:
    """What `work(deadline)` returns or raises, or `TookTooLong`.

    Timeouts of sockets start anew with each byte, so the work has a thread of its own and is left behind when its time
    is up. `deadline` is on the clock of `time.monotonic`; past it the work must not write any more.
    """
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    deadline = time.monotonic() + seconds

    def run() -> None:
        try:
            answers.put((True, work(deadline)))
        except BaseException as error:
            answers.put((False, error))

    threading.Thread(target=run, daemon=True, name="github").start()
    try:
        fine, answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TookTooLong(f"GitHub's API did not answer within {seconds:g} s. Run the job again later.") from None
    if not fine:
        raise answer
    return answer  # type: ignore[no-any-return]


def persistently(deadline: float, work: Callable[[], T]) -> T:
    """The work, from its beginning up to three times while GitHub fails with 5xx or drops the connection."""
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except Exception as error:
            if not _passing(error) or time.monotonic() + attempt >= deadline:
                raise
            time.sleep(attempt)
    return work()


def _passing(error: Exception) -> bool:
    if isinstance(error, GatekeeperError):
        return False
    import github
    import requests

    if isinstance(error, github.GithubException):
        return error.status >= 500
    return isinstance(error, requests.ConnectionError)


def explain(error: Exception, event: Event, permission: str) -> str:
    """Why GitHub's API did not do it, and what to do. `permission` is what the token needs, e.g. `actions: read`."""
    if isinstance(error, GatekeeperError):
        return str(error)
    import github
    import requests

    if isinstance(error, github.GithubException) and not isinstance(error, github.IncompletableObject):
        return _refused(error, event, permission)
    if isinstance(error, requests.Timeout):
        return "GitHub's API did not answer in time. Run the job again later."
    if isinstance(error, requests.ConnectionError):
        host = plain(urlsplit(event.api_url).netloc.rpartition("@")[2], 100)
        return f"GitHub's API cannot be reached at {host}. Check the network, the proxy and GITHUB_API_URL."
    return (
        f"the answer is not one of GitHub's API ({type(error).__name__}). "
        "Check GITHUB_API_URL and the proxy, or run the job again later."
    )


def _refused(error: github.GithubException, event: Event, permission: str) -> str:
    status, said = error.status, _said(error)
    if status == 401:
        return f"GitHub does not accept the token ({said}). Pass `token: ${{{{ github.token }}}}`, or renew your own."
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    limited = "rate limit" in said.lower() or "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    if status == 429 or (status == 403 and limited):
        return f"the token has used up its rate limit ({said}). Run the job again {_wait(headers)}."
    forbidden = status == 403 and ("not accessible" in said or said == "403")
    if forbidden and event.fork and event.name == "pull_request":
        return (
            f"the token of a pull request from a fork may only read ({said}). "
            "Use the pair of workflows in examples/workflows, of which the second one comments."
        )
    if forbidden:
        return f"the token may not do that ({said}). Give the job `permissions: {{{permission}}}`."
    if status == 404:
        return (
            f"GitHub does not show {plain(event.repository, 100)}, or what was asked of it, to this token ({said}). "
            f"Give the job `permissions: {{{permission}}}`, and pass a token of this repository."
        )
    if status >= 500:
        return f"GitHub's API fails ({said}), again and again. Run the job again later."
    return f"GitHub's API refuses it ({said}). Correct what it names."


def _wait(headers: dict[str, str]) -> str:
    for name, start in (("retry-after", 0.0), ("x-ratelimit-reset", time.time())):
        try:
            seconds = float(headers[name]) - start
        except (KeyError, ValueError):
            continue
        if 0 < seconds < 7 * 86400:
            return f"in {seconds:.0f} s" if seconds < 120 else f"in {seconds / 60:.0f} minutes"
    return "in some minutes"


def _said(error: github.GithubException) -> str:
    """The status and GitHub's own words, on one harmless line."""
    data = error.data if isinstance(error.data, dict) else {}
    message = data.get("message")
    words = [message] if isinstance(message, str) else []
    details = data.get("errors")
    for detail in details[:3] if isinstance(details, list) else []:
        more = detail.get("message") if isinstance(detail, dict) else detail
        words += [more] if isinstance(more, str) else []
    return f"{error.status}: {plain('; '.join(words), 200)}" if words else str(error.status)


def without(token: str, text: str) -> str:
    """The text, in which the token never is, whoever wrote it there."""
    token = token.strip()
    return text.replace(token, "***") if len(token) > 3 else text
