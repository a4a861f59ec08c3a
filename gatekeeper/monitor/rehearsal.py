"""The written rules before the real Prometheus and Alertmanager, on loopback: each fault is injected, and somebody is told of it.

Every trial of every rule is a page of metrics of its own that Prometheus scrapes, so that all run at once, each in a job of
its own with its own copy of the rule. A minute of a trial takes `MINUTE_S`, and what the rules look back is shortened alike.
The rules are put in place once the trials have counted; whoever is told then, by Alertmanager's webhook, must be those that
have a fault.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gatekeeper.errors import UsageError
from gatekeeper.monitor.alerts._base import Trial
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.site import Site, span
from gatekeeper.monitor.sources._http import get
from gatekeeper.monitor.written import alertmanager
from gatekeeper.monitor.written.rules import rules_of

if TYPE_CHECKING:
    from gatekeeper.monitor.look import Watched

PROGRAMS = {
    "prometheus": (("prometheus",), "prometheus"),
    "alertmanager": (("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
}
"""What each is called, and the Debian package that brings it."""
MINUTE_S, SCRAPE = 0.4, "400ms"
RESEND = "--rules.alert.resend-delay=1s"
"""After new rules Prometheus has lost sight of Alertmanager for seconds, and what it sends meanwhile is lost."""
WAIT_S, PATIENCE_S = 2.0, 60.0
"""How long a condition must hold, and how long is waited for somebody to be told."""


@dataclass(frozen=True)
class Rehearsed:
    """One trial: whether its series arrived in Prometheus, whether somebody had to be told, and was."""

    rule: str
    trial: str
    arrived: bool
    expected: bool
    told: bool

    @property
    def holds(self) -> bool:
        """A fault that never arrived proves nothing, whoever was told."""
        return self.arrived and self.told == self.expected


@dataclass
class _Told:
    """Who was told: jobs by rule."""

    alerts: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class _Clock:
    """Trials begin when there is somebody who looks."""

    began: float | None = None

    def minute(self) -> float:
        """Of a trial."""
        return 0.0 if self.began is None else (time.monotonic() - self.began) / MINUTE_S


def rehearse(watched: Watched, site: Site, folder: Path) -> list[Rehearsed]:
    """Every trial of every rule; `UsageError` with what to install where a program is missing."""
    paths = {name: _program(name) for name in PROGRAMS}
    staged = list(_staged(watched, site))
    if not staged:
        raise UsageError("no alert is on that counters show: there is nothing to rehearse. Turn one on in monitoring.alerts.")
    told, clock = _Told(), _Clock()
    with ExitStack() as stack:
        pages = stack.enter_context(_pages({job: trial for job, _, trial in staged}, clock))
        webhook = stack.enter_context(_serving(_receiver(told)))
        manager, port = _port(), _port()
        _write(folder, staged, pages, manager, webhook)
        (folder / "rules.json").write_text('{"groups": []}')
        data = ["--storage.path=manager", "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{manager}"]
        stack.enter_context(_running([paths["alertmanager"], "--config.file=manager.yml", *data], folder))
        words = ["--config.file=prometheus.json", "--storage.tsdb.path=tsdb", "--web.enable-lifecycle", RESEND]
        stack.enter_context(_running([paths["prometheus"], *words, f"--web.listen-address=127.0.0.1:{port}"], folder))
        url = f"http://127.0.0.1:{port}"
        _until(lambda: len(_query(url, "up") or []) == len(staged), PATIENCE_S)  # it comes to its targets after seconds
        if _query(url, "vector(1)") is None:
            last = (folder / "programs.log").read_text(errors="replace").strip().rpartition("\n")[2]
            raise UsageError(f"prometheus does not start: {last[:300]}. Look at what it says.")
        clock.began = time.monotonic()
        longest = max(trial.minutes for _, _, trial in staged) * MINUTE_S
        time.sleep(longest)
        arrived = _arrived(url, staged)
        _rules(folder, staged, site)
        _reload(url)
        expected = {(rule.name, job) for job, rule, trial in staged if trial.fires}
        _until(lambda: expected <= told.alerts, PATIENCE_S)
        time.sleep(3 * WAIT_S)  # for those that should not be told
    return [
        Rehearsed(rule.name, trial.what, job in arrived, trial.fires, (rule.name, job) in told.alerts)
        for job, rule, trial in staged
    ]


def _staged(watched: Watched, site: Site) -> Iterator[tuple[str, Any, Trial]]:
    """A job for each trial, with the rule as it asks for that job alone, and the trial's series as they are on a page."""
    plain = replace(site, selector={})
    count = len([trial for _, rule in rules_of(watched, plain) for trial in rule.trials])
    for number in range(count):
        job = f"trial{number}"
        own = [(rule, trial) for _, rule in rules_of(watched, replace(site, selector={"job": job})) for trial in rule.trials]
        bare = [trial for _, rule in rules_of(watched, plain) for trial in rule.trials]
        yield job, own[number][0], bare[number]


