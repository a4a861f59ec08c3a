"""`gatekeeper watch --listen`, asked as Argo Rollouts and Flagger ask: by the very URLs that are written for them."""

from __future__ import annotations

import json
import math
import random
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.command import Command
from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.deploy.engines._base import Going, engine
from gatekeeper.deploy.packages._manifests import Server
from gatekeeper.deploy.packages._resources import Needs
from gatekeeper.monitor.answering.rollouts import ARGO, FLAGGER, Rollouts
from gatekeeper.monitor.answering.server import Answers, answering
from gatekeeper.monitor.decide import Finding, Look, Seen
from gatekeeper.monitor.window import LATENCY, REQUESTS
from gatekeeper.records.rollout import RolloutLimits

SCRAPE_S, RATE = 5.0, 20
IMAGE = f"reg.example.com/digits@sha256:{'a' * 64}"
NEW, OLD = "6d4f9c", "7b8a55"
STEPS_NEEDED = 339


@dataclass
class Cluster:
    """A Prometheus that has scraped both colours every few seconds; `green` and `blue` are their shares of failed requests."""

    green: float = 0.0
    blue: float = 0.0
    now: float = 1_800_000_000.0
    label: str = ARGO
    names: tuple[str, str] = (NEW, OLD)
    silent: bool = False
    down: bool = False
    failing: str = "500"  # with what it fails
    timed: bool = True  # whether it tells how long requests took
    fast: str = "0.05"  # the bucket of those that are
    scrapes: list[tuple[float, dict[tuple[str, str, str], float]]] = field(default_factory=list)
    counts: dict[tuple[str, str, str], float] = field(default_factory=dict)
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    def live(self, seconds: float) -> None:
        """Let time pass, with requests to both."""
        for _ in range(round(seconds / SCRAPE_S)):
            self.now += SCRAPE_S
            for name, share in zip(self.names, (self.green, self.blue), strict=True):
                for _ in range(0 if self.silent else RATE):
                    failed = self.draw.random() < share
                    self._count(name, REQUESTS, self.failing if failed else "200")
                    if self.timed:
                        self._count(name, LATENCY, "+Inf")
                        if not failed or self.failing < "500":
                            self._count(name, LATENCY, self.fast)
            self.scrapes.append((self.now, dict(self.counts)))

    def _count(self, name: str, family: str, value: str) -> None:
        key = (name, family, value)
        self.counts[key] = self.counts.get(key, 0) + 1

    def answer(self, query: str, at: float) -> Any:
        """As Prometheus answers `time()` and a range selector."""
        if query == "time()":
            return {"resultType": "scalar", "result": [self.now, str(self.now)]}
        found = re.fullmatch(r"(\w+)\{job=\"digits\"\}\[(\d+)s\]", query)
        assert found, query
        series: dict[tuple[str, str, str], list[Any]] = {}
        for time, counts in self.scrapes:
            if at - int(found[2]) < time <= at:
                for key, value in counts.items():
                    if key[1] == found[1]:
                        series.setdefault(key, []).append([time, str(value)])
        label = {REQUESTS: "code", LATENCY: "le"}
        result = [
            {"metric": {"__name__": family, self.label: name, "job": "digits", label[family]: value}, "values": values}
            for (name, family, value), values in series.items()
        ]
        return {"resultType": "matrix", "result": result}


