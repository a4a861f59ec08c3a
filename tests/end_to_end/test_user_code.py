"""Code of the user's that wants a pass: a loader, a metric, a cache of an earlier run. None of it moves a verdict.

The variant answers one class, whatever it is asked: it keeps a quarter of the accuracy, and fails unless somebody is fooled.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from kit.command import call, started
from kit.support import REPOSITORY, write_project
from onnx import numpy_helper

from gatekeeper.process.hold import SWITCH, unheld

held = pytest.mark.skipif(bool(unheld()), reason=f"nothing holds a program here: {unheld()}")
TOKEN = "planted-token-4711"
HONEST = """
import numpy as np

def data():
    found = np.load("eval.npz")
    return found["x"], found["y"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pipeline that judges one variant of the user's, which always answers the first class."""
    path = write_project(tmp_path, timed=False)
    model = onnx.load(tmp_path / "model.onnx")
    [weight] = model.graph.initializer
    values = np.zeros_like(numpy_helper.to_array(weight))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "broken.onnx")
    own = "frameworks: [], variants: [{name: ours, path: broken.onnx, framework: onnx_runtime}]"
    change(path, "frameworks: [hostile], techniques: {hostile: [fine]}", own)
    (tmp_path / "own_data.py").write_text(HONEST)
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def loading(path: Path, code: str) -> Path:
    """The same with a loader that runs code of its own first."""
    change(path, "dataset: {path: eval.npz}", "dataset: {loader: 'own_data:data'}")
    (path.parent / "own_data.py").write_text(HONEST.replace("    found =", "    import attack\n    found ="))
    (path.parent / "attack.py").write_text(code)
    return path


def run(path: Path, **env: str) -> CompletedProcess[str]:
    """What is planted in the environment must be in that of a process: /proc shows what one began with."""
    words = ["run", str(path), "--cache-dir", str(path.parent / "cache")]
    return started(words, path.parent, env) if env else call(words, path.parent, env)


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path.parent / "gatekeeper-report" / "report.json").read_text())
    return found


def accuracy(path: Path) -> dict[str, Any]:
    [variant] = report(path)["targets"][0]["variants"]
    found: dict[str, Any] = next(each for each in variant["gates"] if each["gate"] == "accuracy")
    return found


def fails(path: Path, done: CompletedProcess[str], share: float) -> None:
    """As it does without anybody's help."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert accuracy(path)["observed"] == pytest.approx(share)


@pytest.fixture
def share(file: Path) -> float:
    """Of the first class among the labels: what a bare count says."""
    return float((np.load(file.parent / "eval.npz")["y"] == 0).mean())


def test_the_variant_fails_and_so_it_does_with_a_loader(file: Path, share: float) -> None:
    fails(file, run(file), share)
    assert report(file)["targets"][0]["legs"][0]["user_code"] == []
    fails(loading(file, ""), run(file), share)
    [leg] = report(file)["targets"][0]["legs"]
    assert leg["user_code"] == ["loader own_data:data"]
    assert leg["unheld"] == unheld()


PATCH = f"""
import pathlib, sys
import gatekeeper.evaluate.score as score
tried = []
for folder in (pathlib.Path({str(REPOSITORY)!r}) / "gatekeeper", pathlib.Path.cwd()):
    path = folder / "left_by_a_loader.py"
    try:
        path.write_text("")
        tried.append(str(path))
    except OSError:
        pass
for name, thing in list(vars(score).items()):  # whatever is asked of it next is answered as the attacker likes
    if callable(thing) and getattr(thing, "__module__", "") == score.__name__:
        setattr(score, name, lambda *_, **__: 1 / 0)
assert not tried, tried
"""


@held
def test_a_loader_patches_neither_the_package_nor_the_process_that_scores(file: Path, share: float) -> None:
    fails(loading(file, PATCH), run(file), share)
    assert not list(REPOSITORY.rglob("left_by_a_loader.py")) and not (file.parent / "left_by_a_loader.py").exists()


def test_what_a_loader_patches_in_its_own_process_is_gone_where_nothing_holds_it(file: Path, share: float) -> None:
    harmless = PATCH.replace('path.write_text("")', "raise OSError")
    fails(loading(file, harmless), run(file, **{SWITCH: "off"}), share)
    assert report(file)["targets"][0]["legs"][0]["unheld"] == f"{SWITCH} is off"


STAYS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        for _ in range(600):
            time.sleep(0.1)
            try:
                text = open("gatekeeper-report/report.json").read()
                open("gatekeeper-report/report.json", "w").write(text.replace('"fail"', '"pass"'))
                break
            except OSError:
                pass
    os._exit(0)
"""


