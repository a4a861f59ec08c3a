"""The real Prometheus on loopback, and a page of metrics for it to scrape, whose numbers a test sets."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kit.support import eventually

PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "prometheus-alertmanager"}
"""Programs and the Debian packages that bring them."""


def program(name: str) -> str:
    """Where it is; the test is skipped where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine: apt-get install {PACKAGES[name]}")
    return found


@dataclass
class Page:
    """What `text` returns now is what is scraped."""

    url: str
    text: Callable[[], bytes]


@contextmanager
def page(text: Callable[[], bytes], headers: dict[str, str] | None = None) -> Iterator[Page]:
    """A page of metrics at /metrics, on a free port."""
    shown = Page("", text)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown.text()
            self.send_response_only(200)
            for name, value in {"Date": self.date_time_string(), "Content-Type": "text/plain", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown.url = f"http://127.0.0.1:{server.server_port}/metrics"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shown
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Prometheus:
    """A running one."""

    url: str

    def value(self, query: str) -> float | None:
        """What an instant query finds, if that is one number."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                result = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, OSError):
            return None
        return float(result[0]["value"][1]) if result else None

    def scraped(self, query: str, least: float) -> None:
        """Wait until a query finds at least so much: what a test has injected has then arrived."""
        assert eventually(lambda: (self.value(query) or 0) >= least), f"{query}: {self.value(query)}, not {least}"


@contextmanager
def prometheus(folder: Path, targets: dict[str, str], rules: str = "") -> Iterator[Prometheus]:
    """Scrapes each target (its job and address) once a second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [urllib.parse.urlsplit(url).netloc]}]} for job, url in targets.items()
    ]
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.json").write_text(json.dumps(config | ({"rule_files": [rules]} if rules else {})))
    words = [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=tsdb", "--config.file=prometheus.json"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([program("prometheus"), *words], cwd=folder, stdout=log, stderr=log)
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        assert eventually(lambda: running.value("vector(1)") == 1 or process.poll() is not None)
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait(30)
