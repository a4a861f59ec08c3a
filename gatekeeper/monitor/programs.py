"""Prometheus, Alertmanager and whom it tells, as programs on loopback for as long as a rehearsal lasts."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gatekeeper.errors import UsageError
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.sources._http import get
from gatekeeper.monitor.written import alertmanager

PROGRAMS = {
    "prometheus": (("prometheus",), "prometheus"),
    "alertmanager": (("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
}
"""What each is called, and the Debian package that brings it."""
SCRAPE, PATIENCE_S = "400ms", 60.0
"""How often pages are read and rules asked, and how long is waited for a program to answer."""
RULES, RESENT = "rules.json", "--rules.alert.resend-delay=1s"
"""Prometheus knows no Alertmanager for some seconds after its rules were read again, and says again what was lost after this."""


@dataclass
class Told:
    """Who was told, by rule and job, and when first, by `time.monotonic`."""

    times: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def alerts(self) -> set[tuple[str, str]]:
        """Rules and jobs."""
        return set(self.times)


def check_programs() -> dict[str, str]:
    """Where each program is; `UsageError` with what to install where one is missing."""
    return {name: _program(name) for name in PROGRAMS}


@contextmanager
def both(folder: Path, pages: Mapping[str, str], told: Told) -> Iterator[str]:
    """The address of a Prometheus that scrapes each page as a job of its own, with an Alertmanager behind it, whose webhook
    writes down in `told`. No rules yet: `put_rules` brings some.
    """
    paths = check_programs()
    with ExitStack() as stack:
        webhook = stack.enter_context(serving(_receiver(told)))
        manager, port = _port(), _port()
        _write(folder, pages, manager, webhook)
        (folder / RULES).write_text('{"groups": []}')
        data = ["--storage.path=manager", "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{manager}"]
        stack.enter_context(_running([paths["alertmanager"], "--config.file=manager.yml", *data], folder))
        words = ["--config.file=prometheus.json", "--storage.tsdb.path=tsdb", "--web.enable-lifecycle", RESENT]
        stack.enter_context(_running([paths["prometheus"], *words, f"--web.listen-address=127.0.0.1:{port}"], folder))
        url = f"http://127.0.0.1:{port}"
        until(lambda: query(url, "vector(1)"), PATIENCE_S)
        yield url


def put_rules(folder: Path, url: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Let these rules hold from now on, and no others."""
    (folder / RULES).write_text(json.dumps({"groups": [{"name": "rehearsal", "rules": list(rules)}]}))
    urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=30).close()


def query(url: str, asked: str) -> list[dict[str, Any]] | None:
    """What an instant query finds; None where there is no answer."""
    try:
        page = get(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': asked})}", "Prometheus")
    except Unread:
        return None
    if page.status != 200:  # it is starting
        return None
    found: list[dict[str, Any]] = json.loads(page.body)["data"]["result"]
    return found


def until(holds: Callable[[], Any], seconds: float) -> bool:
    """Wait until it holds, at most so long; whether it does."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(held)


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server of such answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer(handler: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    """A page of metrics."""
    handler.send_response_only(status)
    handler.send_header("Content-Type", "text/plain; version=0.0.4")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _receiver(told: Told) -> type[http.server.BaseHTTPRequestHandler]:
    """Keeps what Alertmanager says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in said["alerts"]:
                if alert["status"] == "firing":
                    told.times.setdefault((alert["labels"]["alertname"], alert["labels"].get("job", "")), time.monotonic())
            answer(self, b"")

        def log_message(self, *words: object) -> None:
            """Nothing."""

    return Handler


def _write(folder: Path, pages: Mapping[str, str], manager: int, webhook: str) -> None:
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
        "rule_files": [RULES],
        "scrape_configs": jobs,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
    }
    (folder / "prometheus.json").write_text(json.dumps(config))


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
