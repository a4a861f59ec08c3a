"""Real worker processes that misbehave in every way there is."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kit.support import eventually, install_framework, spec

from gatekeeper.errors import NotMeasured
from gatekeeper.making.job import Optimize
from gatekeeper.measure.session import LoadModel, ModelLoaded, Open
from gatekeeper.measure.timing import Block, Saturated, Timed
from gatekeeper.process import isolate
from gatekeeper.process.isolate import Worker, run_job
from gatekeeper.process.messages import Answer, Done

GB = 10**9
TIMEOUT_S = 60.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The framework `moody`, installed as a third party would."""
    return install_framework(tmp_path_factory.mktemp("plugin"), "moody")


@pytest.fixture(autouse=True)
def _moody(plugin: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", plugin["PYTHONPATH"])


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path, 2 * GB) as found:
        yield found


def job(destination: Path, technique: str, source: Path | None = None) -> Optimize:
    return Optimize(
        framework="moody",
        technique=technique,
        source=str(source or destination),
        destination=str(destination),
        device="cpu",
        vnni=False,
        calibration=None,
    )


def misbehave(worker: Worker, destination: Path, technique: str, timeout_s: float = TIMEOUT_S) -> NotMeasured:
    with pytest.raises(NotMeasured) as caught:
        worker.ask(job(destination, technique), Done, timeout_s)
    return caught.value


def answer_raw(worker: Worker, destination: Path, line: bytes, expected: type[Answer]) -> Answer:
    """Make the worker answer these bytes, whatever was asked."""
    source = destination / "raw"
    source.write_bytes(line)
    return worker.ask(job(destination, "raw", source), expected, TIMEOUT_S)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def assert_gone(*pids: int) -> None:
    for pid in pids:
        assert eventually(lambda pid=pid: gone(pid)), f"process {pid} is still there"


