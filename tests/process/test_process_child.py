"""A child process of a module of the test's own: started, spoken to, suspended, ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gatekeeper.process.child import Child, command, environment, how_it_ended

posix = pytest.mark.skipif(os.name != "posix", reason="signals")

ECHO = '''
"""Answers each line with itself; `die` kills it, `say` prints, `leave` ends it in between."""
import os, signal, sys
from gatekeeper.process.inside import begin

answers = begin()
for line in sys.stdin.buffer:
    if line == b"die\\n":
        print("one", "two", "three", "four", sep="\\n", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if line == b"say\\n":
        print("this is no answer", flush=True)
    if line == b"leave\\n":
        answers.write(b"half a li")
        answers.flush()
        os._exit(4)
    answers.write(line)
    answers.flush()
'''


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with Child("echo_child", "echo", tmp_path) as found:
        yield found


def test_lines_go_in_and_come_out(child: Child) -> None:
    assert child.lines.get(0.0) is None
    for line in (b"hello\n", b"again\n"):
        child.say(line)
        assert child.lines.get(30) == line
    assert child.alive and child.ended(0.01) is None


def test_what_it_prints_is_in_its_log(child: Child) -> None:
    child.say(b"say\n")
    assert child.lines.get(30) == b"say\n"
    assert child.tail() == "this is no answer"


@posix
def test_how_it_died_and_what_it_said_last(child: Child) -> None:
    child.say(b"die\n")
    assert child.lines.get(30) == b""
    code = child.ended(10)
    assert how_it_ended(code) == "signal SIGSEGV"
    assert child.last_words() == " It last said: two | three | four"
    child.close()
    assert child.last_words() == " It last said: two | three | four", "the log outlives it"


def test_half_a_line_comes_without_its_end(child: Child) -> None:
    child.say(b"leave\n")
    assert [child.lines.get(30), child.lines.get(30)] == [b"half a li", b""]
    assert how_it_ended(child.ended(10)) == "exit code 4"
    assert child.last_words() == ""


def test_speaking_to_the_dead_is_an_oserror(child: Child) -> None:
    child.process.kill()
    child.process.wait()
    with pytest.raises(OSError):
        child.say(b"hello\n")


@posix
def test_a_suspended_one_says_nothing_until_it_is_resumed(child: Child) -> None:
    child.say(b"ready\n")
    assert child.lines.get(30) == b"ready\n"
    child.suspend()
    child.say(b"hello\n")
    assert child.lines.get(0.3) is None
    child.resume()
    assert child.lines.get(30) == b"hello\n"


def test_nothing_is_left_of_it(child: Child) -> None:
    child.close()
    child.close()
    assert not child.alive and not psutil.pid_exists(child.pid)


def test_the_command_line_names_the_parent() -> None:
    assert command("some.module") == [sys.executable, "-P", "-m", "some.module", str(os.getpid())]


def test_the_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "do-not-tell")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    found = environment(threads=3, scratch=tmp_path)
    assert "do-not-tell" not in found.values()
    assert found["OMP_NUM_THREADS"] == "3" and found["TMPDIR"] == str(tmp_path)
    assert found["PYTHONPATH"].split(os.pathsep)[1] == "/somewhere"
    assert "OMP_NUM_THREADS" not in environment() and "TMPDIR" not in environment()


@posix
@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "exit code 0"), (3, "exit code 3"), (-signal.SIGKILL, "signal SIGKILL"), (-77, "signal 77")],
)
def test_how_it_ended(code: int, said: str) -> None:
    assert how_it_ended(code) == said
