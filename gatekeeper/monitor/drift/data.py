"""Whether the inputs are as they were, feature by feature."""

from __future__ import annotations

from gatekeeper.monitor.drift._base import ENOUGH, Question, View
from gatekeeper.stats.drift import distance_test

DESCRIPTION = "The inputs, feature by feature, against the reference."
ORDER, NAME, ALERT = 30, "data", "inputs"


def ask(view: View) -> list[Question]:
    """Of every feature of the reference, where requests are logged."""
    limit = view.limits.get(ALERT)
    if view.reference is None or limit is None or view.window.rows is None:
        return []
    found, rows = list[Question](), view.window.rows
    n = len(rows.priorities)
    for feature, normal in view.reference.features().items():
        name, now = f"{ALERT}/{feature}", rows.columns.get(feature)
        if now is None or not n:
            found.append(Question(name, NAME, ALERT, limit=limit.floor, unit="D", needs=ENOUGH))
            continue
        distance, p = distance_test(normal, now)
        found.append(Question(name, NAME, ALERT, distance, limit.floor, "D", p, distance >= limit.floor, n, ENOUGH))
    return found
