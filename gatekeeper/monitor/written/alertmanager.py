"""Alertmanager's configuration: whom it tells, and how often."""

from __future__ import annotations

import yaml

from gatekeeper.monitor.alerts._base import camel
from gatekeeper.monitor.written.rules import HEAD

NAME = "alertmanager.yml"
RECEIVER = "gatekeeper"


def configuration(webhook: str) -> str:
    """Pages are repeated every hour, tickets once a day. Where nothing is known of a server, nothing else is said of it."""
    return HEAD + yaml.safe_dump(
        {
            "route": {
                "receiver": RECEIVER,
                "group_by": ["alertname"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "24h",
                "routes": [{"receiver": RECEIVER, "matchers": ['severity="page"'], "group_wait": "0s", "repeat_interval": "1h"}],
            },
            "inhibit_rules": [
                {"source_matchers": [f'alertname="{camel("absent")}"'], "target_matchers": [f'alertname="{camel("no_traffic")}"']}
            ],
            "receivers": [{"name": RECEIVER, "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        },
        sort_keys=False,
        width=1000,
    )
