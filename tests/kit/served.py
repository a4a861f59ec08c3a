"""A `gatekeeper serve` that runs beside a test, and a model that misbehaves on demand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from kit.support import install_framework

DIES, HANGS, RAISES, REFUSES, SLOW = 666.0, 777.0, 888.0, 889.0, 111.0


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    url: str

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def sessions(self) -> list[psutil.Process]:
        return [p for p in psutil.Process(self.process.pid).children(recursive=True) if "gatekeeper.serve.worker" in p.cmdline()]

    def stop(self, timeout: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def asked(folder: Path) -> dict[str, str]:
    """The environment in which the framework `asked` is installed."""
    return install_framework(folder / "plugin", "asked")


@contextmanager
def serving(artifact: Path, *words: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """`gatekeeper serve` on a free port, ready; nothing of it is left afterwards."""
    command = [sys.executable, "-m", "gatekeeper", "serve", str(artifact), "--port", "0", "--threads", "1", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | (env or {}))
    watch = threading.Timer(120, process.kill)
    watch.start()
    try:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert " at http://" in line, process.stderr.read()
        yield Served(process, line.split()[-1])
    finally:
        watch.cancel()
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(children, timeout=10)
        for each in alive:
            each.kill()
        assert alive == []


def request(x: Any) -> dict[str, Any]:
    """An inference request in JSON for the input `x`."""
    array = np.asarray(x, np.float32)
    return {"inputs": [{"name": "x", "shape": list(array.shape), "datatype": "FP32", "data": array.ravel().tolist()}]}


def row(first: float = 1.0) -> Any:
    """One example of 16 numbers."""
    return np.arange(16, dtype=np.float32)[None] * 0 + np.float32(first)
