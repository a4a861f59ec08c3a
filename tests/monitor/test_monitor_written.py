"""What `gatekeeper watch --write` writes: valid for the programs that read it, and tried by promtool rule by rule."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.command import Command
from kit.prometheus import program

from gatekeeper.monitor.alerts._base import REGISTRY

LIMITS = {
    "latency_p50": {"max_ms": 20},
    "latency_p95": {"max_ms": 40},
    "latency_p99": {"max_ms": 50},
    "accuracy": {"min": 0.9},
    "agreement": {"min": 0.95},
    "no_traffic": {"least": 10},
}
RULES, TESTS = "gatekeeper_rules.yml", "gatekeeper_rules_test.yml"
NOT_COUNTED = {"answers", "inputs"}
"""Alerts on what no counter shows."""


@pytest.fixture
def written(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command, tmp_path: Path) -> Path:
    """The folder, of a file in which every alert is on and a reference is known."""
    keys = {"selector": {"job": 'digits "1"'}, "webhook": "http://127.0.0.1:9/told", "prometheus": "http://127.0.0.1:9"}
    file = watching(alerts=LIMITS, **keys)
    done = gatekeeper("watch", file, "--learn", log("good.jsonl", 300), "--write", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    return tmp_path / "out"


def checks(folder: Path, *words: str) -> bool:
    """Whether a program takes a file."""
    done = subprocess.run([program(words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0


def test_every_alert_that_counters_show_has_a_rule(written: Path) -> None:
    [group] = yaml.safe_load((written / RULES).read_text())["groups"]
    names = {"".join(part.capitalize() for part in name.split("_")) for name in set(REGISTRY.names) - NOT_COUNTED}
    assert {rule["alert"].removeprefix("Gatekeeper") for rule in group["rules"]} == names
    for rule in group["rules"]:
        assert rule["labels"] == {"job": 'digits "1"', "severity": rule["labels"]["severity"]}, rule["alert"]
        assert rule["annotations"]["description"].endswith("."), "what to do"


def test_every_rule_stands_its_trials(written: Path) -> None:
    """Each fires on its fault, and is silent where all is well and where too little was counted."""
    tests = yaml.safe_load((written / TESTS).read_text())["tests"]
    fires = {}
    for test in tests:
        [asked] = test["alert_rule_test"]
        fires.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert set(map(frozenset, fires.values())) == {frozenset({True, False})}, fires
    assert checks(written, "promtool", "check", "rules", RULES)
    assert checks(written, "promtool", "test", "rules", TESTS)


def weakened(expr: str) -> Iterator[str]:
    """The same rule, wrong: without its guard, the other way round, and never."""
    condition, guarded, _ = expr.rpartition(" and (")
    if guarded:
        yield condition
    yield f"({expr}) and vector(0) > 1"
    yield "vector(1)"


@pytest.mark.parametrize("name", ["ErrorRate", "Absent", "LatencyP99", "Accuracy", "Confidence", "Restarts", "NoTraffic"])
def test_the_trials_would_notice_a_rule_that_is_wrong(name: str, written: Path) -> None:
    """Each rule by itself with its own trials."""
    [group] = yaml.safe_load((written / RULES).read_text())["groups"]
    document = yaml.safe_load((written / TESTS).read_text())
    [rule] = [each for each in group["rules"] if each["alert"] == f"Gatekeeper{name}"]
    own = [test for test in document["tests"] if test["alert_rule_test"][0]["alertname"] == rule["alert"]]
    (written / "t.yml").write_text(json.dumps(document | {"rule_files": ["r.yml"], "tests": own}))
    for expr in (rule["expr"], *weakened(rule["expr"])):
        (written / "r.yml").write_text(json.dumps({"groups": [group | {"rules": [rule | {"expr": expr}]}]}))
        assert checks(written, "promtool", "test", "rules", "t.yml") == (expr == rule["expr"]), expr


def misspelt(content: Any) -> Iterator[tuple[str, Any]]:
    """The document with one key spelt otherwise, for each key that the program knows."""
    for path in keys(content):
        changed = copy.deepcopy(content)
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[f"{path[-1]}x"] = inner.pop(path[-1])
        yield ".".join(map(str, path)), changed


def keys(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """One place of each key; labels and annotations have names of one's own."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*path, key)
            if key not in ("labels", "annotations"):
                yield from keys(value, (*path, key))
    elif isinstance(content, list) and content:
        yield from keys(content[0], (*path, 0))


def test_a_misspelt_key_is_refused(written: Path) -> None:
    """By the programs themselves, key by key."""
    rules = yaml.safe_load((written / RULES).read_text())
    told = yaml.safe_load((written / "alertmanager.yml").read_text())
    assert checks(written, "amtool", "check-config", "alertmanager.yml")
    for content, words in ((rules, ("promtool", "check", "rules")), (told, ("amtool", "check-config"))):
        for path, changed in misspelt(content):
            (written / "changed.yml").write_text(json.dumps(changed))
            assert not checks(written, *words, "changed.yml"), path


def test_the_dashboard_is_what_grafana_knows(written: Path) -> None:
    """Grafana's own types drop what they do not know, so that what comes back is all there was."""
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()  # the types of panels and of Prometheus' queries, too
    content = json.loads((written / "grafana_dashboard.json").read_text())

    def taken(document: Any) -> bool:
        try:
            read = Dashboard.from_json(copy.deepcopy(document))
        except (KeyError, TypeError, ValueError):  # something that must be there is not
            return False
        return lost(document, json.loads(JSONEncoder(sort_keys=True).encode(read))) == []

    assert taken(content)
    for path, changed in misspelt(content):
        if ".targets.0.datasource." not in path:  # a plain map there; that of the panel is the same
            assert not taken(changed), path


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Places of a document that are not in another one."""
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [path]
        return [each for key, value in before.items() for each in lost(value, after.get(key, ...), f"{path}.{key}")]
    if isinstance(before, list):
        if not isinstance(after, list) or len(after) != len(before):
            return [path]
        return [each for i, value in enumerate(before) for each in lost(value, after[i], f"{path}.{i}")]
    return [] if before == after else [path]


def test_the_queries_of_the_dashboard_are_promql(written: Path) -> None:
    panels = json.loads((written / "grafana_dashboard.json").read_text())["panels"]
    rules = [{"record": f"r{i}", "expr": panel["targets"][0]["expr"]} for i, panel in enumerate(panels)]
    (written / "q.yml").write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}))
    assert len(rules) >= 8
    assert checks(written, "promtool", "check", "rules", "q.yml")


def test_what_cannot_be_written_is_said(watching: Callable[..., Path], gatekeeper: Command, tmp_path: Path) -> None:
    done = gatekeeper("watch", watching(prometheus="http://127.0.0.1:9"), "--write", tmp_path / "out")
    assert done.returncode == 0
    assert not (tmp_path / "out/alertmanager.yml").exists()
    assert "alertmanager.yml is not written: monitoring.webhook names nobody" in done.stderr
    assert "no rule for confidence, answers, inputs" in done.stderr, "without a reference"
