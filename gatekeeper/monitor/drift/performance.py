"""Whether it is still as good as it was certified to be: each share of what was counted against the one that may be over a limit.

Requests that go wrong together are one observation. How many of them there are is read from how unevenly they lie in the steps of
the window: Pearson's dispersion of the counts (P. McCullagh and J. Nelder, "Generalized linear models", 4.5), by which both
counts are divided before an exact binomial test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.alerts._base import in_order
from gatekeeper.monitor.alerts._share import least
from gatekeeper.monitor.drift._base import Question, View
from gatekeeper.monitor.problems import Unread
from gatekeeper.stats.tail import share_p_values

if TYPE_CHECKING:
    from gatekeeper.monitor.alerts._base import Counted, Exceeded
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Errors, latency, accuracy and agreement against the limits of the file and of the certificate."
ORDER, NAME = 10, "performance"
PARTS, FEW, BURST = 48, 8, 10.0
"""Into how many parts the time is cut in which there were requests; below which number of them bursts cannot be seen, and how
many requests then carry the evidence of one.
"""
KEPT = 0.95
"""The share of its accuracy that a model must keep where no limit is known but what it had."""


def ask(view: View) -> list[Question]:
    """Of every alert that counts something."""
    found = []
    for name, module in in_order():
        config = view.limits.get(name)
        count, exceed = getattr(module, "counted", None), getattr(module, "exceeded", None)
        if config is None:
            continue
        asked: Question | None = None
        try:
            if exceed is not None:
                asked = _exceeded(name, exceed(view.window, config))
            elif count is not None:
                asked = _counted(name, count(view.window, config), view.window)
        except Unread as error:
            asked = Question(name, NAME, name, unread=error)
        found += [asked] if asked else []
    return found + _kept(view)


def _exceeded(name: str, said: Exceeded | None) -> Question | None:
    if said is None:
        return None
    return Question(name, NAME, name, said.observed, said.limit, said.unit, matters=said.fires)


def _counted(name: str, said: Counted, window: Window) -> Question:
    n, over = float(said.every.sum()), float(said.over.sum())
    if not n:
        return Question(name, NAME, name, limit=said.limit, unit=said.unit, needs=least(said.allowed))
    tau = dispersion(said.over, said.every)
    p = share_p_values(over / tau, n / tau, said.allowed)[1]
    needs = window.needed(said.family, int(n), round(least(said.allowed) * tau))
    asked = Question(name, NAME, name, said.observed, said.limit, said.unit, p, over / n > said.allowed, int(n), needs)
    return replace(asked, over=over / n, allowed=said.allowed)


def dispersion(over: Any, every: Any) -> float:
    """How many of what was counted carry the evidence of one, at least 1."""
    import numpy as np

    there = np.flatnonzero(every)
    edges = np.unique(np.linspace(there[0], there[-1] + 1, PARTS + 1).astype(int))
    n, k = (np.add.reduceat(each, edges[:-1]) for each in (every, over))
    k, n = k[n > 0], n[n > 0]
    share = k.sum() / n.sum()
    if n.size < FEW:
        return BURST
    if not 0 < share < 1:
        return 1.0
    return max(1.0, float(np.sum((k - n * share) ** 2 / (n * share * (1 - share))) / (n.size - 1)))


def _kept(view: View) -> list[Question]:
    """Accuracy against that of the reference, where no limit says otherwise: worse by chance (Fisher's exact test), and by
    much.
    """
    known = view.reference.contents if view.reference else None
    if known is None or not known.labelled or "accuracy" in view.limits:
        return []
    from scipy.stats import hypergeom

    from gatekeeper.monitor.signals import accuracy

    name, limit = "accuracy", KEPT * known.right / known.labelled
    needs = least(1 - KEPT)
    try:
        now = accuracy.read(view.window)
    except Unread as error:
        return [Question(name, NAME, name, unread=error)]
    if now.value is None:
        return [] if not view.labels else [Question(name, NAME, name, limit=limit, needs=needs)]
    right, every = round(now.value * now.n), now.n + known.labelled
    p = float(hypergeom.cdf(right, every, right + known.right, now.n))
    return [Question(name, NAME, name, now.value, limit, "fraction", p, now.value < limit, now.n, needs)]
