"""The model is more or less sure of itself than when it was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Rule, Severity, Trial, camel
from gatekeeper.monitor.alerts._drift import Floor
from gatekeeper.monitor.alerts._share import MINUTES, WAIT_S, enough, rising, scarce
from gatekeeper.monitor.window import CONFIDENCE

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site

DESCRIPTION = "The confidence of the answers is spread otherwise than when the model was approved."
SEVERITY: Severity = "ticket"
REMEDY = "Look at the inputs first: docs/monitoring.md says how to tell drift of the inputs from a broken model."
ORDER = 70
Config = Floor
DEFAULT = Floor()
LEAST = 2000
"""Answers below which the rule is silent: by chance alone a tenth lies elsewhere once in 10^11 such samples."""


def rules(config: Floor, site: Site, reference: Reference | None) -> list[Rule]:
    """One, where it is known what was normal: D over the ends of the histogram, each against its share then."""
    known = [(end, count) for end, count in reference.contents.confidence if end < 1] if reference else []
    total = max((count for _, count in reference.contents.confidence), default=0) if reference else 0
    if not total or not known:
        return []
    every = site.rise(CONFIDENCE, le="+Inf", over=site.long)
    normal = {f"{end:g}": count / total for end, count in known}
    terms = [
        f"abs({site.rise(CONFIDENCE, le=end, over=site.long)} / {every} - {share:.6g}) > {config.floor:g}"
        for end, share in normal.items()
    ]
    expr = f"({' or '.join(f'({term})' for term in terms)}) and ({every} >= {LEAST})"
    minutes, much = MINUTES, enough(LEAST)
    ends = [*normal, "1", "+Inf"]
    elsewhere = dict.fromkeys(normal, 0.0 if max(normal.values()) >= 0.5 else 1.0)  # all sure, or none

    def series(shares: dict[str, float], a_minute: float) -> list[tuple[str, str]]:
        return [(site.series(CONFIDENCE, le=end), rising(shares.get(end, 1.0) * a_minute, minutes)) for end in ends]

    trials = [
        Trial("as it was", series(normal, much), minutes, False),
        Trial("too few to tell", series(elsewhere, scarce(LEAST)), minutes, False),
        Trial("elsewhere", series(elsewhere, much), minutes, True),
    ]
    return [Rule(camel("confidence"), expr, WAIT_S, trials)]