@contextmanager
def prometheus_of(cluster: Cluster) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            at = float(query.get("time", [cluster.now])[0])
            body = json.dumps({"status": "success", "data": cluster.answer(query["query"][0], at)}).encode()
            self.send_response(503 if cluster.down else 200)
            self.send_header("content-length", str(len(body) if not cluster.down else 0))
            self.end_headers()
            self.wfile.write(b"" if cluster.down else body)

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class World:
    cluster: Cluster
    prometheus: str
    path: Path
    strategy: str = "canary"
    url: str = ""

    def rollouts(self) -> Rollouts:
        limits = RolloutLimits(slow_ms=50.0, disagreement=None, burst_s=SCRAPE_S)
        shares = (10, 50)
        return Rollouts(self.prometheus, {"job": "digits"}, shares, limits, None, self.path, clock=lambda: self.cluster.now)

    @contextmanager
    def listening(self) -> Iterator[None]:
        with answering("127.0.0.1:0", Answers(self.rollouts())) as self.url:
            yield

    def files(self, name: str) -> dict[str, Any]:
        """What is written for an engine, with this judge."""
        server = Server("digits", IMAGE, Needs(512, 2, "measured"), 2, 8, "none")
        going = Going(server, "canary", "gradual", True, self.url)
        return {file: yaml.safe_load(text) for file, text in engine(name, "canary").files(going).items()}

    def argo(self, step: int, green: str = NEW) -> str:
        """What Argo's `web` provider makes of its answer, by the conditions of the template: Successful, Failed, Inconclusive or
        Error."""
        [metric] = self.files("argo")["analysis.yaml"]["spec"]["metrics"]
        url = metric["provider"]["web"]["url"].replace("{{args.step}}", str(step)).replace("{{args.green}}", green)
        status, body = asked(url)
        if not 200 <= status < 300:
            return "Error"
        assert metric["provider"]["web"]["jsonPath"] == "{$.decision}"
        result = json.loads(body)["decision"]
        holds = {key: eval(metric[f"{key}Condition"], {"result": result}) for key in ("success", "failure")}  # plain comparisons
        assert holds != {"success": True, "failure": True}
        return "Successful" if holds["success"] else "Failed" if holds["failure"] else "Inconclusive"

    def flagger(self, kind: str, checksum: str = "c0ffee") -> bool:
        """What Flagger makes of a hook's answer: it goes on where the status is at most 202."""
        [hook] = [each for each in self.files("flagger")["canary.yaml"]["spec"]["analysis"]["webhooks"] if each["type"] == kind]
        payload = {"name": "digits", "namespace": "models", "phase": "Progressing", "checksum": checksum, "metadata": {}}
        status, body = asked(hook["url"], json.dumps(payload).encode())
        assert json.loads(body)
        return status <= 202


