"""The server of a model under test."""

from __future__ import annotations

from typing import Any

from gatekeeper.making.subject import Subject
from gatekeeper.serve.config import Served

NAME = "model"
READY_S = 120.0
REQUEST_S = 30.0
DRAIN_S = 20.0


def served(subject: Subject, **changes: Any) -> Served:
    """The model behind a server, on a port that is free."""
    settings: dict[str, Any] = {
        "name": NAME,
        "spec": subject.spec,
        "model": subject.model,
        "task": subject.task,
        "request_timeout_s": min(REQUEST_S, subject.space.timeout_s),
        "drain_s": DRAIN_S,
    }
    return Served(**(settings | changes))


def ready_s(subject: Subject) -> float:
    """How long a server may take until it is ready."""
    return min(READY_S, subject.space.timeout_s)
