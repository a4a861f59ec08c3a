"""`gatekeeper watch` before the real Prometheus, which scrapes the metrics that the server has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.command import Command
from kit.prometheus import Page, Prometheus, page, prometheus

from gatekeeper.serve.metrics import Metrics


@dataclass
class Site:
    """A Prometheus that scrapes one server, whose counters the test moves."""

    prometheus: Prometheus
    page: Page
    metrics: Metrics

    def serve(self, count: int, status: int = 200, seconds: float = 0.004) -> None:
        for _ in range(count):
            self.metrics.answered(status, seconds)

    def restart(self) -> None:
        """The server's process begins again."""
        self.metrics = fresh()
        self.page.text = self.metrics.text


def fresh() -> Metrics:
    metrics = Metrics("tabular_classification")
    metrics.watch(lambda: 0.0)
    return metrics


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    metrics = fresh()
    with page(metrics.text) as shown, prometheus(tmp_path_factory.mktemp("prometheus"), {"digits": shown.url}) as started:
        started.scraped("gatekeeper_queue_depth + 1", 1)
        yield Site(started, shown, metrics)


def asked(gatekeeper: Command, file: Path) -> tuple[int, dict[str, Any]]:
    done = gatekeeper("watch", file, "--once", "--format", "json")
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_from_no_traffic_to_a_fault_and_a_restart(running: Site, watching: Callable[..., Path], gatekeeper: Command) -> None:
    """One server's life, in the order in which a user would meet it."""
    file = watching(
        prometheus=running.prometheus.url, selector={"job": "digits"}, window="10m", alerts={"latency_p99": {"max_ms": 50}}
    )
    code, look = asked(gatekeeper, file)
    assert (code, look["verdict"]) == (3, "undecided"), "no request shows nothing"
    assert next(each for each in look["signals"] if each["name"] == "error_rate")["value"] is None, "and is no 0 %"

    running.serve(1500)
    running.prometheus.scraped("sum(gatekeeper_requests_total)", 1500)
    code, look = asked(gatekeeper, file)
    signals = {each["name"]: each for each in look["signals"]}
    assert signals["error_rate"] == signals["error_rate"] | {"value": 0.0, "n": 1500}, "the first requests of a label count, too"
    assert 2.5 <= signals["latency_p99"]["value"] <= 5.0
    assert code in (0, 3), look  # in few seconds bursts cannot be told, and a request counts a tenth

    running.serve(600, 503)
    running.prometheus.scraped('sum(gatekeeper_requests_total{code="503"})', 600)
    code, look = asked(gatekeeper, file)
    assert code == 1
    [found] = [each for each in look["findings"] if each["status"] == "fires"]
    assert (found["alert"], found["n"], found["observed"]) == ("error_rate", 2100, pytest.approx(600 / 2100))

    running.restart()
    running.serve(700)
    running.prometheus.scraped('700 - sum(gatekeeper_requests_total{code="200"}) + 1', 1)
    code, look = asked(gatekeeper, file)
    assert any("began again at 0" in note for note in look["notes"])
    counted = next(each for each in look["signals"] if each["name"] == "latency_p50")["n"]
    assert counted == 2800, "before and after it"


def test_other_labels_find_nothing_and_that_is_no_health(
    running: Site, watching: Callable[..., Path], gatekeeper: Command
) -> None:
    code, look = asked(gatekeeper, watching(prometheus=running.prometheus.url, selector={"job": "digit"}))
    assert (code, look["verdict"]) == (4, "unread")
    assert "has no series of a gatekeeper server" in look["unread"][0]
    assert 'job="digit"' in look["unread"][0]


def test_a_number_that_is_none_is_named(watching: Callable[..., Path], gatekeeper: Command, tmp_path: Path) -> None:
    metrics = fresh()
    metrics.answered(200, 0.01)

    def broken() -> bytes:
        names = ('gatekeeper_requests_total{code="200"}', "gatekeeper_queue_depth")
        lines = metrics.text().decode().splitlines()
        none = [next((f"{name} NaN" for name in names if line.startswith(f"{name} ")), line) for line in lines]
        return "\n".join([*none, ""]).encode()

    file = watching(prometheus="http://127.0.0.1:9", selector={"job": "digits"})
    assert gatekeeper("watch", file, "--write", tmp_path / "out").returncode == 0
    [group] = yaml.safe_load((tmp_path / "out/gatekeeper_rules.yml").read_text())["groups"]
    absent = next(rule["expr"] for rule in group["rules"] if rule["alert"] == "GatekeeperAbsent")
    with page(broken) as shown, prometheus(tmp_path, {"digits": shown.url}) as started:
        started.scraped("count(gatekeeper_queue_depth)", 1)
        assert started.value(absent) == 1, "promtool knows no NaN: the rule is asked here"
        code, look = asked(gatekeeper, watching(prometheus=started.url))
    assert (code, look["verdict"]) == (4, "unread")
    assert "gatekeeper_requests_total holds nan" in look["unread"][0]


def test_a_prometheus_that_is_down_is_said_so(watching: Callable[..., Path], gatekeeper: Command) -> None:
    code, look = asked(gatekeeper, watching(prometheus="http://127.0.0.1:9"))
    assert (code, look["verdict"]) == (4, "unread")
    assert "Prometheus at http://127.0.0.1:9" in look["unread"][0] and "does not answer" in look["unread"][0]
    assert look["look"] == 1
