"""docs/monitoring.md: its tables are made of the signals, tests and alerts there are."""

from __future__ import annotations

from gatekeeper.monitor.actions._base import in_order as actions
from gatekeeper.monitor.alerts._base import in_order as alerts
from gatekeeper.monitor.drift._base import in_order as tests
from gatekeeper.monitor.faults._base import FAULTS, fault
from gatekeeper.monitor.signals._base import in_order as signals
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(
        REPOSITORY / "docs" / "monitoring.md",
        {"signals": _signals, "drift": _drift, "alerts": _alerts, "faults": _faults, "actions": _actions},
    )


def _signals() -> str:
    return table(("signal", "unit", "what it is"), [(f"`{name}`", each.UNIT, cell(each.DESCRIPTION)) for name, each in signals()])


def _drift() -> str:
    return table(("test", "compares"), [(f"`{name}`", cell(each.DESCRIPTION)) for name, each in tests()])


def _alerts() -> str:
    """What each means, its limit where the file says nothing, whose limit of a certificate it takes, and how urgent it is."""
    rows = []
    for name, each in alerts():
        fields = each.DEFAULT.__struct_fields__ if each.DEFAULT is not None else ()
        default = ", ".join(f"`{key}: {getattr(each.DEFAULT, key):g}`" for key in fields) or ("on" if each.DEFAULT else "off")
        gate = getattr(each, "CERTIFIED", "")
        rows.append((f"`{name}`", cell(each.DESCRIPTION), default, f"`{gate}`" if gate else "", each.SEVERITY))
    return table(("alert", "fires where", "limit", "or the certificate's", "severity"), rows)


def _actions() -> str:
    """Each step, in the order in which they are tried."""
    rows = [(f"`{name}`", cell(each.DESCRIPTION), ", ".join(f"`{alert}`" for alert in each.HELPS)) for name, each in actions()]
    return table(("step", "what it changes", "may end"), rows)


def _faults() -> str:
    """Each fault of the stage, and the alerts that it must raise."""
    raised: dict[str, list[str]] = {}
    for name, each in alerts():
        if own := getattr(each, "FAULT", ""):
            raised.setdefault(own, []).append(f"`{name}`")
    named = sorted(FAULTS.names, key=lambda name: fault(name).ORDER)
    rows = [(f"`{name}`", cell(fault(name).DESCRIPTION), ", ".join(raised.get(name, []))) for name in named]
    return table(("fault", "what is done", "must raise"), rows)
