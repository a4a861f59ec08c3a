"""A registry on loopback for as long as a package is tried: the system's docker-registry, in a folder of its own."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.deploy.haproxy import ends_with_parent
from gatekeeper.errors import NotMeasured

PROGRAM = "docker-registry"
"""Of the Debian package of that name."""
PLACES = (None, "/usr/bin", "/usr/local/bin")
READY_S, TRIES = 20.0, 3
MOST_BYTES = 4 << 20
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what is on this machine is asked without a proxy


@dataclass(frozen=True)
class Registry:
    """One that listens: host:port, where its blobs lie, and what it says it is."""

    host: str
    blobs: Path
    version: str

    def blob(self, digest: str) -> Path:
        """The file of a blob, sha256:..."""
        name = digest.partition(":")[2]
        return self.blobs / name[:2] / name / "data"

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """What it answers, whatever it is, up to a few MB; an `OSError` where it answers no content."""
        with self._asked(path, accept) as answer:
            data: bytes = answer.read(MOST_BYTES)
            return data

    def digest(self, path: str) -> str:
        """SHA-256 of all that it answers, of any size."""
        found = hashlib.sha256()
        with self._asked(path) as answer:
            while piece := answer.read(1 << 20):
                found.update(piece)
        return f"sha256:{found.hexdigest()}"

    def _asked(self, path: str, accept: str = "*/*") -> Any:
        return _OPEN.open(urllib.request.Request(f"http://{self.host}{path}", headers={"Accept": accept}), timeout=60)


def program() -> str | None:
    """Where it is; None where it is not installed."""
    return next((found for folder in PLACES if (found := shutil.which(PROGRAM, path=folder))), None)


def missing() -> str:
    """What to install; empty where it is here."""
    return "" if program() else f"{PROGRAM} is not on this machine. Install the package `{PROGRAM}`: `apt-get install {PROGRAM}`"


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """An empty one, ready, that ends with the block; `NotMeasured` where it does not start."""
    place = program()
    if place is None:
        raise NotMeasured("unsupported", missing())
    said = subprocess.run([place, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout.split()
    version = f"{PROGRAM} {said[-1] if said else ''}".strip()
    last = ""
    for attempt in range(TRIES):  # a port that is free now may be another's in a moment
        own = folder / str(attempt)
        own.mkdir(parents=True)
        with _started(place, own) as (process, host):
            if last := _ready(process, host, own):
                continue
            yield Registry(host, own / "data/docker/registry/v2/blobs/sha256", version)
            return
    raise NotMeasured("crash", f"{version} does not start: {last}")


@contextmanager
def _started(place: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "config.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: '{folder}/data'}}}}"
    config.write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{host}'}}\nlog: {{level: error}}\n", encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [place, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            env={"PATH": "/usr/bin:/bin"},  # REGISTRY_... of somebody's environment would be its settings
            start_new_session=True, preexec_fn=ends_with_parent,
        )  # fmt: skip
        try:
            yield process, host
        finally:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], host: str, folder: Path) -> str:
    """Empty once it answers, else what it said; who answers at its port after it ended is another."""
    end = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with _OPEN.open(f"http://{host}/v2/", timeout=5):
                if process.poll() is None:
                    return ""
        except OSError:
            time.sleep(0.02)
    return (folder / "log").read_text(errors="replace").strip()[-300:] or f"it did not answer within {READY_S:.0f} s"
