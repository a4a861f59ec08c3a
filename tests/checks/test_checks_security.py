"""Hostile requests: the real server stands them, and each attack notices a server that does not."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kit.hostile_models import HOSTILE
from kit.subjects import Shelf, by_verdict, odd_shelf, reason

from gatekeeper.checks.kinds import security_tests
from gatekeeper.checks.outcome import Broken
from gatekeeper.checks.security import run, victim
from gatekeeper.checks.security.attacks import unforeseen
from gatekeeper.checks.security.base import REGISTRY, attacks
from gatekeeper.checks.security.fuzz import Fuzz, fuzz
from gatekeeper.checks.security.openapi import MOST_TOKENS, described
from gatekeeper.checks.security.run import good_request, security_checks
from gatekeeper.checks.security.scan import scan_checks
from gatekeeper.checks.security.victim import Victim, Watched
from gatekeeper.gates._checks import ChecksConfig, judge_checks
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import Made
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.serve.behind import served
from gatekeeper.serve.child import Server
from gatekeeper.serve.openapi import description
from gatekeeper.verdicts.regate import NONE

ALL = [attack for attack in attacks("comprehensive", text=True) if attack.models != "text"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def test_the_server_stands_the_basic_attacks(shelf: Shelf) -> None:
    found = by_verdict(security_checks(shelf.subject(shelf.original), "basic"))
    assert found[Verdict.PASS] == {"good_request", *(attack.name for attack in attacks("basic", text=False))}, found


@pytest.mark.thorough
def test_the_server_stands_every_attack(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unforeseen, "SECONDS", {"openapi": 4.0, "tensors": 2.0})
    found = security_checks(shelf.subject(shelf.original), "comprehensive")
    assert by_verdict(found)[Verdict.PASS] == {"good_request", *(a.name for a in ALL)}, [
        check for check in found if check.verdict is not Verdict.PASS
    ]
    assert all(check.kind == "security_tests" for check in found)
    assert "are allowed" in reason(found, "deep_json")
    assert f"requests of seed {unforeseen.SEED}; " in reason(found, "fuzzed_tensors")


def test_every_file_of_a_variant_is_scanned_and_named(shelf: Shelf) -> None:
    [check] = scan_checks(shelf.subject(shelf.original), "comprehensive")
    digest = hashlib.sha256(shelf.original.read_bytes()).hexdigest()
    assert (check.kind, check.name, check.verdict) == ("security_tests", "model_scan", Verdict.PASS)
    assert check.reason.startswith(f"1 file clean: original.onnx ({digest[:12]}, by ") and "onnx" in check.reason


def test_what_the_cache_keeps_beside_a_model_is_no_part_of_it(shelf: Shelf, tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def make(folder: Path) -> dict[str, Any]:
        shutil.copy2(shelf.original, folder / "model.onnx")
        return {}

    folder, entry, _ = cache.get_or_make("artifact", {"key": 1}, make)
    files = tuple(folder / name for name in entry.files)
    assert {file.name for file in folder.iterdir()} > {file.name for file in files}, "it keeps something"
    made = Made(folder, files, "", 0, cached=False)
    [check] = scan_checks(shelf.subject(folder, made=made), "comprehensive")
    assert check.verdict is Verdict.PASS and check.reason.startswith("1 file clean: model.onnx ("), check.reason


@pytest.mark.parametrize(("domains", "verdict"), [((), Verdict.FAIL), (("evil.domain",), Verdict.PASS)])
def test_a_hostile_file_is_not_served(shelf: Shelf, tmp_path: Path, domains: tuple[str, ...], verdict: Verdict) -> None:
    hostile = HOSTILE["onnx_custom"][1](tmp_path)
    first, *others = scan_checks(shelf.subject(hostile), "comprehensive", domains)
    assert (first.name, first.verdict) == ("model_scan", verdict)
    if verdict is Verdict.FAIL:
        assert "model.onnx: custom_operator: 'Evil' of the domain 'evil.domain'" in first.reason
        assert {check.verdict for check in others} == {Verdict.ERROR}
        assert ["model_scan", *(check.name for check in others)] == security_tests.expected(None, "comprehensive", text=False)
    decision = judge_checks("security_tests", ChecksConfig(max_failed=3), Evidence(artifact=NONE, checks=[first, *others]))
    assert decision.verdict is (Verdict.PASS if domains else Verdict.ERROR), "three that may fail tolerate no hostile file"


def test_a_file_that_nobody_knows_is_no_pass(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "model.strange").write_bytes(bytes(range(256)))
    first, *others = scan_checks(shelf.subject(tmp_path / "model.strange"), "comprehensive")
    assert (first.verdict, others[0].verdict) == (Verdict.ERROR, Verdict.ERROR)
    assert "could not be scanned: model.strange: no scan knows what it is" in first.reason


def test_a_server_that_does_not_answer_is_not_attacked(tmp_path: Path) -> None:
    with odd_shelf(tmp_path) as shelf:
        found = security_checks(shelf.odd("never"), "basic")
    assert by_verdict(found)[Verdict.FAIL] == {"good_request"}
    assert by_verdict(found)[Verdict.ERROR] == {a.name for a in attacks("basic", text=False)}


class Naive(http.server.BaseHTTPRequestHandler):
    """Answers a good request well, and every other with a status of its own."""

    protocol_version = "HTTP/1.1"
    good: bytes
    status = 500

    def answer(self) -> None:
        length = self.headers.get("content-length", "0")
        body = self.rfile.read(min(int(length), 1 << 20)) if length.isdigit() else b""
        ok = body == self.good
        self.send_response(200 if ok else self.status)
        text = json.dumps({"outputs": [{"name": "y"}]}).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_PROPFIND = answer

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def naive(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Victim]:
    """A victim that is one process, with one request at a time."""
    monkeypatch.setattr(victim, "ATTACK_S", 0.5)
    monkeypatch.setattr(unforeseen, "SECONDS", {"openapi": 1.0, "tensors": 1.0})
    for name in REGISTRY.names:
        for value in ("ATTACK_S", "BODY_S", "WAIT_S"):
            monkeypatch.setattr(REGISTRY.get(name), value, 0.5, raising=False)
    about = served(shelf.subject(shelf.original))
    good = good_request(shelf.subject(shelf.original), about)
    handler = type("Handler", (Naive,), {"good": json.dumps(good).encode()})
    kind = type("Server", (http.server.ThreadingHTTPServer,), {"request_queue_size": 256, "block_on_close": False})
    listening = kind(("127.0.0.1", 0), handler)
    monkeypatch.setattr(listening, "handle_error", lambda *_: None)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    fake: Any = SimpleNamespace(
        served=about, address=f"127.0.0.1:{listening.server_port}", url=f"http://127.0.0.1:{listening.server_port}",
        session_pids=lambda: [1], memory=lambda: 1000, alive=True, tail=lambda: "", handler=handler,
    )  # fmt: skip
    found = Victim(fake, about.inputs(), good, 1 << 20, shelf.space)
    yield found
    listening.shutdown()
    listening.server_close()
    thread.join()


HARMLESS = {"cut_short", "slow_people", "deaf_people"}
"""A server of a thread for each connection stands these; what they ask for is that others are answered meanwhile."""


FUZZED = ("fuzzed_tensors", "fuzzed_openapi")
"""Held against a server that errs by the tests of both fuzzers."""


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.thorough if each.name in FUZZED else ())
        for each in ALL
        if each.name not in HARMLESS
    ],
)
def test_every_attack_notices_a_server_that_errs(naive: Victim, attack: Any) -> None:
    with pytest.raises(Broken):
        attack.run(naive)


@pytest.mark.parametrize("name", ["wrong_types", "binary_lengths", "not_json", "deep_json", "hostile_shapes", "no_texts"])
def test_an_attack_notices_a_server_that_takes_anything(naive: Victim, name: str) -> None:
    naive.server.handler.status = 200  # type: ignore[attr-defined]
    with pytest.raises(Broken, match="answered with 200, not refused"):
        next(a for a in ALL if a.name == name).run(naive)


def test_afterwards_everything_must_be_as_before(naive: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    naive.fine()
    monkeypatch.setattr(naive, "pids", [2])
    with pytest.raises(Broken, match="the model's process died"):
        naive.fine()
    monkeypatch.setattr(naive, "expected", [])
    with pytest.raises(Broken, match="answered otherwise"):
        naive.fine()
    monkeypatch.setattr(naive.server, "alive", False)
    with pytest.raises(Broken, match="the server has ended"):
        naive.fine()


def test_slow_people_must_not_keep_others_waiting(naive: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naive, "ask", lambda: (_ for _ in ()).throw(Broken("no answer")))
    for name in ("slow_people", "deaf_people"):
        with pytest.raises(Broken, match="no answer"):
            next(a for a in ALL if a.name == name).run(naive)


def test_memory_is_watched(naive: Victim, monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    siege = run._Siege(shelf.subject(shelf.original), shelf.folder)
    monkeypatch.setattr(naive.server, "close", lambda: None, raising=False)
    with Watched(naive) as watched:
        monkeypatch.setattr(naive.server, "memory", lambda: 1 << 30)
    with pytest.raises(Broken, match="grew by 1074 MB at most, 268 MB are allowed"):
        siege.bounded(watched)


@pytest.mark.parametrize("engine", ["openapi", "tensors"])
def test_the_fuzzers_notice_a_server_that_errs(naive: Victim, engine: Any) -> None:
    about = Fuzz(
        url=naive.server.url, engine=engine, good=naive.good, description=description(naive.server.served), seconds=1.5, seed=1
    )  # fmt: skip
    found = fuzz(about)
    assert found.cases > 10
    assert any("500" in failure for failure in found.failures)


def test_what_is_fuzzed_is_what_the_server_says_of_itself(shelf: Shelf, naive: Victim) -> None:
    about = served(shelf.subject(shelf.original))
    with Server(about, shelf.folder) as server:
        server.wait_ready(60)
        found = described(server.address)
    whole = description(about)
    assert set(found["paths"]) == {path for path in whole["paths"] if "/versions/" not in path}
    assert found["components"]["schemas"]["InferRequest"] == whole["components"]["schemas"]["InferRequest"]
    assert found["components"]["schemas"]["TextParameters"]["properties"]["max_tokens"]["maximum"] == MOST_TOKENS
    with pytest.raises(Broken, match="answered with 500"):
        described(naive.server.address)
    naive.server.handler.status = 200  # type: ignore[attr-defined]
    with pytest.raises(Broken, match="no description of it"):
        described(naive.server.address)


def test_a_text_model_is_asked_for_its_texts(shelf: Shelf) -> None:
    names = {a.name for a in attacks("comprehensive", text=True)} - {a.name for a in attacks("comprehensive", text=False)}
    assert names == {"long_texts", "tokens_that_are_none"}
    subject = shelf.subject(shelf.original)
    assert np.isfinite(good_request(subject, served(subject))["inputs"][0]["data"]).all()
