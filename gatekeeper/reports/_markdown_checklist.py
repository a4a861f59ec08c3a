"""The checklist of a deployment, folded: each item with the evidence that the report holds."""

from __future__ import annotations

from gatekeeper.compliance.checklist import checklist as items
from gatekeeper.records.report import Report
from gatekeeper.reports._markdown_text import folded, row, table, text

MOST = 400


def checklist(report: Report) -> str:
    """Before, during and after; nothing where the report speaks of no deployment."""
    rows = [row([text(each.phase), text(each.item), text(each.shown, MOST)]) for each in items(report)]
    return folded("Checklist of the deployment", table(["", "item", "evidence in this report"], rows)) if rows else ""
