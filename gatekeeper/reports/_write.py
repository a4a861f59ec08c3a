"""Writes every file format of a report into a folder."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.files import make_folder, write_atomic
from gatekeeper.records import Report
from gatekeeper.reports._base import REGISTRY, reporter


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Render everything first, then write each file whole; returns what was written, report.json first."""
    make_folder(folder)
    rendered = {}
    for name in REGISTRY.names:
        module = reporter(name)
        if module.FILE_NAME:
            rendered[folder / module.FILE_NAME] = module.render(report)
    ordered = sorted(rendered, key=lambda path: (path.name != "report.json", path.name))
    for path in ordered:
        write_atomic(path, rendered[path])
    return ordered