def asked(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(**told: Any) -> World:
            cluster = Cluster(**told)
            cluster.live(60)
            own = World(cluster, stack.enter_context(prometheus_of(cluster)), tmp_path / "rollouts.json")
            stack.enter_context(own.listening())
            return own

        yield make


def ramp(own: World, step: int, most: int = 50) -> str:
    """Ask as often as Argo does, until it is neither."""
    for _ in range(most):
        found = own.argo(step)
        if found != "Inconclusive":
            return found
        own.cluster.live(90)
    return "Inconclusive"


def test_argo_promotes_a_good_one_step_by_step(world: Callable[..., World]) -> None:
    own = world()
    assert own.argo(10) == "Inconclusive", "at first there is no evidence"
    assert ramp(own, 10) == "Successful"
    assert own.argo(50) == "Inconclusive", "what was shown at 10 % says nothing of 50 %"
    assert ramp(own, 50) == "Successful"
    known = json.loads(own.path.read_text())["rollouts"][f"digits/{NEW}"]
    spent = known["asked"][0]["until"] - known["asked"][0]["since"]
    assert spent >= STEPS_NEEDED * SCRAPE_S, "a step takes the stretches that its evidence takes"


def test_argo_goes_back_from_a_bad_one_and_it_stays_so(world: Callable[..., World]) -> None:
    own = world(green=0.05)
    assert ramp(own, 10) == "Failed"
    own.cluster.green = 0.0
    own.cluster.live(600)
    assert own.argo(10) == "Failed" and own.argo(50) == "Failed"
    assert own.argo(10, green="another") == "Inconclusive", "another revision is another rollout"


def test_other_questions_do_not_make_it_forget_what_went_back(world: Callable[..., World]) -> None:
    own = world(green=0.2)
    assert ramp(own, 10) == "Failed"
    for i in range(210):
        assert own.rollouts().about("digits", f"other{i}", 10 if i % 2 else 77).decision == "hold"
    assert own.argo(10) == "Failed"


def test_the_old_one_may_fail_as_well(world: Callable[..., World]) -> None:
    """An absolute limit would go back from this one."""
    assert ramp(world(green=0.03, blue=0.03), 10, most=60) != "Failed"


@pytest.mark.parametrize("what", ["no traffic", "Prometheus is down", "the wrong label"])
def test_what_is_not_known_pauses(what: str, world: Callable[..., World]) -> None:
    own = world(silent=what == "no traffic", label="other" if what == "the wrong label" else ARGO)
    own.cluster.down = what == "Prometheus is down"
    for _ in range(30):
        assert own.argo(10) == "Inconclusive"
        own.cluster.live(90)
    status, body = asked(f"{own.url}/v1/verdict?model=digits&step=10&green={NEW}")
    assert status == 200 and json.loads(body)["reason"]


def test_one_that_refuses_what_the_old_one_answers_goes_back(world: Callable[..., World]) -> None:
    """A model that takes other inputs answers 400, at once: to who asks that is no good answer."""
    assert ramp(world(green=1.0, failing="400"), 10) == "Failed"


def test_what_users_ask_wrongly_they_ask_both(world: Callable[..., World]) -> None:
    assert ramp(world(green=0.1, blue=0.1, failing="400"), 10, most=10) == "Inconclusive"


@pytest.mark.parametrize("what", [{"timed": False}, {"fast": "0.1"}, {"fast": "0.025"}])
def test_without_the_times_of_requests_nobody_is_promoted(what: dict[str, Any], world: Callable[..., World]) -> None:
    """No histogram, or none with an end where slow begins: that some are slow cannot be seen."""
    own = world(**what)
    assert ramp(own, 10, most=25) == "Inconclusive"
    reason = json.loads(asked(f"{own.url}/v1/verdict?model=digits&step=10&green={NEW}")[1])["reason"]
    assert "gatekeeper_request_seconds" in reason


def test_without_the_times_of_requests_a_bad_one_goes_back_all_the_same(world: Callable[..., World]) -> None:
    assert ramp(world(timed=False, green=0.1), 10) == "Failed"


def test_a_share_that_was_passed_once_is_not_passed_for_ever(world: Callable[..., World]) -> None:
    """The same revision again, a day later: another blue, other requests, or none at all."""
    own = world()
    assert ramp(own, 10) == ramp(own, 50) == "Successful"
    assert own.argo(50) == "Successful", "who asks twice hears it twice"
    own.cluster.down = True
    assert own.argo(50) == "Inconclusive", "and not from one who sees nothing"
    own.cluster.down = False
    own.cluster.live(600)
    assert own.argo(10) == "Inconclusive" and own.argo(50) == "Inconclusive"


def test_flagger_begins_anew_with_the_same_revision(world: Callable[..., World]) -> None:
    own = world(label=FLAGGER, names=("digits-abc", "digits-primary-xyz"))
    assert own.flagger("confirm-traffic-increase")
    for _ in range(40):
        own.cluster.live(170)
        if own.flagger("confirm-traffic-increase") and own.flagger("confirm-promotion"):
            break
    assert own.flagger("confirm-promotion")
    own.cluster.live(600)
    assert not own.flagger("confirm-promotion"), "nothing is known of it now"
    assert own.flagger("confirm-traffic-increase") and not own.flagger("confirm-traffic-increase")


@pytest.mark.parametrize(
    "other", ["letters-abc", "letters-primary-abc", "digits-large-abc-x2x2x", "digits-large-primary-abc-x2x2x"]
)
def test_pods_of_another_model_are_of_neither(other: str, world: Callable[..., World]) -> None:
    """Its requests, however well answered, say nothing for this one."""
    own = world(label=FLAGGER, names=(other, "digits-primary-xyz"))
    assert own.flagger("confirm-traffic-increase")
    for _ in range(25):
        own.cluster.live(90)
        assert not own.flagger("confirm-traffic-increase")


def test_a_share_that_leaves_nothing_to_compare_with_is_held(world: Callable[..., World]) -> None:
    own = world()
    assert own.argo(100) == own.argo(0) == "Inconclusive"
    status, body = asked(f"{own.url}/v1/verdict?model=digits&step=100&green={NEW}")
    assert status == 200 and "cannot be compared" in json.loads(body)["reason"]


def test_one_that_is_killed_and_started_again_says_the_same(world: Callable[..., World]) -> None:
    """What spoke against it is seen again; nothing is a second try."""
    own = world(green=0.05)
    own.argo(10)
    own.cluster.live(30)
    with own.listening():
        assert ramp(own, 10) == "Failed"
    with own.listening():
        own.cluster.green = 0.0
        assert own.argo(10) == "Failed"


def test_a_pause_of_the_asker_takes_what_spoke_for_it(world: Callable[..., World]) -> None:
    own = world()
    own.argo(10)
    for _ in range(15):
        own.cluster.live(90)
        assert own.argo(10) == "Inconclusive"
    own.cluster.live(600)  # which share it has meanwhile nobody knows
    for _ in range(15):
        assert own.argo(10) == "Inconclusive", "as many stretches as one step takes, and cut in two"
        own.cluster.live(90)
    assert ramp(own, 10) == "Successful"


def test_flagger_is_told_by_the_status_alone(world: Callable[..., World]) -> None:
    own = world(label=FLAGGER, names=("digits-abc", "digits-primary-xyz"))
    assert not own.flagger("confirm-promotion"), "it has no share"
    assert own.flagger("confirm-traffic-increase"), "its first share needs no evidence"
    assert not own.flagger("confirm-traffic-increase") and not own.flagger("rollback")
    granted = 1
    for _ in range(40):
        own.cluster.live(170)
        assert not own.flagger("rollback")
        if own.flagger("confirm-traffic-increase"):
            granted += 1
            if own.flagger("confirm-promotion"):
                break
    assert granted == 3, "10 %, 50 %, and all of it"


def test_flagger_is_told_to_go_back(world: Callable[..., World]) -> None:
    own = world(label=FLAGGER, names=("digits-abc", "digits-primary-xyz"), green=0.1)
    assert own.flagger("confirm-traffic-increase")
    for _ in range(20):
        own.cluster.live(90)
        assert not own.flagger("confirm-traffic-increase") and not own.flagger("confirm-promotion")
        if own.flagger("rollback"):
            return
    raise AssertionError("it never went back")


def test_questions_that_are_none(world: Callable[..., World]) -> None:
    own = world()
    base = f"{own.url}/v1/verdict"
    for query in (
        "",
        "?model=digits",
        "?model=digits&step=x&green=a",
        "?model=digits&step=101&green=a",
        "?model=&step=1&green=a",
    ):
        assert asked(base + query)[0] == 400, query
    for query in ("?model=digits", "?model=digits&is=promote", "?model=digits&is=sudo&of=traffic"):
        assert asked(base + query, b'{"checksum": "a"}')[0] == 400, query
    for body in (b"", b"[]", b"{}", b'{"checksum": 1}', b"\xff"):
        assert asked(f"{base}?model=digits&is=rollback", body)[0] == 400, body
    assert asked(f"{own.url}/nothing")[0] == 404
    with answering("127.0.0.1:0", Answers()) as url:
        assert asked(f"{url}/v1/verdict?model=digits&step=1&green=a")[0] == 404, "the file says not how rollouts are judged"
        assert asked(f"{url}/healthz") == (200, b"ok\n")


def metrics(answers: Answers) -> dict[tuple[str, ...], float]:
    status, body, _ = answers.get("/metrics", {})
    assert status == 200
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_metrics_hold_what_is_known_and_nothing_else() -> None:
    assert metrics(Answers()) == {("gatekeeper_watch_looks_total",): 0.0}

    def finding(alert: str, status: Any) -> Finding:
        told = {"observed": 0.2, "limit": 0.1, "unit": "D", "p_value": 0.5, "n": 10, "needs": 1}
        return Finding(name=alert, test="t", alert=alert, status=status, **told)  # type: ignore[arg-type]

    seen = Look(
        schema="gatekeeper/watch/v1", time="2026-11-28T12:00:00Z", look=7, spends=0.01, window=(0.0, 1.0), verdict="fires",
        signals=[Seen(name="latency_p99", value=5.0, unit="ms", n=3), Seen(name="accuracy", value=None, unit="fraction", n=0)],
        findings=[finding("inputs", "fires"), finding("answers", "fine"), finding("confidence", "undecided")],
        unread=["x"], notes=[],
    )  # fmt: skip
    found = metrics(Answers(look=seen))
    assert found["gatekeeper_watch_looks_total",] == 7 and found["gatekeeper_watch_unread",] == 1
    assert found["gatekeeper_watch_verdict", "fires"] == 1 and found["gatekeeper_watch_verdict", "fine"] == 0
    assert found["gatekeeper_watch_signal", "latency_p99", "ms"] == 5
    assert ("gatekeeper_watch_signal", "accuracy", "fraction") not in found
    assert found["gatekeeper_watch_alert", "inputs", "ticket"] == 1 and found["gatekeeper_watch_alert", "answers", "ticket"] == 0
    assert ("gatekeeper_watch_alert", "confidence", "ticket") not in found, "what is undecided is neither"
    assert not any(math.isnan(value) for value in found.values())


def test_a_judge_of_whoever_prometheus_knows_is_refused(gatekeeper: Command, tmp_path: Path) -> None:
    """Without a selector another model's requests would be blue's."""
    file = tmp_path / "p.yaml"
    text = "edge_ai_pipeline:\n  stages: [model_validation]\n  monitoring: {prometheus: http://p:9090, judge: {slow_ms: 50}}\n"
    file.write_text(text)
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "monitoring.selector" in done.stderr
    file.write_text(text.replace("judge:", "selector: {job: digits}, judge:"))
    assert "monitoring.selector" not in gatekeeper("validate", file).stderr
