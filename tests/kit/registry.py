"""A registry on this machine: a stand-in that may lie, and docker-registry where it is installed.

The stand-in speaks as much of the distribution specification (https://github.com/opencontainers/distribution-spec) as pushing one
artifact by digest takes.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import requests
from kit.support import eventually


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Registry:
    """What it holds, and `lie`, which every answer with content goes through: (kind, name, data) -> data."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    lie: Callable[[str, str, bytes], bytes] = lambda kind, name, data: data
    asked: list[str] = field(default_factory=list)
    host: str = ""
    token_lasts: int = 0  # requests; 0: nobody must say who he is
    tokens: dict[str, int] = field(default_factory=dict)


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: Registry

    def log_message(self, *words: object) -> None: ...

    def _answer(self, code: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _any(self) -> None:
        known, place = self.registry, urlparse(self.path)
        known.asked.append(f"{self.command} {place.path}")
        parts = place.path.strip("/").split("/")
        kind, name = (parts[-2], parts[-1]) if len(parts) > 2 else ("", "")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if place.path == "/token":
            token = f"token-{len(known.tokens)}"
            known.tokens[token] = known.token_lasts
            self._answer(200, b'{"token": "%s"}' % token.encode())
        elif known.token_lasts and not self._known():
            self._answer(401, WWW_Authenticate=f'Bearer realm="http://{known.host}/token",service="here",scope="push"')
        elif self.command == "POST":
            self._answer(202, Location=f"{place.path.rstrip('/')}/1?state=x")
        elif self.command == "PUT" and kind == "uploads":
            (wanted,) = parse_qs(place.query)["digest"]
            known.blobs[wanted] = body
            self._answer(201 if digest(body) == wanted else 400)
        elif self.command == "PUT" and kind == "manifests":
            known.manifests |= {name: body, digest(body): body}
            self._answer(201)
        elif kind in ("blobs", "manifests"):
            held = known.blobs if kind == "blobs" else known.manifests
            self._answer(200, known.lie(kind, name, held[name])) if name in held else self._answer(404)
        else:
            self._answer(200)

    def _known(self) -> bool:
        """Whether a token came along that still holds."""
        token, tokens = self.headers.get("Authorization", "").removeprefix("Bearer "), self.registry.tokens
        if token not in tokens:
            return False
        tokens[token] -= 1
        return tokens[token] >= 0

    do_GET = do_HEAD = do_POST = do_PUT = _any


@contextlib.contextmanager
def standing_in() -> Iterator[Registry]:
    """The stand-in, listening."""
    registry = Registry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        registry.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """The Debian package docker-registry, listening; it keeps what it is given in `folder`."""
    program = shutil.which("docker-registry")
    assert program
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "config.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}"
    config.write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{host}'}}\nlog: {{level: error}}\n")
    with (folder / "log").open("w") as log, subprocess.Popen([program, "serve", config], stdout=log, stderr=log) as process:
        try:
            assert eventually(lambda: _answers(host)), (folder / "log").read_text()
            yield host
        finally:
            process.terminate()


def _answers(host: str) -> bool:
    try:
        return requests.get(f"http://{host}/v2/", timeout=5).ok
    except requests.RequestException:
        return False