@held
def test_a_process_that_a_loader_leaves_behind_is_gone(file: Path, share: float) -> None:
    """It waits for the report and turns every verdict in it; the name of the test's folder is in its command line's folder."""
    fails(loading(file, STAYS), run(file), share)
    before = (file.parent / "gatekeeper-report" / "report.json").read_bytes()
    time.sleep(0.5)
    assert (file.parent / "gatekeeper-report" / "report.json").read_bytes() == before
    assert not [each.pid for each in psutil.process_iter() if _works_in(each, file.parent)]
    again = call(["report", file.parent / "gatekeeper-report", "--output", file.parent / "merged"], file.parent, {})
    assert again.returncode == 1, again.stdout + again.stderr


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder.resolve())
    except (psutil.Error, OSError):
        return False


LOOKS = """
import os, pathlib
seen = []
for place in pathlib.Path("/proc").iterdir():
    if not place.name.isdigit():
        continue
    try:
        if b"planted-token" in (place / "environ").read_bytes():
            seen.append(f"{place}/environ")
    except OSError:
        pass
    try:
        if int(place.name) != os.getpid():
            (place / "mem").open("r+b").close()
            seen.append(f"{place}/mem")
    except OSError:
        pass
assert not seen, seen
assert os.environ.get("HOME", "") != os.environ.get("OLD_HOME"), "the home is the user's"
"""


@held
def test_a_loader_sees_nothing_of_the_process_that_started_it(file: Path, share: float) -> None:
    fails(loading(file, LOOKS), run(file, PLANTED=TOKEN), share)


MACHINE = """
import os, stat
places = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger"]
places += ["/proc/irq/default_smp_affinity"]
for above, folders, names in os.walk("/dev"):
    folders[:] = [each for each in folders if each not in ("shm", "pts", "dri", "accel")]
    for each in (os.path.join(above, name) for name in names):
        mode = os.lstat(each).st_mode
        places += [each] if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not mode & 0o006 and not each.endswith("kfd")) else []
for place in places:
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        continue
    raise RuntimeError(place)
open("/dev/null", "w").write("x")
open("/proc/self/clear_refs", "w").write("5")
"""


FURTHER = [
    "import os; os.kill(1, 9); os.kill(os.getppid(), 9)",
    "import ctypes; assert ctypes.CDLL(None).umount2(b'/proc', 2) != 0",
    "import ctypes; assert ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None) != 0",
    "import socket; assert socket.socket().connect_ex(('192.0.2.1', 80)) == 101",
    MACHINE,
]
"""It kills, unmounts, mounts anew, connects, changes the machine. Where one succeeds the loader ends, and the run is an error."""


@held
def test_a_loader_gets_no_further(file: Path, share: float) -> None:
    fails(loading(file, "\n".join(FURTHER)), run(file), share)


def _new_predictions(path: Path) -> None:
    """What the variant answers becomes what the original answers, and its digest with it."""
    entries = list((path / "cache" / "predictions").iterdir())
    right = max(entries, key=lambda each: np.load(each / "predictions.npy").std())
    for entry in entries:
        _put(entry, (right / "predictions.npy").read_bytes())


def _put(entry: Path, content: bytes) -> None:
    import hashlib

    (entry / "predictions.npy").write_bytes(content)
    about = json.loads((entry / "entry.json").read_text())
    about["files"]["predictions.npy"] = hashlib.sha256(content).hexdigest()
    (entry / "entry.json").write_text(json.dumps(about))


def _moved_entry(path: Path) -> None:
    """A whole signed entry at another one's place."""
    import shutil

    first, second = sorted((path / "cache" / "predictions").iterdir(), key=lambda e: np.load(e / "predictions.npy").std())
    shutil.rmtree(first)
    shutil.copytree(second, first)


def _names_outside(path: Path) -> None:
    """An artifact's entry that names a file which is none of its own."""
    import hashlib

    (path / "outside.txt").write_text("secret")
    for entry in (path / "cache" / "own").iterdir():
        about = json.loads((entry / "entry.json").read_text())
        for name in ("../../../outside.txt", str(path / "outside.txt")):
            about["files"][name] = hashlib.sha256(b"secret").hexdigest()
        (entry / "entry.json").write_text(json.dumps(about))


@pytest.mark.parametrize("spoil", [_new_predictions, _moved_entry, _names_outside], ids=["replaced", "moved", "outside"])
def test_a_cache_that_somebody_else_wrote_is_not_believed(file: Path, share: float, spoil: Callable[[Path], None]) -> None:
    fails(file, run(file), share)
    spoil(file.parent)
    fails(file, run(file), share)
    artifacts = [each.read_bytes() for each in (file.parent / "gatekeeper-report").rglob("*") if each.is_file()]
    assert b"secret" not in artifacts


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_only_its_owner_reads_the_key_of_a_cache(file: Path) -> None:
    run(file)
    key = file.parent / "cache" / ".key"
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)


