"""`gatekeeper watch` as a user calls it: what it says, its exit codes, and what it keeps."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.certified import certified
from kit.command import Command
from kit.once import Once
from kit.support import eventually
from scipy.special import softmax

from gatekeeper.monitor.decide import Finding, decided, verdict
from gatekeeper.monitor.drift._base import Question
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.reference import read_reference, written
from gatekeeper.monitor.sources.requests import SURE
from gatekeeper.stats.drift import spending

STATE = ".gatekeeper-watch-p.json"


def looked(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_from_a_good_week_to_a_shift(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command) -> None:
    file = watching(requests="now.jsonl")
    done = gatekeeper("watch", file, "--learn", log("good.jsonl", 1500, seed=1))
    assert done.returncode == 0 and "1,500 examples, 4 features of a, b, c, d, 3 answers" in done.stdout, done.stderr
    log("now.jsonl", 600, seed=2)
    done = gatekeeper("watch", file, "--once")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[0].endswith("look 1: nothing to tell")
    log("now.jsonl", 600, seed=3, c=0.6)
    done = gatekeeper("watch", file, "--once")
    assert done.returncode == 1
    assert "look 2: an alert fires" in done.stdout
    [alert] = [line for line in done.stdout.splitlines() if "ALERT" in line]
    assert "inputs/c: D = 0." in alert


def test_it_answers_while_it_watches(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command) -> None:
    log("now.jsonl", 400)
    file = watching(requests="now.jsonl", alerts={"latency_p99": {"max_ms": 500}})
    refused = gatekeeper("watch", file, "--once", "--listen", "127.0.0.1:0")
    assert refused.returncode == 2 and "Give one of them" in refused.stderr
    assert gatekeeper("watch", file, "--listen", "9464").returncode == 2
    words = [sys.executable, "-m", "gatekeeper", "watch", str(file), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr and process.stdout
        url = process.stderr.readline().split("/metrics")[0]
        assert process.stdout.readline()  # it has looked

        def signal_of() -> bytes:
            with urllib.request.urlopen(f"{url}/metrics", timeout=30) as page:
                return bytes(page.read())

        assert eventually(lambda: b'gatekeeper_watch_alert{alert="latency_p99",severity="page"} 0.0' in signal_of())
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/v1/verdict?model=a&step=1&green=b", timeout=30)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_certify_writes_the_reference_of_what_it_certifies(once: Once, gatekeeper: Command, tmp_path: Path) -> None:
    """And a watch holds the one that it reads to the certificate."""
    place = certified(once, tmp_path)
    certificate = {"certificate": "out/certificate.json", "trust": "trust.yaml"}
    watched = tmp_path / "release/watched.yaml"
    watched.write_text(json.dumps({"edge_ai_pipeline": {"monitoring": {"requests": "now.jsonl", **certificate}}}))
    rows = ({"time": time.time() - i, "inputs": {"x": [0.0] * 16}, "answer": 1} for i in range(250))
    (place.folder / "now.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = place.folder / "pipeline.yaml"
    plain = place.certify("--config", file)
    assert plain.returncode == 0 and "reference" not in plain.stdout, "its file watches nothing"
    file.write_text(file.read_text() + "  monitoring: {requests: now.jsonl}\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    place.change_report(lambda report: report["pipeline"].update(sha256=digest))
    done = place.certify("--config", file)
    assert done.returncode == 0, done.stderr
    assert "written: the reference" in done.stdout and "600 examples, 16 features of x" in done.stdout, done.stdout
    known = read_reference(place.folder / "reference.npz")
    assert known.contents.model == hashlib.sha256(place.model.read_bytes()).hexdigest()
    look = gatekeeper("watch", watched, "--once", "--format", "json")
    assert not any("was certified" in said for said in looked(look)["unread"]), look.stdout
    other = replace(known, contents=msgspec.structs.replace(known.contents, model="0" * 64))
    (place.folder / "reference.npz").write_bytes(written(other))
    look = gatekeeper("watch", watched, "--once", "--format", "json")
    assert any("is of the artifact 000000000000, and" in said for said in looked(look)["unread"]), look.stdout


def test_what_the_artifact_was_approved_on_is_normal(once: Once, gatekeeper: Command, tmp_path: Path) -> None:
    """Its reference is made of the evaluation set and its answers; requests of that kind are fine, and others are not."""
    place = certified(once, tmp_path)
    file, data = place.folder / "pipeline.yaml", np.load(place.folder / "eval.npz")
    file.write_text(file.read_text() + "  monitoring: {requests: now.jsonl}\n")
    done = gatekeeper("watch", file, "--learn", place.model)
    assert done.returncode == 0, done.stderr
    assert "600 examples, 16 features of x, 4 answers, 600 labels" in done.stdout
    known = read_reference(place.folder / "reference.npz")
    scores = data["x"] @ np.load(place.folder / "weight.npz")["w"]
    assert known.contents.right >= 0.95 * 600
    assert known.contents.confidence[-1] == (1.0, 600)
    likely = softmax(scores, axis=1).max(axis=1)
    assert np.median(known.rows.columns[SURE]) == pytest.approx(np.median(likely), abs=0.02)
    for moved in (0.0, 1.0):
        rng, now = np.random.default_rng(4), time.time()
        x = rng.standard_normal((500, 16)) + moved * (np.arange(16) == 3)
        answers = (x @ np.load(place.folder / "weight.npz")["w"]).argmax(axis=1)
        rows = [{"time": now - i, "inputs": {"x": x[i].tolist()}, "answer": int(answers[i])} for i in range(500)]
        (place.folder / "now.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = gatekeeper("watch", file, "--once", "--format", "json")
        assert done.returncode == (1 if moved else 3), done.stdout
        fires = [each["name"] for each in looked(done)["findings"] if each["status"] == "fires"]
        assert ("inputs/x[3]" in fires) == bool(moved), fires


def test_too_little_is_not_well(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command) -> None:
    file = watching(requests="now.jsonl")
    gatekeeper("watch", file, "--learn", log("good.jsonl", 1500, seed=1))
    log("now.jsonl", 40, seed=2)
    done = gatekeeper("watch", file, "--once", "--format", "json")
    assert done.returncode == 3
    assert {each["status"] for each in looked(done)["findings"]} == {"undecided"}
    assert "40 seen, 299 needed" in gatekeeper("watch", file, "--once").stdout


def test_accuracy_is_held_to_what_it_was(watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command) -> None:
    file = watching(requests="now.jsonl")
    gatekeeper("watch", file, "--learn", log("good.jsonl", 400, seed=1, change={"right": True}))
    log("now.jsonl", 400, seed=2, change={"right": False})
    done = gatekeeper("watch", file, "--once", "--format", "json")
    assert done.returncode == 1
    assert [each["name"] for each in looked(done)["findings"] if each["status"] == "fires"] == ["accuracy"]


def test_a_reference_that_was_named_and_is_gone_is_no_health(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command
) -> None:
    log("now.jsonl", 600)
    done = gatekeeper("watch", watching(requests="now.jsonl", reference="mine.npz"), "--once", "--format", "json")
    assert done.returncode == 4
    assert "mine.npz: cannot be read" in looked(done)["unread"][0]
    done = gatekeeper("watch", watching(requests="now.jsonl"), "--once", "--format", "json")
    assert done.returncode == 0
    assert "so that no drift from it is looked for" in looked(done)["notes"][0]


def test_looks_are_counted_and_a_killed_one_has_spent_its_share(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command, tmp_path: Path
) -> None:
    file = watching(requests="now.jsonl")
    log("now.jsonl", 400)
    found = [looked(gatekeeper("watch", file, "--once", "--format", "json")) for _ in range(2)]
    assert [(each["look"], each["spends"]) for each in found] == [(1, spending(1, 0.05)), (2, spending(2, 0.05))]
    os.mkfifo(tmp_path / "pipe.jsonl")  # reading it fails at once, in the middle of the look
    (tmp_path / "now.jsonl").unlink()
    code = "import os, sys; from gatekeeper.monitor import look; look.look = lambda *_: os.kill(os.getpid(), 9); "
    code += "sys.argv[0] = 'gatekeeper'; from gatekeeper.cli._main import main; main()"
    killed = subprocess.run([sys.executable, "-c", code, "watch", str(file), "--once"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert json.loads((tmp_path / STATE).read_text())["looks"] == 3
    log("now.jsonl", 400)
    assert looked(gatekeeper("watch", file, "--once", "--format", "json"))["look"] == 4


def test_a_state_that_is_none_is_not_begun_anew(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command, tmp_path: Path
) -> None:
    file = watching(requests="now.jsonl")
    log("now.jsonl", 400)
    for content in ("", "{", '{"looks": -1}', '{"looks": 1, "more": 2}'):
        (tmp_path / STATE).write_text(content)
        done = gatekeeper("watch", file, "--once")
        assert done.returncode == 2
        assert "is no state of `gatekeeper watch`" in done.stderr
        assert (tmp_path / STATE).read_text() == content


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc, where nobody may write")
def test_a_state_that_cannot_be_written_is_not_taken_for_anothers(watching: Callable[..., Path], gatekeeper: Command) -> None:
    done = gatekeeper("watch", watching(requests="now.jsonl"), "--once", "--state", "/proc/x")
    assert (done.returncode, done.stderr) == (2, "/proc/x: cannot be written. Name another file with --state.\n")


def test_it_looks_again_and_again_and_ends_with_what_it_saw_last(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command
) -> None:
    file = watching(requests="now.jsonl")
    log("now.jsonl", 400, change={"status": 503})
    words = [sys.executable, "-m", "gatekeeper", "watch", str(file), "--format", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = json.loads(running.stdout.readline())
        assert (first["look"], first["verdict"]) == (1, "fires")
        done = gatekeeper("watch", file, "--once")
        assert done.returncode == 2 and "another `gatekeeper watch` has it" in done.stderr
        running.send_signal(signal.SIGTERM)
        assert eventually(lambda: running.poll() is not None)
    assert running.returncode == 1


def test_limits_of_the_certificate_hold_whoever_signed_it_is_asked(
    once: Once, log: Callable[..., Path], gatekeeper: Command, tmp_path: Path
) -> None:
    place = certified(once, tmp_path)
    payload = place.payload()
    watch = {"bound": "at_most", "unit": "ms", "certified": 3.0}
    payload["predicate"]["monitoring"] += [
        watch | {"what": "error_rate", "limit": 0.5, "unit": "fraction"},
        watch | {"what": "p99_latency", "limit": 4.0},
    ]
    place.sign(payload)
    log("now.jsonl", 1500, change={"ms": 60.0})
    file = tmp_path / "p.yaml"
    keys = {"requests": "now.jsonl", "certificate": "release/out/certificate.json", "trust": "release/trust.yaml"}
    file.write_text(json.dumps({"edge_ai_pipeline": {"monitoring": keys}}))
    done = gatekeeper("watch", file, "--once", "--format", "json")
    assert done.returncode == 1, done.stderr
    found = {each["name"]: each for each in looked(done)["findings"]}
    assert (found["latency_p99"]["status"], found["latency_p99"]["limit"]) == ("fires", 4.0)
    assert (found["error_rate"]["status"], found["error_rate"]["limit"]) == ("fine", 0.5)
    assert any(note.startswith("accuracy (at least 0.95") for note in looked(done)["notes"]), "what nothing here shows is said"
    place.certificate.write_text(place.certificate.read_text().replace('"sig":"', '"sig":"AAAA'))
    assert gatekeeper("watch", file, "--once").returncode == 1
    assert "Traceback" not in gatekeeper("watch", file, "--once").stderr


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "monitoring names nothing to read"),
        ({"prometheus": "http://a", "metrics": "http://b"}, "count the same"),
        ({"prometheus": "localhost:9090"}, "prometheus"),
        ({"requests": "r", "certificate": "c"}, "monitoring.certificate does nothing without monitoring.trust"),
        ({"prometheus": "http://a", "labels": "l"}, "monitoring.labels does nothing without monitoring.requests"),
        ({"prometheus": "http://a", "selector": {"a-b": "c"}}, "'a-b' is no label of Prometheus"),
        ({"requests": "r", "window": "5s"}, "The least is 1m"),
        ({"requests": "r", "alerts": {"error_rat": {}}}, "did you mean 'error_rate'"),
        ({"requests": "r", "alerts": {"latency_p99": {"max_ms": 40000}}}, "max_ms"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_line(
    keys: dict[str, Any], said: str, watching: Callable[..., Path], gatekeeper: Command
) -> None:
    done = gatekeeper("watch", watching(**keys), "--once")
    assert done.returncode == 2
    assert said in done.stderr and "p.yaml:1:" in done.stderr


def test_without_a_section_it_says_what_to_add(gatekeeper: Command, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    for words in (["--once"], ["--write", "out"], ["--learn", "x.jsonl"]):
        done = gatekeeper("watch", "p.yaml", *words)
        assert done.returncode == 2
        assert "p.yaml: has no `monitoring`. Add it" in done.stderr


def question(**more: Any) -> Question:
    return Question("q", "data", "inputs", **({"observed": 0.5, "limit": 0.1, "n": 500, "needs": 200} | more))


def status(*asked: Question, look: int = 1) -> list[str]:
    return [each.status for each in decided(asked, look)]


def test_a_look_spends_what_is_left_for_it_over_all_its_questions() -> None:
    just = spending(1, 0.05)
    assert status(question(p_value=just, matters=True)) == ["fires"]
    assert status(question(p_value=just, matters=True), look=2) == ["fine"]
    assert status(question(p_value=just, matters=True), question(p_value=0.9, matters=True)) == ["fine", "fine"], "Holm"
    assert status(question(p_value=0.0, matters=False)) == ["fine"], "certain, and too small to matter"
    assert status(question(p_value=float("nan"), matters=True)) == ["fine"]
    assert status(question(n=10, p_value=0.5)) == ["undecided"]
    assert status(question(matters=True)) == ["fires"], "no chance is in it"
    assert status(question(unread=Unread("nan", "no number."))) == ["unread"]


def test_what_fires_comes_first_and_nothing_asked_is_no_health() -> None:
    def found(*words: str) -> list[Finding]:
        by = {
            "fires": question(matters=True),
            "undecided": question(n=1),
            "fine": question(),
            "unread": question(unread=Unread("nan", "x.")),
        }
        return decided([by[word] for word in words], 1)

    assert verdict(found("fine", "unread", "fires"), []) == "fires"
    assert verdict(found("fine", "undecided"), ["down"]) == "unread"
    assert verdict(found("fine", "undecided"), []) == "undecided"
    assert verdict(found("fine"), []) == "fine"
    assert verdict([], []) == "undecided"


def test_labels_that_are_to_come_are_waited_for(
    watching: Callable[..., Path], log: Callable[..., Path], gatekeeper: Command, tmp_path: Path
) -> None:
    good = log("good.jsonl", 400, seed=1, change={"right": True})
    log("now.jsonl", 400, seed=2)
    (tmp_path / "labels.jsonl").write_text("")
    for keys, code in (({}, 0), ({"labels": "labels.jsonl"}, 3)):
        file = watching(requests="now.jsonl", **keys)
        gatekeeper("watch", file, "--learn", good)
        assert gatekeeper("watch", file, "--once").returncode == code
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps({"id": i, "right": True}) + "\n" for i in range(100)))
    assert gatekeeper("watch", file, "--once").returncode == 0
