"""Prometheus rules, and their tests for `promtool test rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from gatekeeper.monitor.alerts._base import Rule, in_order
from gatekeeper.monitor.site import Site, span

if TYPE_CHECKING:
    from gatekeeper.monitor.look import Watched

RULES, TESTS = "gatekeeper_rules.yml", "gatekeeper_rules_test.yml"
GROUP, MINUTE, EVALUATED = "gatekeeper", "1m", "5m"
"""How often the series of a trial have a value, and how often its rule is asked: as `for` is 5 minutes, no oftener."""
HEAD = "# Written by `gatekeeper watch --write`: change the pipeline file, and write it again.\n"


def rules_of(watched: Watched, site: Site) -> Iterator[tuple[Any, Rule]]:
    """Every rule of an alert that is on, with its alert."""
    for name, module in in_order():
        if name in watched.limits:
            for rule in module.rules(watched.limits[name], site, watched.known):
                yield module, rule


def rules(watched: Watched, site: Site) -> str:
    """For `rule_files` of Prometheus."""
    listed = [
        {
            "alert": rule.name,
            "expr": rule.expr,
            "for": span(rule.wait) if rule.wait else "0s",
            "labels": _labels(module, site),
            "annotations": {"summary": module.DESCRIPTION, "description": module.REMEDY},
        }
        for module, rule in rules_of(watched, site)
    ]
    return HEAD + _yaml({"groups": [{"name": GROUP, "rules": listed}]})


def rule_tests(watched: Watched, site: Site) -> str:
    """For `promtool test rules`: each trial, of which every rule has one that fires and one that is silent."""
    listed = []
    for module, rule in rules_of(watched, site):
        # What `absent()` finds missing has the labels it was asked for.
        said = {
            "exp_labels": _labels(module, site),
            "exp_annotations": {"summary": module.DESCRIPTION, "description": module.REMEDY},
        }
        for trial in rule.trials:
            listed.append(
                {
                    "name": f"{rule.name}: {trial.what}",
                    "interval": MINUTE,
                    "input_series": [{"series": series, "values": values} for series, values in trial.series],
                    "alert_rule_test": [
                        {"eval_time": f"{trial.minutes}m", "alertname": rule.name, "exp_alerts": [said] if trial.fires else []}
                    ],
                }
            )
    return HEAD + _yaml({"rule_files": [RULES], "evaluation_interval": EVALUATED, "tests": listed})


def _labels(module: Any, site: Site) -> dict[str, str]:
    """Those of the server go with it, so that it is told which one it is."""
    return {**site.selector, "severity": module.SEVERITY}


def _yaml(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True)
