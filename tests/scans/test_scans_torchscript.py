"""TorchScript as torch writes it is no finding, nor clean; code in it that reaches files is one."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest
from kit.hostile_models import pickled

from gatekeeper.records.scanned import ModelScan
from gatekeeper.scans._scanning import scan_model
from gatekeeper.scans._torchscript import reaching
from gatekeeper.scans._work import Look, Looked, look


def scanned(path: Path) -> ModelScan:
    def here(request: Look) -> Looked:
        return look(request.scan, request.place.seen())

    return scan_model(path, here)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    path: Path = tmp_path_factory.mktemp("script") / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    return path


def changed(script: Path, folder: Path, member: str, old: bytes, new: bytes) -> Path:
    with zipfile.ZipFile(script) as archive, zipfile.ZipFile(folder / "model.pt", "w") as out:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(member):
                assert old in data  # the fault arrives
                data = data.replace(old, new) if old else new
            out.writestr(name, data)
    return folder / "model.pt"


def test_as_torch_writes_it(script: Path) -> None:
    scan = scanned(script)
    assert scan.verdict == "unscanned", scan.files
    assert "it is TorchScript" in scan.files[0].reason


LINEAR = b"torch.linear(input, weight, bias)"


@pytest.mark.parametrize("call", ["torch.from_file('/etc/hostname')", "torch.save(input, 'x')", "ops.evil.run(input)"])
def test_code_that_reaches_out_is_found(script: Path, tmp_path: Path, call: str) -> None:
    assert not list(reaching(script))
    [(what, member)] = reaching(changed(script, tmp_path, "linear.py", LINEAR, call.encode()))
    assert call.startswith(what) and member.endswith("linear.py")


def test_code_that_reaches_out_is_hostile(script: Path, tmp_path: Path) -> None:
    """What else modelaudit does with the file takes seconds, and is the same whatever the code is."""
    scan = scanned(changed(script, tmp_path, "linear.py", LINEAR, b"torch.from_file('/etc/hostname')"))
    assert "runs_code" in {each.rule for each in scan.files[0].found}


def test_a_pickle_that_runs_something_is_hostile_there_too(script: Path, tmp_path: Path) -> None:
    scan = scanned(changed(script, tmp_path, "/data.pkl", b"", pickled(tmp_path, 2)))
    assert "runs_code" in {each.rule for each in scan.files[0].found}
