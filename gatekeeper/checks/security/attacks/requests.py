"""Requests whose HTTP itself is odd: paths, methods, headers, framing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gatekeeper.checks.outcome import Broken
from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.victim import INFER, Victim
from gatekeeper.serve.behind import NAME

WAIT_S = 1.0
"""After a malformed request the server answers and closes, or closes: silence longer than this is taken for the end."""


def _ask(victim: Victim, label: str, data: bytes) -> list[int]:
    codes = victim.raw(data, WAIT_S)
    if any(status >= 500 for status in codes):
        raise Broken(f"{label}: answered with {max(codes)}")
    return codes


def odd_paths(victim: Victim) -> int:
    """Names of models that are paths, encoded or not, or endless."""
    names = [
        "..", "../..", "../../../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cwindows", "%00", f"{NAME}%00", "%",
        "%zz", "%ff%fe", "%c0%ae%c0%ae", "*", "~root", "x" * 8000, f"{NAME}/versions/../../x", f"{NAME}/versions/99", ".", "",
        f"{NAME}%2finfer", "%0d%0aX-Injected:%201", "{name}", "${jndi:ldap://x}", ";id",
    ]  # fmt: skip
    for name in names:
        for method, path in (("GET", f"/v2/models/{name}"), ("POST", f"/v2/models/{name}/infer")):
            data = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode("latin-1")
            codes = _ask(victim, f"{method} {path[:60]}", data)
            if not codes or not 300 <= codes[0] < 500:
                raise Broken(f"{method} {path[:60]}: answered with {codes[0] if codes else 'nothing'}, not refused")
    return 2 * len(names)


def wrong_methods(victim: Victim) -> int:
    """Methods that a path does not have."""
    methods = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
    for method in methods:
        data = f"{method} {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        codes = _ask(victim, f"{method} {INFER}", data)
        if codes and not 400 <= codes[0] < 500:
            raise Broken(f"{method} {INFER}: answered with {codes[0]}, not refused")
    data = f"POST /v2/models/{NAME} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    if _ask(victim, "POST of metadata", data) != [405]:
        raise Broken("POST of metadata is not answered with 405")
    return len(methods) + 1


def smuggled(victim: Victim) -> int:
    """Two answers to the question where a request ends: behind a proxy that reads it otherwise, another follows unseen."""
    inner = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n".encode()
    hostile = {
        "two lengths": b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}" % (2 + len(inner)) + inner,
        "a length with a sign": b"Content-Length: +2\r\n\r\n{}" + inner,
        "a negative length": b"Content-Length: -1\r\n\r\n{}" + inner,
        "a length in words": b"Content-Length: two\r\n\r\n{}" + inner,
        "a length with a list": b"Content-Length: 2, 2\r\n\r\n{}" + inner,
        "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
        "a coding after chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner,
        "a chunk of no number": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n" + inner,
        "a chunk that is longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}{}{}\r\n0\r\n\r\n" + inner,
        "a chunk of 2^64": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{}\r\n0\r\n\r\n" + inner,
        "a header with a space": b"Content-Length : 2\r\n\r\n{}" + inner,
    }
    for label, rest in hostile.items():
        codes = _ask(victim, label, start + rest)
        if any(status < 400 for status in codes):
            raise Broken(f"{label}: what was hidden behind it was answered with {min(codes)}")
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(inner)) + inner
    if len(_ask(victim, "both a length and chunks", start + both)) > 1:
        raise Broken("both a length and chunks: what was hidden behind it was answered as a request of its own")
    return len(hostile) + 1


def no_http(victim: Victim) -> int:
    """Bytes that are no HTTP."""
    hostile = {
        "nothing": b"", "zeros": b"\0" * 4096, "a TLS hello": bytes.fromhex("160301020001000100fcfd0303"),
        "line ends": b"\r\n" * 100, "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an old version": b"GET / HTTP/0.9\r\n\r\n", "no host": b"GET /v2 HTTP/1.1\r\n\r\n",
        "a version of none": b"GET /v2 HTTP/9.9\r\nHost: x\r\n\r\n", "a million letters": b"GET /" + b"a" * 1_000_000,
        "a path of 200 kB": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a header of 1 MB": b"GET /v2 HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "20,000 headers": b"GET /v2 HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(20_000)) + b"\r\n",
        "a header of bytes": b"GET /v2 HTTP/1.1\r\nHost: \xff\xfe\r\nX: \0\r\n\r\n",
        "an upgrade": b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
    }  # fmt: skip
    with ThreadPoolExecutor(len(hostile)) as pool:  # most are met with silence
        list(pool.map(lambda label: _ask(victim, label, hostile[label]), hostile))
    return len(hostile)


ATTACKS = (
    Attack("odd_paths", "basic", odd_paths),
    Attack("wrong_methods", "basic", wrong_methods),
    Attack("smuggled", "basic", smuggled),
    Attack("no_http", "basic", no_http),
)
