"""Whether it answers as it did: how sure it is, and what it says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.drift._base import ENOUGH, Question, View
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sources.requests import ANSWER, SURE
from gatekeeper.monitor.window import ANSWERS, CONFIDENCE
from gatekeeper.stats.drift import counts_test, distance_test

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.window import Window

DESCRIPTION = "The confidence of the answers and the answers themselves, against the reference."
ORDER, NAME = 20, "statistical"
FAMILIES = {"confidence": CONFIDENCE, "answers": ANSWERS}
KINDS = 0.5
"""Where there are more different answers than this share of them, they are numbers of a regression, and no classes."""


def ask(view: View) -> list[Question]:
    """Of confidence and answers, as far as the reference has them."""
    found = list[Question]()
    if view.reference is None:
        return found
    for name, compare in (("confidence", _confidence), ("answers", _answers)):
        if (limit := view.limits.get(name)) is None:
            continue
        try:
            compared = compare(view.reference, view.window)
        except Unread as error:
            found.append(Question(name, NAME, name, unread=error))
            continue
        if compared is not None:
            n, (distance, p) = compared
            needs = view.window.needed(FAMILIES[name], n, ENOUGH)
            found.append(Question(name, NAME, name, distance, limit.floor, "D", p, (distance or 0) >= limit.floor, n, needs))
    return found


Compared = tuple[int, tuple[float | None, float | None]] | None
NOTHING: Compared = (0, (None, None))


def _confidence(reference: Reference, window: Window) -> Compared:
    """Value by value where both have them, else by the histogram; None where the reference knows of none."""
    import numpy as np

    normal, now = _known(reference.rows.columns.get(SURE)), _known(window.rows.columns.get(SURE) if window.rows else None)
    if normal.size and now.size:
        return now.size, distance_test(normal, now)
    ends = dict(reference.contents.confidence)
    if not any(ends.values()):
        return None
    by = {float(end): float(steps.sum()) for end, steps in window.by(CONFIDENCE, "le").items() if end != "+Inf"}
    shared = sorted(set(ends) & set(by))
    if not shared or not by[shared[-1]]:
        return NOTHING
    counts = [np.rint(np.diff([0.0, *(table[end] for end in shared)])).astype(int) for table in (ends, by)]
    return int(counts[1].sum()), counts_test(np.maximum(counts[0], 0), np.maximum(counts[1], 0))


def _answers(reference: Reference, window: Window) -> Compared:
    """Classes in the order of how often both together have them: whatever goes from one to another is a distance, and an order by
    the reference alone would be one already.
    """
    import numpy as np

    normal, now = reference.contents.answers, window.answers
    if not normal or window.rows is None:
        return None
    if not now:
        return NOTHING
    if len(normal) > KINDS * sum(normal.values()):
        values = [_known(rows.columns.get(ANSWER)) for rows in (reference.rows, window.rows)]
        return (values[1].size, distance_test(*values)) if all(each.size for each in values) else None
    both = Counter(normal) + Counter(now)
    order = sorted(both, key=lambda name: (-both[name], name))
    counts = [np.array([table.get(name, 0) for name in order]) for table in (normal, now)]
    return int(counts[1].sum()), counts_test(counts[0], counts[1])


def _known(values: Any) -> Any:
    import numpy as np

    return np.empty(0) if values is None else values[~np.isnan(values)]
