"""`gatekeeper scan` as it is called: what it says, in which form, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from kit import clean_models, hostile_models
from kit.command import call, started
from kit.support import REPOSITORY, install_plugin


def test_a_clean_model_is_said_to_be(tmp_path: Path) -> None:
    path = clean_models.CLEAN["onnx_weights_beside-whole"](tmp_path)
    done = call(["scan", path.name], tmp_path, {})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("CLEAN  model.onnx: 2 files")


def test_a_finding_says_where_and_what_to_do(tmp_path: Path) -> None:
    hostile_models.HOSTILE["onnx_range-below_zero"][1](tmp_path)
    done = call(["scan", "model.onnx"], tmp_path, {})
    assert done.returncode == 1
    assert "HOSTILE  model.onnx: 1 finding" in done.stdout
    assert "model.onnx: external_range: its offset is '-16' (tensor 'w')" in done.stdout
    assert "Do not load the model." in done.stdout
    report = json.loads(call(["scan", "model.onnx", "--format", "json"], tmp_path, {}).stdout)
    [finding] = [found for file in report["files"] for found in file["found"]]
    assert (report["verdict"], finding["rule"], finding["where"]) == ("hostile", "external_range", "tensor 'w'")


def test_sarif_is_valid_and_at_the_file(tmp_path: Path) -> None:
    hostile_models.HOSTILE["hugging_code-trusted"][1](tmp_path)
    done = call(["scan", "model", "--format", "sarif"], tmp_path, {})
    assert done.returncode == 1
    report = json.loads(done.stdout)
    jsonschema.validate(report, json.loads((REPOSITORY / "tests/data/sarif-2.1.0.json").read_text()))
    [run] = report["runs"]
    [result] = run["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (result["ruleId"], place) == ("remote_code", "model/config.json")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "remote_code"


def test_a_domain_may_be_allowed(tmp_path: Path) -> None:
    hostile_models.HOSTILE["onnx_custom"][1](tmp_path)
    assert call(["scan", "model.onnx"], tmp_path, {}).returncode == 1
    assert call(["scan", "model.onnx", "--allow-domain", "evil.domain"], tmp_path, {}).returncode == 0
    hostile_models.HOSTILE["onnx_python-contrib"][1](tmp_path)
    done = call(["scan", "model.onnx", "--allow-domain", "ai.onnx.contrib"], tmp_path, {})
    assert done.returncode == 1, "a library that is trusted runs no code of the model's for that"
    assert "python_operator" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.onnx"], "no such model"),
        (["model.onnx", "--timeout", "soon"], "is no duration"),
        (["model.onnx", "--format", "xml"], "Invalid value"),
        ([], "Missing argument"),
    ],
)
def test_what_is_called_wrongly_is_told(tmp_path: Path, words: list[str], said: str) -> None:
    clean_models.CLEAN["onnx_of-relu"](tmp_path)
    done = call(["scan", *words], tmp_path, {})
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.onnx", b"", "it has no graph"),
        ("model.onnx", b"hello, this is no model", "wire type"),
        ("weights.dat", bytes(range(256)), "no scan knows what it is"),
        ("config.json", b"{", "no JSON"),
        ("model.xml", b"<html/>", "no OpenVINO model"),
        ("x.npz", b"PK\x03\x04 cut short", "archive that cannot be read"),
    ],
)
def test_what_cannot_be_read_is_not_clean(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = call(["scan", name], tmp_path, {})
    assert done.returncode in (1, 4), done.stdout
    assert not done.stdout.startswith("CLEAN")
    if done.returncode == 4:
        assert said in done.stdout


def test_an_empty_folder_is_not_clean(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert call(["scan", "model"], tmp_path, {}).returncode == 4


PLUGIN = """\
DESCRIPTION = "a scan of somebody's"
RULES = {{}}
ORDER = 5
def takes(seen):
    return seen.suffix == ".onnx"
def scan(seen):
    {body}
    yield from ()
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; os._exit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 11)", "crashed"),
        ("import time; time.sleep(60)", "no answer within"),
        ("raise ValueError('what is this')", "ValueError: what is this"),
    ],
)
def test_a_scan_that_ends_or_hangs_is_not_clean(tmp_path: Path, body: str, said: str) -> None:
    clean_models.CLEAN["onnx_of-relu"](tmp_path)
    entry = "[gatekeeper.scans]\nsomebodys = somebodys\n"
    env = install_plugin(tmp_path / "site", {"somebodys": PLUGIN.format(body=body)}, entry)
    done = started(["scan", "model.onnx", "--timeout", "3s"], tmp_path, env)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stdout


def test_without_the_engine_it_is_not_clean(tmp_path: Path) -> None:
    """And what gatekeeper sees itself is told all the same."""
    env = install_plugin(tmp_path / "site", {"modelaudit": "raise ImportError('not here')"}, "")
    clean_models.CLEAN["pickle_of_numbers-protocol_4"](tmp_path)
    done = started(["scan", "model.pkl"], tmp_path, env)
    assert done.returncode == 4
    assert "modelaudit reads it, which is not installed. Install the extra `scan`" in done.stdout
    hostile_models.HOSTILE["pickle_of-protocol_4"][1](tmp_path)
    done = started(["scan", "model.pkl"], tmp_path, env)
    assert done.returncode == 1
    assert "runs_code: it imports posix.system" in done.stdout
    assert not (tmp_path / hostile_models.MARKER).exists()
