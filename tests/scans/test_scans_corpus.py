"""Hostile files by the rule that names them, and sound ones of every kind, none of which is called anything but clean."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.clean_models import CLEAN
from kit.hostile_models import HOSTILE, MARKER
from kit.lazily import Lazily
from kit.support import EXAMPLES, REPOSITORY

from gatekeeper.config.load import load
from gatekeeper.records.scanned import ModelScan
from gatekeeper.scans._base import in_order, rules
from gatekeeper.scans._scanning import scan_model
from gatekeeper.scans._work import Look, Looked, look

onnx = Lazily("onnx")


def here(request: Look) -> Looked:
    """What a worker answers, in this process."""
    return look(request.scan, request.place.seen())


def scanned(path: Path) -> ModelScan:
    return scan_model(path, here)


def operators() -> list[Path]:
    return sorted((Path(onnx.helper.__file__).parent / "backend/test/data").rglob("*.onnx"))


def told(scan: ModelScan) -> list[str]:
    return [f"{each.file}: {each.reason} {[*each.found]}" for each in scan.files if each.verdict != "clean"]


def test_there_are_enough_of_each() -> None:
    assert len(HOSTILE) >= 150
    assert len(CLEAN) >= 60
    expected = {rule for rule, _ in HOSTILE.values()}
    named = expected | {"suspect", "unknown_import", "archive_content"}  # the rest of what modelaudit says
    assert named == set(rules())
    assert {name for name, _ in in_order()} >= {"archives", "arrays", "gguf", "huggingface", "onnx", "openvino_ir", "pickled"}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_named(name: str, tmp_path: Path) -> None:
    rule, build = HOSTILE[name]
    scan = scanned(build(tmp_path))
    assert scan.verdict == "hostile", told(scan)
    assert rule in {found.rule for each in scan.files for found in each.found}, told(scan)
    assert all(found.remedy for each in scan.files for found in each.found)
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_sound_is_clean(name: str, tmp_path: Path) -> None:
    scan = scanned(CLEAN[name](tmp_path))
    assert scan.verdict == "clean", told(scan)
    assert scan.files
    assert all(each.sha256 and each.scans for each in scan.files)


def test_onnx_own_test_models_are_clean() -> None:
    models = operators()
    assert len(models) > 100
    assert [line for model in models for line in told(scanned(model))] == []


def test_their_quantized_variants_are_clean(tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    made = 0
    for model in operators():
        kinds = {node.op_type for node in onnx.load(model).graph.node}
        if not kinds & {"MatMul", "Gemm", "Conv", "LSTM", "Gather"} or made == 20:
            continue
        out = tmp_path / f"{model.parent.name}.onnx"
        try:
            quantize_dynamic(model, out)
        except Exception:  # what this quantizer cannot read is no model of it
            continue
        made += 1
        assert told(scanned(out)) == []
    assert made == 20


@pytest.mark.thorough
def test_the_models_of_every_operator_are_clean(tmp_path: Path) -> None:
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():  # of the values that the cases are about
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if case.model is not None]
    assert len(cases) > 1000
    wrong = []
    for case in cases:
        own = {opset.domain for opset in case.model.opset_import} - {"", "ai.onnx.ml", "ai.onnx.preview.training"}
        (tmp_path / "m.onnx").write_bytes(case.model.SerializeToString())
        wrong += [f"{case.name} {own}: {line}" for line in told(scanned(tmp_path / "m.onnx"))]
    assert wrong == []


def torch_files(folder: Path) -> None:
    import torch

    layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    torch.save(layers.state_dict(), folder / "model.pt")
    torch.save({"epoch": 1, "state": layers.state_dict()}, folder / "model.ckpt")
    torch.save(layers.state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)


@pytest.mark.thorough
def test_weights_that_torch_saves_are_clean(tmp_path: Path) -> None:
    """In workers: what modelaudit says of a name depends on what its process has imported."""
    from gatekeeper.scans._scanning import workers

    torch_files(tmp_path)
    (tmp_path / "scratch").mkdir()
    with workers(tmp_path / "scratch") as ask:
        for name in ("model.pt", "model.ckpt", "legacy.pth"):
            assert told(scan_model(tmp_path / name, ask)) == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_models_are_clean(name: str, tmp_path: Path) -> None:
    import shutil
    import subprocess
    import sys

    folder = tmp_path / name
    shutil.copytree(REPOSITORY / "examples" / name, folder)
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, capture_output=True)
    path = load(folder / "edge_ai_pipeline.yaml").model_path()
    assert path is not None
    assert told(scanned(path)) == []
