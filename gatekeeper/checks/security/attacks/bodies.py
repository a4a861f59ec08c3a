"""Bodies that are too large, too slow, or never come."""

from __future__ import annotations

import socket
import time

from gatekeeper.checks.outcome import Broken
from gatekeeper.checks.security.base import Attack
from gatekeeper.checks.security.victim import ATTACK_S, BODY_S, INFER, Victim, statuses
from gatekeeper.serve.behind import NAME

CHUNK = b"x" * 65536
PEOPLE, DEAF = 64, 4


def _head(victim: Victim, *lines: str) -> bytes:
    first = [f"POST {INFER} HTTP/1.1", f"Host: {victim.server.address}", "Content-Type: application/json"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def _ended(label: str, codes: list[int], *allowed: int) -> None:
    """A refusal, or a connection that was closed; not silence, and no error of the server's own."""
    if codes and codes[0] not in allowed:
        raise Broken(f"{label}: answered with {codes[0]}, not {' or '.join(map(str, allowed))}")


def declared_gigantic(victim: Victim) -> int:
    """A body of terabytes is refused by what it says of itself, before it comes."""
    sizes = (victim.max_body + 1, 1 << 40, (1 << 63) - 1)
    for size in sizes:
        started = time.monotonic()
        codes = victim.raw(_head(victim, f"Content-Length: {size}") + b"{", ATTACK_S)
        if not codes:
            raise Broken(f"a body of {size} bytes: the connection was closed without an answer")
        _ended(f"a body of {size} bytes", codes, 413, 400)
        if time.monotonic() - started >= ATTACK_S:
            raise Broken(f"a body of {size} bytes: it waits for it {ATTACK_S:g} s and longer")
    return len(sizes)


def streamed_gigantic(victim: Victim) -> int:
    """A body without a stated length, that goes on and on."""
    sent, answer = 0, b""
    with socket.create_connection(victim.at, timeout=ATTACK_S) as connection:
        try:
            connection.sendall(_head(victim, "Transfer-Encoding: chunked"))
            while sent < 4 * victim.max_body + (16 << 20):
                connection.sendall(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
                sent += len(CHUNK)
        except (ConnectionError, TimeoutError):
            pass  # it has stopped reading
        else:
            raise Broken(f"it took {sent} bytes of a body, and allows {victim.max_body}")
        try:
            answer = connection.recv(65536)
        except OSError:
            pass  # the answer was thrown away with the connection
    _ended("a body that goes on and on", statuses(answer), 413, 400)
    return 1


def slow_body(victim: Victim) -> int:
    """A body that is announced and does not come, or drop by drop."""
    started = time.monotonic()
    codes = victim.raw(_head(victim, "Content-Length: 1000") + b'{"inputs":', BODY_S + ATTACK_S)
    if time.monotonic() - started >= BODY_S + ATTACK_S:
        raise Broken(f"a body that does not come is waited for longer than {BODY_S + ATTACK_S:g} s")
    _ended("a body that does not come", codes, 408, 400)
    drops, deadline = b"", time.monotonic() + BODY_S + ATTACK_S
    with socket.create_connection(victim.at, timeout=0.1) as connection:
        try:
            connection.sendall(_head(victim, "Content-Length: 100000"))
            while time.monotonic() < deadline:
                connection.sendall(b" ")
                try:
                    drops = connection.recv(65536)
                    break
                except TimeoutError:
                    continue
            else:
                raise Broken(f"a body that comes drop by drop is waited for longer than {BODY_S + ATTACK_S:g} s")
        except ConnectionError:
            pass
    _ended("a body that comes drop by drop", statuses(drops), 408, 400)
    return 2


def cut_short(victim: Victim) -> int:
    """Senders that hang up in the middle of a request."""
    whole = victim.document()
    head = _head(victim, f"Content-Length: {len(whole)}")
    for i in range(PEOPLE):
        data = head + whole
        with socket.create_connection(victim.at, timeout=ATTACK_S) as connection:
            connection.sendall(data[: len(data) * (i + 1) // PEOPLE])
    codes = victim.raw(head + whole[:-5], ATTACK_S, end=True)
    _ended("a body that ends early", codes, 400, 408, 499)
    return PEOPLE + 1


def slow_people(victim: Victim) -> int:
    """Many connections that send a letter of their headers now and then: others are answered meanwhile."""
    held: list[socket.socket] = []
    try:
        for _ in range(PEOPLE):
            held.append(socket.create_connection(victim.at, timeout=ATTACK_S))
            held[-1].sendall(b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: x\r\nX-")
        for _ in range(5):
            for connection in held:
                try:
                    connection.sendall(b"a")
                except ConnectionError:
                    pass  # shown the door, which is as good
            started = time.monotonic()
            victim.ask()
            if time.monotonic() - started > ATTACK_S / 2:
                raise Broken(f"a good request takes longer than {ATTACK_S / 2:g} s beside {PEOPLE} slow ones")
    finally:
        for connection in held:
            connection.close()
    return PEOPLE


def deaf_people(victim: Victim) -> int:
    """Askers that never read their answers."""
    held: list[socket.socket] = []
    ask = f"GET /v2/models/{NAME} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    try:
        for _ in range(DEAF):
            connection = socket.create_connection(victim.at, timeout=1.0)
            held.append(connection)
            try:
                for _ in range(50):
                    connection.sendall(ask * 200)
            except (TimeoutError, ConnectionError):
                pass  # it reads no more, since nobody reads it
        victim.ask()
    finally:
        for connection in held:
            connection.close()
    return len(held)


ATTACKS = (
    Attack("declared_gigantic", "basic", declared_gigantic),
    Attack("streamed_gigantic", "basic", streamed_gigantic),
    Attack("slow_body", "basic", slow_body),
    Attack("cut_short", "basic", cut_short),
    Attack("slow_people", "comprehensive", slow_people),
    Attack("deaf_people", "comprehensive", deaf_people),
)