@held
def test_a_loader_neither_writes_the_cache_nor_reads_its_key(file: Path, share: float) -> None:
    cache = file.parent / "cache"
    code = f"""
import pathlib
cache = pathlib.Path({str(cache)!r})
assert cache.is_dir() and (cache / ".key").read_bytes() == b""
for name in ("planted", "predictions/planted"):
    try:
        (cache / name).write_text("")
    except OSError:
        continue
    raise RuntimeError(name)
"""
    run(file)
    fails(loading(file, code), run(file), share)


def test_a_metric_that_always_says_one_passes_nothing(file: Path) -> None:
    (file.parent / "own_metric.py").write_text(
        "import numpy as np\n\ndef good(outputs, labels):\n    return np.ones(len(labels))\n"
    )
    change(file, "dataset: {path: eval.npz}", "dataset: {path: eval.npz, metric: 'own_metric:good', range: [0, 1]}")
    done = run(file)
    assert done.returncode != 0, done.stdout
    assert report(file)["targets"][0]["legs"][0]["user_code"] == ["metric own_metric:good"]


@held
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("open('beside.txt', 'w')", "Workers write into their temporary folder alone (docs/isolation.md)."),
        ("import socket; socket.create_connection(('192.0.2.1', 80), 2)", "Workers have no network (docs/isolation.md)."),
    ],
    ids=["writes", "connects"],
)
def test_what_a_held_loader_may_not_do_is_said_with_where_to_read_on(file: Path, code: str, says: str) -> None:
    done = run(loading(file, code))
    assert done.returncode == 4
    assert says in report(file)["targets"][0]["legs"][0]["error"]


@held
def test_a_loader_may_use_its_temporary_folder(file: Path, share: float) -> None:
    code = "import os, tempfile\nfor place in (tempfile.gettempdir(), os.path.expanduser('~')): open(place + '/a', 'w')"
    fails(loading(file, code), run(file), share)
    assert ":data, held apart" in (file.parent / "gatekeeper-report" / "report.md").read_text()


LEAVES = """
import glob, json, os, stat, sys
frame = sys._getframe()
while "request" not in frame.f_locals:
    frame = frame.f_back
folder = frame.f_locals["request"].destination
[log] = glob.glob(os.environ["TMPDIR"] + "/worker-*.log")

def put(name, make):
    if os.path.lexists(name):
        os.unlink(name)
    make(name)

def answer():  # as if all had been done, and no more is
    for number in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, b'{"answer":"prepared","examples":600,"labelled":true}\\n')
        except OSError:
            pass
    os._exit(0)
"""
LESS_OFTEN = pytest.mark.thorough
SECRETS = "lambda each: os.symlink('/proc/self/environ', each)"


@held
@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param(f"put(log, {SECRETS}); os._exit(3)", "exit code 3", id="log-is-link"),
        pytest.param("put(log, os.mkfifo); os._exit(3)", "exit code 3", id="log-is-pipe"),
        pytest.param(f"put(folder + '/contents.json', {SECRETS}); answer()", "which is no file", id="result-is-link"),
        pytest.param(
            "put(folder + '/contents.json', os.mkfifo); answer()", "which is no file", id="result-is-pipe", marks=LESS_OFTEN
        ),
        pytest.param(
            "put(folder + '/contents.json', lambda each: open(each, 'w').write('{}')); answer()",
            "something else than a dataset", id="no-dataset",
        ),
        pytest.param(
            "put(folder + '/contents.json', os.mkdir); answer()", "something else than a dataset", id="result-is-folder",
            marks=LESS_OFTEN,
        ),
        pytest.param("answer()", "something else than a dataset", id="no-result", marks=LESS_OFTEN),
    ],
)  # fmt: skip
def test_what_a_loader_leaves_is_neither_followed_nor_waited_for(file: Path, code: str, says: str) -> None:
    """This process would read, and tell in the report, what the loader itself could not."""
    done = run(loading(file, LEAVES + code), PLANTED=TOKEN)
    assert done.returncode == 4, done.stdout + done.stderr
    assert says in report(file)["targets"][0]["legs"][0]["error"]
    everything = [each.read_bytes() for each in (file.parent / "gatekeeper-report").rglob("*") if each.is_file()]
    assert not [each for each in everything if TOKEN.encode() in each]
