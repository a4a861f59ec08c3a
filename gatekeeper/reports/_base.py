"""What every reporter shares. A reporter is a module of this folder; its file name is the name of its format.

    FILE_NAME             the file it writes in the output folder, None if it is only printed
    render(report) -> str a pure function; it never measures

Strings in a report may come from anywhere (file names, a model's metadata, a stranger's pull request), so each
reporter cleans them for its own format.
"""

from __future__ import annotations

from typing import Protocol, cast

from gatekeeper.records.report import Report
from gatekeeper.registry import Registry

REGISTRY = Registry("reports")


class Reporter(Protocol):
    """The shape of a reporter module."""

    FILE_NAME: str | None

    @staticmethod
    def render(report: Report) -> str: ...


def reporter(name: str) -> Reporter:
    """The reporter of that name."""
    return cast(Reporter, REGISTRY.get(name))
