"""What a report holds on licences and of Annex IV, folded: evidence, of which nothing is a judgement on compliance."""

from __future__ import annotations

from gatekeeper.compliance.annex import annex_iv, compliance_of
from gatekeeper.records.report import Report
from gatekeeper.reports._markdown_text import code, folded, row, table, text

MOST = 400


def compliance(report: Report) -> str:
    """Licences, then the annex; nothing where the stage did not run."""
    found = compliance_of(report)
    if found is None:
        return ""
    declared = [row(["the model", text(found.license)])]
    declared += [row([code(name), text(each.license or "none")]) for name, each in found.datasets.items()]
    annex = [row([text(each.point), text(each.asks), text(each.shown, MOST)]) for each in annex_iv(report)]
    lines = [
        *table(["", "licence, as declared"], declared),
        "",
        *table(["Annex IV", "asks for", "evidence in this report"], annex),
    ]
    return folded("Compliance evidence: licences, and Annex IV of the EU AI Act", lines)