def _arrived(url: str, staged: Sequence[tuple[str, Any, Trial]]) -> set[str]:
    """Jobs all of whose series have been in Prometheus: of a trial that has none, its page, which is empty."""
    seen = _query(url, 'count by (job) (count_over_time({__name__=~"gatekeeper_.+"}[10m]))') or []
    counts = {each["metric"]["job"]: float(each["value"][1]) for each in seen}
    pages = {each["metric"]["job"] for each in _query(url, "up == 1") or []}
    return {job for job, _, trial in staged if job in pages and counts.get(job, 0) == len(trial.series)}


def value_at(values: str, minute: float) -> float | None:
    """What a series is at that minute, as promtool's notation says; None where it has no value. After its end it goes on as at
    its end: a counter that rises goes on rising.
    """
    sequence, step = list[float | None](), 0.0
    for part in values.split():
        match = re.fullmatch(r"(_|-?[\d.]+(?:e[-+]?\d+)?)(?:\+([\d.]+(?:e[-+]?\d+)?))?(?:x(\d+))?", part)
        if match is None:
            raise ValueError(values)
        first, rise, times = match.groups()
        step, count = float(rise or 0), int(times or 0) + (first != "_")
        sequence += [None if first == "_" else float(first) + step * i for i in range(count)]
    if minute < len(sequence) - 1:
        return sequence[int(minute)]
    last = sequence[-1]
    return None if last is None else last + step * (minute - len(sequence) + 1)


@contextmanager
def _pages(trials: dict[str, Trial], clock: _Clock) -> Iterator[dict[str, str]]:
    """An address for each trial."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trial, minute = trials[self.path.strip("/")], clock.minute()
            lines = [f"{series} {value:.6f}\n" for series, v in trial.series if (value := value_at(v, minute)) is not None]
            _answer(self, "".join(lines).encode())

        def log_message(self, *words: object) -> None:
            """Nothing."""

    with _serving(Handler) as url:
        yield {job: f"{url}/{job}" for job in trials}


def _receiver(told: _Told) -> type[http.server.BaseHTTPRequestHandler]:
    """Keeps what Alertmanager says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in said["alerts"]:
                if alert["status"] == "firing":
                    told.alerts.add((alert["labels"]["alertname"], alert["labels"].get("job", "")))
            _answer(self, b"")

        def log_message(self, *words: object) -> None:
            """Nothing."""

    return Handler


def _answer(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Type", "text/plain; version=0.0.4")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def _serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _write(folder: Path, staged: Sequence[tuple[str, Any, Trial]], pages: dict[str, str], manager: int, webhook: str) -> None:
    """The configurations: Alertmanager's own, with its patience shortened, and Prometheus'."""
    told = yaml.safe_load(alertmanager.configuration(webhook))
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s", "group_by": ["..."]}
    del told["inhibit_rules"]  # its jobs have nothing to do with one another
    (folder / "manager.yml").write_text(json.dumps(told))
    jobs = []
    for job, url in pages.items():
        parts = urllib.parse.urlsplit(url)
        jobs.append({"job_name": job, "metrics_path": parts.path, "static_configs": [{"targets": [parts.netloc]}]})
    config = {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": ["rules.json"],
        "scrape_configs": jobs,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
    }
    (folder / "prometheus.json").write_text(json.dumps(config))


def _rules(folder: Path, staged: Sequence[tuple[str, Any, Trial]], site: Site) -> None:
    """The rules as they are written, with every stretch of time shortened."""
    listed = []
    for job, rule, _ in staged:
        expr = rule.expr
        for seconds in (site.short, site.long):
            expr = expr.replace(f"[{span(seconds)}]", f"[{round(seconds / 60 * MINUTE_S * 1000)}ms]")
        listed.append({"alert": rule.name, "expr": expr, "for": span(WAIT_S), "labels": {"job": job, "severity": "page"}})
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "rehearsal", "rules": listed}]}))


def _reload(url: str) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=30).close()


def _query(url: str, query: str) -> list[dict[str, Any]] | None:
    try:
        page = get(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", "Prometheus")
    except Unread:
        return None
    if page.status != 200:  # it is still starting
        return None
    found: list[dict[str, Any]] = json.loads(page.body)["data"]["result"]
    return found


def _until(holds: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)


@contextmanager
def _running(words: Sequence[str], folder: Path) -> Iterator[None]:
    """A program for as long as it is needed; killed where it does not end."""
    with (folder / "programs.log").open("ab") as log, subprocess.Popen(words, cwd=folder, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _program(name: str) -> str:
    called, package = PROGRAMS[name]
    found = next((path for each in called if (path := shutil.which(each))), None)
    if found is None:
        raise UsageError(f"{called[0]} is not on this machine. Install it: apt-get install {package}.")
    return found


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
