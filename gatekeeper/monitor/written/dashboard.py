"""A Grafana dashboard: one panel for each signal, with the limit of its alert, and what fires."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.signals._base import in_order

if TYPE_CHECKING:
    from gatekeeper.monitor.look import Watched
    from gatekeeper.monitor.site import Site

NAME = "grafana_dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"ms": "ms", "fraction": "percentunit", "per s": "reqps"}
WIDTH, HEIGHT, COLUMNS = 12, 8, 2
VERSION = 39
"""Of Grafana's schema of dashboards; later ones take it and migrate it."""


def dashboard(watched: Watched, site: Site, title: str) -> str:
    """To be imported into Grafana, or provisioned as a file."""
    signals = [(name, signal, query) for name, signal in in_order() if (query := signal.query(site))]
    panels = [_panel(index, name, signal, query, watched) for index, (name, signal, query) in enumerate(signals)]
    panels.append(_alerts(len(panels)))
    content = {
        "title": title,
        "uid": "gatekeeper",
        "tags": ["gatekeeper"],
        "schemaVersion": VERSION,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [{"type": "datasource", "name": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "panels": panels,
    }
    return json.dumps(content, indent=2) + "\n"


def _panel(index: int, name: str, signal: Any, query: str, watched: Watched) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": UNITS.get(signal.UNIT, "short"),
        "custom": {"showPoints": "never", "thresholdsStyle": {"mode": "line"}},
    }
    if (limit := _limit(watched.limits.get(name))) is not None:
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": "green", "value": None}, {"color": "red", "value": limit}],
        }
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": name,
        "description": signal.DESCRIPTION,
        "datasource": SOURCE,
        "gridPos": _place(index),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [{"refId": "A", "expr": query, "legendFormat": name, "datasource": SOURCE}],
    }


def _alerts(index: int) -> dict[str, Any]:
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": "alerts that fire",
        "datasource": SOURCE,
        "gridPos": _place(index),
        "fieldConfig": {"defaults": {"custom": {"drawStyle": "bars"}}, "overrides": []},
        "targets": [
            {
                "refId": "A",
                "expr": 'sum by (alertname) (ALERTS{alertname=~"Gatekeeper.*",alertstate="firing"})',
                "legendFormat": "{{alertname}}",
                "datasource": SOURCE,
            }
        ],
    }


def _place(index: int) -> dict[str, int]:
    return {"h": HEIGHT, "w": WIDTH, "x": index % COLUMNS * WIDTH, "y": index // COLUMNS * HEIGHT}


def _limit(config: Any) -> float | None:
    for key in ("max", "max_ms", "min"):
        if config is not None and hasattr(config, key):
            return float(getattr(config, key))
    return None
