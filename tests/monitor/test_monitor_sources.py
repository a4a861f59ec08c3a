"""What a Prometheus or a page of metrics may answer beside numbers: each is named, and none is health."""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from kit.prometheus import page

from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.signals import error_rate, latency_p50
from gatekeeper.monitor.sources import metrics, prometheus
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.serve.metrics import Metrics

NOW = 1_800_000_000.0


def answers(kind: str, result: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def root(url: str) -> str:
    return f"http://{urlsplit(url).netloc}"


def asked(address: str, **more: Any) -> Asked:
    return Asked(address, NOW, 3600.0, **more)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"<html>a proxy</html>", "garbage", "is no Prometheus"),
        (b"{}", "garbage", "is no Prometheus"),
        (b'{"status": "success", "data": {"resultType": "scalar", "result": [1]}}', "garbage", "is no Prometheus"),
        (answers("vector", []), "garbage", "is no Prometheus"),
        (answers("scalar", [0, "soon"]), "garbage", "where a number should be"),
        (b'{"status": "error", "errorType": "execution", "error": "too many samples"}', "refused", "too many samples"),
        (answers("scalar", [NOW, f"{NOW - 400}"]), "clocks", "-400 s off this machine's"),
        (answers("scalar", [NOW, "NaN"]), "garbage", "does not know what time it is"),
    ],
)
def test_what_is_no_answer_is_named(answer: bytes, kind: str, said: str) -> None:
    with page(lambda: answer) as shown, pytest.raises(Unread, match=said) as caught:
        prometheus.read(asked(root(shown.url)))
    assert caught.value.kind == kind


def test_old_samples_are_no_news() -> None:
    """The first answer is the time, all others a counter whose last sample is ten minutes old."""
    told = iter([answers("scalar", [NOW, f"{NOW}"])])
    old = answers("matrix", [{"metric": {"code": "200"}, "values": [[NOW - 700, "1"], [NOW - 600, "2"]]}])
    with page(lambda: next(told, old)) as shown, pytest.raises(Unread, match="600 s old") as caught:
        prometheus.read(asked(root(shown.url)))
    assert caught.value.kind == "stale"


def server() -> Metrics:
    found = Metrics("tabular_classification")
    found.watch(lambda: 0.0)
    return found


def look(url: str, kept: dict[str, object], later: float = 0.0) -> Any:
    kept |= msgspec.json.decode(msgspec.json.encode(kept))  # it has been in a file meanwhile
    return metrics.read(Asked(url, time.time() + later, 3600.0, kept=kept))


def test_looks_at_the_page_itself_add_up_over_a_restart() -> None:
    first, kept = server(), dict[str, object]()
    for _ in range(50):
        first.answered(200, 0.003)
    with page(first.text) as shown:
        assert error_rate.read(look(shown.url, kept)).n == 50, "since the server began"
        first.answered(503, 0.003)
        found = error_rate.read(look(shown.url, kept, 20.0))
        assert (found.n, found.value) == (1, 1.0), "since the look before, in which nothing had failed yet"
        second = server()
        for _ in range(60):  # as many as before and more: only when it began tells
            second.answered(200, 0.003)
        shown.text = second.text
        window = look(shown.url, kept, 40.0)
        assert error_rate.read(window).n == 1 + 60
        assert latency_p50.read(window).n == 1 + 60
        assert any("began again at 0" in note for note in window.notes)


def test_a_number_that_is_none_stays_so_over_looks() -> None:
    """JSON has no NaN: what was kept of it is none either."""
    kept = dict[str, object]()
    with page(lambda: b'gatekeeper_queue_depth 0.0\ngatekeeper_requests_total{code="200"} NaN\n') as shown:
        for later in (0.0, 20.0):
            with pytest.raises(Unread, match="no count"):
                error_rate.read(look(shown.url, kept, later))


def test_a_page_that_is_none_of_a_server() -> None:
    for text, kind in ((b"<html>", "garbage"), (b"up 1\n", "absent"), (b"", "absent"), (b"a{b=\n", "garbage")):
        with page(lambda text=text: text) as shown, pytest.raises(Unread) as caught:
            look(shown.url, {})
        assert caught.value.kind == kind, text


def test_the_clock_of_a_server_is_compared() -> None:
    ahead = email.utils.formatdate(time.time() + 3600, usegmt=True)
    with page(server().text, {"Date": ahead}) as shown, pytest.raises(Unread, match="NTP") as caught:
        look(shown.url, {})
    assert caught.value.kind == "clocks"
