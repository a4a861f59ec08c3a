"""What the gates on load share: counts of requests that are over a limit, and the interval of their share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatekeeper.gates._base import Told, unmeasured
from gatekeeper.records.base import Interval, Verdict

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence, Requests
    from gatekeeper.records.gates import Decision
    from gatekeeper.records.tested import LoadRun, Tested
    from gatekeeper.stats.tail import Tail


def unserved(evidence: Evidence) -> Decision | None:
    """The decision where there are no requests to judge."""
    if evidence.load.error:
        return unmeasured(evidence.load.error)
    if evidence.load.server is None or not evidence.load.server.ok.size:
        return unmeasured("no request was sent: the server scenario did not run")
    return None


def share_interval(tail: Tail, alpha: float) -> Interval:
    """Clopper-Pearson bounds of a share, on counts divided by the requests that carry the evidence of one."""
    from scipy.special import betaincinv

    n, x = tail.requests / tail.tau, tail.share * tail.requests / tail.tau
    lower = float(betaincinv(x, n - x + 1, alpha)) if x > 0 else 0.0
    upper = float(betaincinv(x + 1, n - x, 1 - alpha)) if x < n else 1.0
    return Interval(observed=tail.share, lower=lower, upper=upper)


def said(requests: Requests, target_qps: float | None) -> str:
    """How many requests there were, at which rate, and what became of those that were not answered."""
    count = int(requests.ok.size)
    shed = int(requests.shed.sum())
    failed = count - int(requests.ok.sum()) - shed - requests.unsent
    fates = [(failed, "failed"), (shed, "refused because the queue was full"), (requests.unsent, "never sent, too many waited")]
    lost = ", ".join(f"{number} {fate}" for number, fate in fates if number)
    return f"{count} requests" + (f" at {target_qps:.4g}/s" if target_qps else "") + (f" ({lost})" if lost else "")


def verdict(tail: Tail) -> Verdict:
    """What is decided, INCONCLUSIVE where nothing is."""
    return {"pass": Verdict.PASS, "fail": Verdict.FAIL}.get(tail.decided or "", Verdict.INCONCLUSIVE)


def served(tested: Tested | None) -> LoadRun | None:
    """What a report holds of the server scenario."""
    return next((run for run in tested.load if run.scenario == "server"), None) if tested else None


def counted(told: Told, over: float | None, allowed: float) -> Tail | None:
    """The decision on a report's counts: a share `over` the limit (None: those not answered); None where they make no sense."""
    from gatekeeper.stats.tail import decided_tail

    run, tau = served(told.variant.tested), told.gate.details.get("tau")
    if run is None or not run.requests or not isinstance(tau, int | float) or not 1 <= tau < math.inf:
        return None
    unanswered = run.errors + run.shed
    count = unanswered if over is None else round(over * run.requests)
    if not unanswered <= count <= run.requests:
        return None
    return decided_tail(run.requests, count, float(tau), told.alpha, allowed)


def more(tail: Tail) -> str:
    """What would decide."""
    if tail.needed is None:
        return "; it is at the limit, and no number of requests would decide"
    return f"; {tail.needed} requests would decide: raise `testing.load.duration` or `testing.load.target_qps`"
