"""A host with `gatekeeper deploy`: its servers and HAProxy, and users that ask."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from gatekeeper.deploy.live import slots
from gatekeeper.deploy.live.lasting import MODULE

HOW = """\
edge_ai_pipeline:
  model: {path: model.onnx, task: tabular_classification}
  deployment: {strategy: rolling, traffic_ramping: immediate, rollback: automatic}
"""
BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]}).encode()


class Host:
    """A folder with a release, and what stands there."""

    def __init__(self, folder: Path, model: str = "digits"):
        self.folder, self.state, self.model = folder, folder / "live", model
        (folder / "how.yaml").write_text(HOW)

    def command(self, *words: str) -> list[str]:
        own = ["deploy", "how.yaml", "--result", "out", "--state", "live", "--port", "0", "--name", "digits", "--burst", "100ms"]
        return [sys.executable, "-m", "gatekeeper", *own, *words]

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), cwd=self.folder, capture_output=True, text=True, check=False)

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        out = subprocess.DEVNULL
        return subprocess.Popen(self.command(*words), cwd=self.folder, stdout=out, stderr=out, start_new_session=True)

    def standing(self) -> slots.Standing:
        found = slots.read(self.state)
        assert found
        return found

    def servers(self) -> list[psutil.Process]:
        own = str(self.state.resolve())
        return [p for p in psutil.process_iter() if MODULE in (words := words_of(p)) and words[-1].startswith(own)]

    def proxies(self) -> list[psutil.Process]:
        front = slots.read(self.state)
        return [p for p in psutil.process_iter() if front and any(w.startswith(front.front.folder) for w in words_of(p))]

    def ask(self) -> int:
        standing = slots.read(self.state)
        if standing is None:
            return 0
        connection = http.client.HTTPConnection("127.0.0.1", standing.front.entry, timeout=10)
        try:
            connection.request("POST", f"/v2/models/{self.model}/infer", BODY, {"content-type": "application/json"})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def end(self) -> None:
        for process in (*self.servers(), *self.proxies()):
            process.kill()


def words_of(process: psutil.Process) -> list[str]:
    """What it was started with; nothing of one that is gone."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


class Users:
    """So many ask until the block ends, each after its answer; `answers` are the statuses, 0 for none."""

    def __init__(self, host: Host, rate: float = 120.0, many: int = 2):
        self.host, self.pause_s, self.answers, self.over = host, many / rate, list[int](), threading.Event()
        self.many = many

    def __enter__(self) -> Users:
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.many)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self) -> None:
        while not self.over.wait(self.pause_s):
            self.answers.append(self.host.ask())
