"""The child process, spoken to as the parent does: lines in, lines out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.support import REPOSITORY
from onnx import helper, numpy_helper

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.measure.session import LoadModel
from gatekeeper.process.failure import failure
from gatekeeper.process.messages import Done, Failed, pack, read_answer, unpack

COMMAND = [sys.executable, "-P", "-m", "gatekeeper.process.worker"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = x W, with 8 inputs and 4 outputs."""
    weights = numpy_helper.from_array(np.arange(32, dtype=np.float32).reshape(8, 4), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three inputs to time, in turn."""
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    np.savez(path, x=np.ones((3, 1, 8), np.float32))
    return path


def talk(*requests: dict[str, Any] | bytes) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[bytes]]:
    lines = b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in requests)
    done = subprocess.run(COMMAND, input=lines, capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def asked(job: str, **fields: Any) -> dict[str, Any]:
    return {"job": job, "request": fields}


def opening(artifact: Path, inputs: Path, framework: str = "onnx_runtime") -> dict[str, Any]:
    about = {"framework": framework, "artifact": str(artifact), "threads": 1, "device": "cpu"}
    return asked("gatekeeper.measure.session:Open", spec=about, inputs=str(inputs))


LOAD = asked("gatekeeper.measure.session:LoadModel")


def block(duration_ns: int, least: int) -> dict[str, Any]:
    return asked("gatekeeper.measure.timing:Block", duration_ns=duration_ns, least=least)


def test_open_load_and_time(model: Path, inputs: Path) -> None:
    (opened, loaded, *timed), done = talk(opening(model, inputs), LOAD, block(1_000_000, 7), block(1_000_000, 7))
    assert done.returncode == 0
    assert opened == {"answer": "done"}
    assert loaded["answer"] == "modelloaded"
    assert loaded["load_ns"] > 0
    for answer in timed:
        assert len(answer["latencies_ns"]) >= 7
        assert min(answer["latencies_ns"]) > 0
        assert answer["wall_ns"] >= max(1_000_000, sum(answer["latencies_ns"]))
        assert answer["cpu_ns"] > 0


def test_a_block_has_at_least_the_inferences_asked_for(model: Path, inputs: Path) -> None:
    (_, _, timed), _ = talk(opening(model, inputs), LOAD, block(0, 25))
    assert len(timed["latencies_ns"]) == 25


def test_the_folder_an_optimizer_wrote_is_an_artifact(model: Path, inputs: Path, tmp_path: Path) -> None:
    optimize = asked(
        "gatekeeper.making.job:Optimize", framework="onnx_runtime", technique="graph_optimized", source=str(model),
        destination=str(tmp_path), device="cpu", vnni=False, calibration=None,
    )  # fmt: skip
    answers, _ = talk(optimize, opening(tmp_path, inputs), LOAD)
    assert [answer["answer"] for answer in answers] == ["done", "done", "modelloaded"]


def test_nothing_asked_is_a_clean_end() -> None:
    answers, done = talk()
    assert (answers, done.returncode, done.stderr) == ([], 0, b"")


@pytest.mark.parametrize("request_line", [LOAD, block(1, 1)])
def test_requests_out_of_turn_are_refused(request_line: dict[str, Any]) -> None:
    (answer,), done = talk(request_line)
    assert (answer["answer"], answer["kind"], done.returncode) == ("failed", "garbage", 0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"not json",
        b"{}",
        b'{"job":"unknown","request":{}}',
        b'{"job":"gatekeeper.measure.session","request":{}}',
        b'{"job":"gatekeeper.measure.session:","request":{}}',
        b'{"job":"gatekeeper.measure.session:Unknown","request":{}}',
        b'{"job":"gatekeeper.measure.unknown:LoadModel","request":{}}',
        b'{"job":"gatekeeper.measure.session:LoadModel"}',
        b'{"job":"gatekeeper.measure.session:LoadModel","request":{},"more":1}',
        b'{"job":"gatekeeper.measure.session:LoadModel","request":{"more":1}}',
        b'{"job":"gatekeeper.measure.session:ModelLoaded","request":{"load_ns":1}}',
        b'{"job":"gatekeeper.measure.session:runtime","request":{}}',
        b'{"job":"gatekeeper.process.messages:Request","request":{}}',
        b'{"job":"gatekeeper.measure.timing:Block","request":{}}',
        b'{"job":"gatekeeper.measure.session:LoadModel","request":{}',
        b"\xff",
    ],
)
def test_a_bad_request_is_answered_and_the_next_one_served(line: bytes, model: Path, inputs: Path) -> None:
    (bad, good), done = talk(line, opening(model, inputs))
    assert bad["answer"] == "failed"
    assert (good["answer"], done.returncode) == ("done", 0)


def test_a_model_that_is_none_is_a_model_failure(tmp_path: Path, inputs: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    (_, loaded), _ = talk(opening(broken, inputs), LOAD)
    assert (loaded["answer"], loaded["kind"]) == ("failed", "model")
    assert "cannot load the model" in loaded["message"]


def test_a_missing_input_file_is_a_failure(model: Path, tmp_path: Path) -> None:
    (opened, loaded), _ = talk(opening(model, tmp_path / "none.npz"), LOAD)
    assert opened["answer"] == "failed"
    assert (loaded["answer"], loaded["kind"]) == ("failed", "garbage")


def test_an_unknown_framework_is_named(model: Path, inputs: Path) -> None:
    (opened,), _ = talk(opening(model, inputs, "onnx_runtimes"))
    assert opened["answer"] == "failed"
    assert "did you mean 'onnx_runtime'?" in opened["message"]


def test_wrong_inputs_are_a_failure_that_names_the_trouble(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "inputs.npz"
    np.savez(other, z=np.ones((1, 1, 8), np.float32))
    (_, loaded), _ = talk(opening(model, other), LOAD)
    assert loaded["answer"] == "failed"
    assert "z" in loaded["message"]


def test_an_unexpected_error_leaves_a_traceback_in_the_log(tmp_path: Path, model: Path) -> None:
    _, done = talk(opening(model, tmp_path / "none.npz"))
    assert b"Traceback" in done.stderr


def test_an_expected_error_leaves_none() -> None:
    _, done = talk(LOAD)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (NotMeasured("data", "no labels"), "data", "no labels"),
        (NotMeasured("model", "not a model"), "model", "not a model"),
        (UsageError("a wrong file"), "data", "a wrong file"),
        (MemoryError(), "memory", "MemoryError"),
        (RuntimeError("terminate called: std::bad_alloc"), "memory", "bad_alloc"),
        (RuntimeError("Failed to allocate memory for requested buffer"), "memory", "out of memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "unsupported", "'torch' is not installed"),
        (OSError(28, "No space left on device", "/tmp/x"), "disk", "/tmp/x"),
        (OSError(122, "Disk quota exceeded"), "disk", "Free some space"),
        (OSError(13, "Permission denied", "/tmp/x"), "crash", "PermissionError"),
        (ValueError("two\nlines  and\tspaces"), "crash", "ValueError: two lines and spaces"),
        (ValueError(), "crash", "ValueError"),
    ],
)
def test_failures_are_classified(error: Exception, kind: str, says: str) -> None:
    found = failure(error)
    assert found.kind == kind
    assert says in found.message


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 100_000),
        MemoryError("x" * 100_000),
        NotMeasured("data", "x" * 100_000),
        UsageError("x" * 100_000),
        ModuleNotFoundError("none", name="x" * 100_000),
        OSError(28, "full", "x" * 100_000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_failure_is_endless(error: Exception) -> None:
    assert len(failure(error).message) < 10_000


@pytest.mark.parametrize("error", [ValueError("\ud800"), MemoryError("\ud800"), NotMeasured("data", "\ud800")])
def test_every_failure_can_be_sent(error: Exception) -> None:
    import msgspec

    assert isinstance(read_answer(msgspec.json.encode(failure(error)), Done), Failed)


JOB = """
from gatekeeper.process.messages import Answer, Held, Request

class Tally:
    total = 0

class Counted(Answer, frozen=True, kw_only=True):
    total: int

class Count(Request, frozen=True, kw_only=True):
    more: int

    def answer(self, held: Held) -> Counted:
        if self.more < 0:
            tally = held.get(Tally, "less before more")
        else:
            tally = Tally()
            held.put(tally)
        tally.total += self.more
        return Counted(total=tally.total)
"""


def test_a_job_is_a_class_in_any_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plugin brings along is asked as gatekeeper's own is."""
    (tmp_path / "strange_job.py").write_text(JOB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    count = [asked("strange_job:Count", more=more) for more in (-1, 5, -2, 1)]
    (early, *counted), done = talk(*count)
    assert (early["kind"], early["message"]) == ("garbage", "less before more")
    assert [answer["total"] for answer in counted] == [5, 3, 1]
    assert done.returncode == 0


def test_what_the_parent_asks_is_what_the_worker_reads() -> None:
    request = LoadModel()
    assert unpack(pack(request)) == request
    assert json.loads(pack(request)) == LOAD


def test_importing_the_worker_imports_no_framework_and_no_numpy() -> None:
    code = "import sys, gatekeeper.process.worker\nprint(sorted({'numpy', 'onnx', 'onnxruntime', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_with_jobs_import_no_framework_and_no_numpy() -> None:
    """The parent imports them to ask."""
    found = (path for path in REPOSITORY.glob("gatekeeper/**/*.py") if re.search(r"\((Request|Reach), frozen", path.read_text()))
    modules = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in found]
    assert {"gatekeeper.measure.session", "gatekeeper.load.generate", "gatekeeper.checks.integration.client.traffic"} <= {
        *modules
    }
    heavy = {"numpy", "onnx", "onnxruntime", "scipy", "torch", "tritonclient", "schemathesis", "mlperf_loadgen", "pytest"}
    code = f"import sys, {', '.join(modules)}\nprint(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_the_working_folder_is_not_imported_from(tmp_path: Path, model: Path, inputs: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the working folder')")
    lines = json.dumps(opening(model, inputs)).encode() + b"\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(COMMAND, input=lines, capture_output=True, check=False, cwd=tmp_path, env=environment)
    assert json.loads(done.stdout) == {"answer": "done"}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_worker_whose_parent_died_before_it_could_look_ends() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    orphan = subprocess.Popen([*COMMAND, str(gone.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with orphan:
        assert orphan.wait(30) == 1
