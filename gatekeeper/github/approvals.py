"""Who approved the deployment of this run, as GitHub says: an environment asked, and somebody answered."""

from __future__ import annotations

import time
from urllib.parse import quote

import msgspec

from gatekeeper.certificate.statement import Approval
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.github._client import connect, explain, persistently, within, without
from gatekeeper.github.context import Event, needed
from gatekeeper.reports._plain import plain

TOTAL_S = 60.0
APPROVED = "approved"
"""The answer of who lets a deployment go on; any other does not."""
LONGEST = 500
"""Characters of a comment that are kept."""


class _Environment(msgspec.Struct):
    name: str = ""


class _User(msgspec.Struct):
    login: str = ""


class _Review(msgspec.Struct):
    state: str
    environments: list[_Environment] = []
    user: _User | None = None  # null where the account is gone
    comment: str = ""


def approvals(event: Event, token: str, seconds: float = TOTAL_S) -> list[Approval]:
    """Every answer that the environments of this run were given, also no; `UsageError` where GitHub does not tell them."""
    run = needed(event, "run_id")

    def ask(deadline: float) -> list[Approval]:
        client = connect(event, token, deadline - time.monotonic())
        url = f"/repos/{quote(event.repository)}/actions/runs/{run}/approvals"
        return _told(persistently(deadline, lambda: client.requester.requestJsonAndCheck("GET", url)[1]))

    try:
        return within(seconds, ask)
    except GatekeeperError as error:
        raise UsageError(f"the approvals of this run were not read: {without(token, str(error))}") from None
    except Exception as error:
        why = without(token, explain(error, event, "actions: read"))
        raise UsageError(f"the approvals of this run were not read: {why}") from None


def _told(answer: object) -> list[Approval]:
    reviews = msgspec.convert(answer, list[_Review])
    return [
        Approval(
            environment=plain(environment.name),
            state=plain(review.state),
            user=plain(review.user.login) if review.user else "",
            comment=plain(review.comment, LONGEST),
        )
        for review in reviews
        for environment in review.environments
    ]
