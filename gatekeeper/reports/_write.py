"""Writes every file format of a report into a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gatekeeper.files import make_folder, write_atomic
from gatekeeper.records.report import Report
from gatekeeper.reports._base import REGISTRY, reporter


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Render everything first, then write each file whole; returns what was written, report.json first.

    A format that has `chunks(report)`, bytes in pieces, is written as it is rendered.
    """
    make_folder(folder)
    rendered: dict[Path, str | Iterable[bytes]] = {}
    for name in REGISTRY.names:
        module = reporter(name)
        if module.FILE_NAME:
            chunks = getattr(module, "chunks", None)
            rendered[folder / module.FILE_NAME] = chunks(report) if chunks else module.render(report)
    ordered = sorted(rendered, key=lambda path: (path.name != "report.json", path.name))
    for path in ordered:
        write_atomic(path, rendered[path])
    return ordered