def left(folder: Path) -> list[psutil.Process]:
    """What works below a folder, such as a worker of that scratch folder and what it has started."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(each.cwd()).is_relative_to(folder.resolve()) and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def assert_nothing_left(folder: Path, began: Path) -> None:
    """It began, and has ended. Its number says nothing: a held process counts from one."""
    assert eventually(began.exists)
    assert eventually(lambda: not left(folder)), f"{left(folder)} are still there"


# --- a worker that behaves


def test_a_job_that_works_answers_done(tmp_path: Path, destination: Path) -> None:
    source = tmp_path / "model"
    source.write_bytes(b"weights")
    assert run_job(tmp_path, job(destination, "works", source), Done, TIMEOUT_S, 2 * GB) == Done()
    assert (destination / "artifact").read_bytes() == b"weights"
    assert_nothing_left(tmp_path, destination / "pid")


def test_the_worker_is_gone_after_the_block(tmp_path: Path) -> None:
    with Worker(tmp_path, 2 * GB) as found:
        assert eventually(lambda: not gone(found.pid))
    assert_gone(found.pid)


def test_the_worker_is_gone_after_an_exception_in_the_block(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Worker(tmp_path, 2 * GB) as found:
        raise KeyboardInterrupt
    assert_gone(found.child.pid)


def test_close_can_be_called_again_and_waits_for_nothing_that_never_began(tmp_path: Path) -> None:
    found = Worker(tmp_path, 2 * GB)
    found.close()
    found.close()
    assert_gone(found.child.pid)
    assert eventually(lambda: not left(tmp_path)), f"{left(tmp_path)} are still there"


def test_what_is_printed_is_not_taken_for_an_answer(worker: Worker, destination: Path) -> None:
    assert worker.ask(job(destination, "print_garbage"), Done, TIMEOUT_S) == Done()
    for source in ("from print", "from descriptor 1", "from a child"):
        assert source in worker.child.log.read_text()


def test_a_failure_does_not_end_the_worker(worker: Worker, destination: Path) -> None:
    misbehave(worker, destination, "raise_empty")
    assert worker.ask(job(destination, "print_garbage"), Done, TIMEOUT_S) == Done()


# --- every way of not answering has its kind, and the process is gone


@pytest.mark.parametrize(
    ("technique", "kind", "says"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("segfault", "crash", "about to read address zero"),
        ("abort", "crash", "SIGABRT"),
        ("killed", "memory", "killed from outside"),
        ("exit", "crash", "exit code 3"),
        ("exit", "crash", "leaving now"),
        ("sys_exit", "crash", "exit code 3"),
        ("exit_zero", "crash", "exit code 0 instead of answering"),
        ("cut_short", "garbage", "cut short"),
        ("endless", "garbage", "endless"),
        ("close_answers", "garbage", "closed its answers"),
    ],
)
def test_a_worker_that_ends_without_an_answer(
    worker: Worker, destination: Path, technique: str, kind: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if technique == "close_answers":  # what goes on running is waited for
        monkeypatch.setattr(isolate, "END_S", 0.5)
    error = misbehave(worker, destination, technique)
    assert (error.kind, says in str(error)) == (kind, True), str(error)
    assert_gone(worker.pid)


@pytest.mark.parametrize("technique", ["hang", "hang_deaf"])
def test_a_hang_is_a_timeout_with_its_remedy(worker: Worker, destination: Path, technique: str) -> None:
    error = misbehave(worker, destination, technique, timeout_s=1.0)
    assert error.kind == "timeout"
    assert "`measure.timeout`" in str(error)
    assert_gone(worker.pid)


def test_a_suspended_worker_that_is_asked_is_a_timeout(worker: Worker, destination: Path) -> None:
    worker.suspend()
    assert misbehave(worker, destination, "works", timeout_s=0.5).kind == "timeout"
    assert_gone(worker.pid)


def test_a_quiet_wait_times_out_too(worker: Worker, destination: Path) -> None:
    with pytest.raises(NotMeasured) as caught:
        worker.ask(job(destination, "hang"), Done, 1.0, quiet=True)
    assert caught.value.kind == "timeout"
    assert_gone(worker.pid)


@pytest.mark.parametrize("technique", ["allocate", "allocate_in_child"])
def test_memory_without_end_is_stopped_at_the_limit(tmp_path: Path, destination: Path, technique: str) -> None:
    with Worker(tmp_path, 300_000_000) as found:
        error = misbehave(found, destination, technique)
    assert error.kind == "memory"
    assert "out of memory" in str(error)
    assert "`measure.memory_limit`" in str(error)
    assert_gone(found.pid)


def test_the_memory_limit_holds_in_a_timed_block_as_well(tmp_path: Path) -> None:
    import numpy as np

    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.zeros((2, 1), np.float32))
    with Worker(tmp_path, 300_000_000) as found:
        found.ask(Open(spec=spec("any", "moody"), inputs=str(inputs)), Done, TIMEOUT_S)
        found.ask(LoadModel(), ModelLoaded, TIMEOUT_S)
        with pytest.raises(NotMeasured) as caught:
            found.ask(Block(duration_ns=1, least=20), Timed, TIMEOUT_S, quiet=True)
    assert caught.value.kind == "memory"
    assert_gone(found.pid)


@pytest.mark.parametrize(
    ("technique", "kind", "says"),
    [
        ("memory_error", "memory", "out of memory"),
        ("bad_alloc", "memory", "std::bad_alloc"),
        ("raise_empty", "crash", "Moody"),
        ("raise_hostile", "crash", "Moody"),
        ("raise_surrogate", "crash", "before"),
        ("raise_unprintable", "crash", "Unprintable"),
        ("missing_module", "unsupported", "'no_such_module_at_all' is not installed"),
        ("disk_full", "disk", "/some/file"),
        ("recursion", "crash", "RecursionError"),
        ("no such technique", "crash", "LookupError"),
    ],
)
def test_what_a_framework_raises_is_classified(worker: Worker, destination: Path, technique: str, kind: str, says: str) -> None:
    error = misbehave(worker, destination, technique)
    assert (error.kind, says in str(error)) == (kind, True), str(error)


@pytest.mark.parametrize(("technique", "kind"), [("raise_huge", "crash"), ("memory_error_long", "memory")])
def test_a_long_message_is_shortened(worker: Worker, destination: Path, technique: str, kind: str) -> None:
    error = misbehave(worker, destination, technique)
    assert error.kind == kind
    assert len(str(error)) < 10_000


def test_an_unknown_framework_is_not_measured(worker: Worker, destination: Path) -> None:
    request = Optimize(framework="no_such", technique="x", source="", destination="", device="cpu", vnni=False, calibration=None)
    with pytest.raises(NotMeasured, match="not one of frameworks"):
        worker.ask(request, Done, TIMEOUT_S)


# --- answers that are none


@linux
@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"answer":"unknown"}\n',
        b'{"answer":"done","more":1}\n',
        b'{"answer":"done"} trailing\n',
        b'{"answer":"modelloaded","load_ns":1}\n',
        b'{"answer":"failed"}\n',
        b'{"answer":"failed","kind":"\xff","message":""}\n',
        b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b',"answer":"done"}\n',
        b"\x00\xff\xfe\n",
        b"\x1b[2J\x1b[31m\n",
    ],
    ids=lambda line: repr(line[:40]),
)
def test_garbage_on_the_answer_pipe(worker: Worker, destination: Path, line: bytes) -> None:
    with pytest.raises(NotMeasured) as caught:
        answer_raw(worker, destination, line, Done)
    assert caught.value.kind == "garbage"
    assert "\x1b" not in str(caught.value)
    assert_gone(worker.pid)


@linux
@pytest.mark.parametrize(
    "body",
    [
        '"latencies_ns":[],"cpu_ns":1,"wall_ns":1',
        '"latencies_ns":[NaN],"cpu_ns":1,"wall_ns":1',
        '"latencies_ns":[null],"cpu_ns":1,"wall_ns":1',
        '"latencies_ns":[1.5],"cpu_ns":1,"wall_ns":9',
        '"latencies_ns":["1"],"cpu_ns":1,"wall_ns":9',
        '"latencies_ns":[1e400],"cpu_ns":1,"wall_ns":9',
        '"latencies_ns":[1000,0],"cpu_ns":1,"wall_ns":1000',
        '"latencies_ns":[1000,-1],"cpu_ns":1,"wall_ns":1000',
        '"latencies_ns":[900000000000000],"cpu_ns":1,"wall_ns":900000000000000',
        '"latencies_ns":[' + "9" * 400 + '],"cpu_ns":1,"wall_ns":' + "9" * 400,
        '"latencies_ns":[1000,1000],"cpu_ns":1,"wall_ns":1999',
        '"latencies_ns":[1000],"cpu_ns":1000,"wall_ns":-1000',
        '"latencies_ns":[1000],"cpu_ns":1000,"wall_ns":900000000000000',
        '"latencies_ns":[1000],"cpu_ns":-1000,"wall_ns":1000',
        '"latencies_ns":[1000],"first_tokens_ns":[0],"cpu_ns":1000,"wall_ns":2000',
        '"latencies_ns":[1000],"first_tokens_ns":[1500],"cpu_ns":1000,"wall_ns":2000',
        '"latencies_ns":[1000],"cpu_ns":1000,"wall_ns":2000,"preempted":-1',
        '"latencies_ns":[1000],"cpu_ns":' + "9" * 400 + ',"wall_ns":1000',
    ],
    ids=lambda body: body[:60],
)
def test_a_clock_that_makes_no_sense(worker: Worker, destination: Path, body: str) -> None:
    with pytest.raises(NotMeasured) as caught:
        answer_raw(worker, destination, ('{"answer":"timed",' + body + "}\n").encode(), Timed)
    assert caught.value.kind == "garbage"
    assert_gone(worker.pid)


@linux
@pytest.mark.parametrize(
    "body", ['"inferences":-1,"wall_ns":1', '"inferences":1,"wall_ns":0', '"inferences":1,"wall_ns":900000000000000']
)
def test_a_throughput_that_makes_no_sense(worker: Worker, destination: Path, body: str) -> None:
    with pytest.raises(NotMeasured) as caught:
        answer_raw(worker, destination, ('{"answer":"saturated",' + body + "}\n").encode(), Saturated)
    assert caught.value.kind == "garbage"


@linux
@pytest.mark.parametrize("load_ns", ["-1", "900000000000000", "9" * 400])
def test_a_load_time_that_makes_no_sense(worker: Worker, destination: Path, load_ns: str) -> None:
    with pytest.raises(NotMeasured) as caught:
        answer_raw(worker, destination, f'{{"answer":"modelloaded","load_ns":{load_ns}}}\n'.encode(), ModelLoaded)
    assert caught.value.kind == "garbage"
    assert_gone(worker.pid)


@linux
def test_a_plausible_answer_is_taken(worker: Worker, destination: Path) -> None:
    line = b'{"answer":"timed","latencies_ns":[1000,1000],"cpu_ns":1500,"wall_ns":2100}\n'
    assert answer_raw(worker, destination, line, Timed) == Timed(latencies_ns=[1000, 1000], cpu_ns=1500, wall_ns=2100)


@linux
def test_a_failure_the_worker_reports_keeps_its_kind(worker: Worker, destination: Path) -> None:
    with pytest.raises(NotMeasured, match="no luck") as caught:
        answer_raw(worker, destination, b'{"answer":"failed","kind":"data","message":"no luck"}\n', Done)
    assert caught.value.kind == "data"


# --- nothing is left behind


@pytest.mark.parametrize("technique", ["child_then_exit", "child_then_hang"])
def test_a_child_of_a_failed_worker_is_ended(worker: Worker, destination: Path, technique: str) -> None:
    misbehave(worker, destination, technique, timeout_s=3.0)
    assert_gone(worker.pid)
    assert_nothing_left(destination.parent, destination / "child")


def test_a_child_of_a_worker_that_answered_is_ended(tmp_path: Path, destination: Path) -> None:
    run_job(tmp_path, job(destination, "child_then_answer"), Done, TIMEOUT_S, 2 * GB)
    assert_nothing_left(tmp_path, destination / "child")


@linux
def test_a_fork_that_holds_the_answer_pipe_does_not_hide_the_exit(worker: Worker, destination: Path) -> None:
    error = misbehave(worker, destination, "fork_then_exit", timeout_s=5.0)
    assert_gone(worker.pid)
    assert_nothing_left(destination.parent, destination / "child")
    assert (error.kind, "exit code 3" in str(error)) == ("crash", True), str(error)


@linux
def test_a_daemon_that_holds_the_answer_pipe_does_not_hang_the_parent(tmp_path: Path, destination: Path) -> None:
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            run_job(tmp_path, job(destination, "daemon_then_exit"), Done, 1.0, 2 * GB)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=15)
    hung = thread.is_alive()
    for each in left(tmp_path):
        each.kill()
    thread.join(timeout=15)
    assert not hung, "the parent waits for a process that the worker left behind"
    assert [type(error) for error in caught] == [NotMeasured]


@linux
def test_a_suspended_worker_dies_with_its_parent(tmp_path: Path, destination: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from gatekeeper.making.job import Optimize\nfrom gatekeeper.process.isolate import Worker\n"
        "from gatekeeper.process.messages import Done\n"
        "worker = Worker(Path(sys.argv[1]), 2 * 10**9)\n"
        "request = Optimize(framework='moody', technique='print_garbage', source='', destination=sys.argv[2],"
        " device='cpu', vnni=False, calibration=None)\n"
        "worker.ask(request, Done, 60)\nworker.suspend()\nprint(worker.pid, flush=True)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(destination)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        parent.kill()
    assert_gone(pid)


# --- suspension


def test_suspend_stops_and_resume_goes_on(worker: Worker, destination: Path) -> None:
    worker.ask(job(destination, "print_garbage"), Done, TIMEOUT_S)
    process = psutil.Process(worker.pid)
    for _ in range(3):
        worker.suspend()
        assert eventually(lambda: process.status() == psutil.STATUS_STOPPED)
        worker.resume()
        assert eventually(lambda: process.status() != psutil.STATUS_STOPPED)
        assert worker.ask(job(destination, "print_garbage"), Done, TIMEOUT_S) == Done()


def test_suspend_stops_what_the_worker_started(worker: Worker, destination: Path) -> None:
    worker.ask(job(destination, "child_then_answer"), Done, TIMEOUT_S)
    [child] = psutil.Process(worker.pid).children()
    worker.suspend()
    assert eventually(lambda: child.status() == psutil.STATUS_STOPPED)
    worker.resume()
    assert eventually(lambda: child.status() != psutil.STATUS_STOPPED)


def test_a_suspended_worker_can_be_closed(worker: Worker) -> None:
    worker.suspend()
    worker.close()
    assert_gone(worker.pid)


def test_suspending_a_dead_worker_is_nothing(worker: Worker, destination: Path) -> None:
    misbehave(worker, destination, "exit")
    worker.suspend()
    worker.resume()


# --- no secrets


@linux
def test_a_worker_sees_no_secrets(worker: Worker, destination: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = [
        "GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "HF_TOKEN", "GITHUB_ENV", "GITHUB_OUTPUT", "SSH_AUTH_SOCK", "LD_PRELOAD_SECRET",
    ]  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "do-not-tell")
    with Worker(tmp_path, 2 * GB, threads=3) as found:
        found.ask(job(destination, "environment"), Done, TIMEOUT_S)
    environment = (destination / "environment").read_text()
    assert "do-not-tell" not in environment
    seen = dict(entry.split("=", 1) for entry in environment.split("\0") if entry)
    assert not {*names} & seen.keys()
    assert seen["OMP_NUM_THREADS"] == "3"
    assert seen["HF_HUB_OFFLINE"] == "1"


@linux
def test_a_worker_works_in_its_scratch_folder(worker: Worker, destination: Path, tmp_path: Path) -> None:
    worker.ask(job(destination, "environment"), Done, TIMEOUT_S)
    assert Path((destination / "folder").read_text()) == tmp_path.resolve()


def test_a_worker_that_cannot_be_started_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(NotMeasured, match="could not be started"):
        Worker(tmp_path, 2 * GB)
    gc.collect()  # a file left open is a warning here, and a warning is an error
