"""Opens an issue."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gatekeeper.github._client import connect, explain, within, without
from gatekeeper.github.context import Event

TOTAL_S = 30.0
PUBLIC = "https://api.github.com"
MOST_TITLE, MOST_BODY = 200, 60_000


def call(environ: Mapping[str, str], repository: str, title: str, body: str) -> tuple[str, str]:
    """Its address, or why there is none. Never raises; ends within `TOTAL_S`. It is tried once: an answer that is lost may be of
    an issue that was opened.
    """
    token = environ.get("GITHUB_TOKEN", "").strip()
    if not token:
        return "", f"GITHUB_TOKEN is not set, and an issue in {repository} needs one. Set it to a token with `issues: write`."
    event = Event(repository=repository, api_url=environ.get("GITHUB_API_URL", "").strip() or PUBLIC)

    def work(deadline: float) -> str:
        client = connect(event, token, deadline - time.monotonic())
        return str(client.get_repo(repository).create_issue(title=title[:MOST_TITLE], body=body[:MOST_BODY]).html_url)

    try:
        return within(TOTAL_S, work), ""
    except Exception as error:
        return "", without(token, explain(error, event, "issues: write"))
